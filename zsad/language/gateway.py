"""The one way to a language model: cache, budget, retries, several at once, record and replay."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from zsad.errors import BudgetError, EndpointError, InputError
from zsad.language.asking import Ask, key_of
from zsad.language.cache import Cache, Stored
from zsad.language.endpoint import Endpoint, PassingError, RefusedError, Said
from zsad.language.parse import Parsed
from zsad.language.remedies import remedy_of
from zsad.language.replies import Budget, Counts, Read, Reply
from zsad.language.retries import Sleep, retrying
from zsad.language.spending import Purse, tokens_of, words_of

Value = TypeVar("Value")
__all__ = ["CONCURRENCY", "MAX_IMAGES", "Budget", "Counts", "Gateway", "Read", "Reply", "replaying"]

MAX_IMAGES, CONCURRENCY = 16, 8
"""Pictures of one message, and questions at once, where nobody says otherwise."""
_GIVE_UP = 3
"""Failures in a row, none answered between, after which nothing more is sent; see :meth:`Gateway._tells`."""


class Gateway:
    """Asks a language model, each question once.

    Args:
        endpoint: where to; None answers from the cache alone.
        cache: where answers are kept.
        model: which model the answers are of; the endpoint's where there is one.
        budget: what may be sent.
        concurrency: questions at once.
        max_images: of one message; more go onto contact sheets.
        sleep: waits between tries; a test has its own.
        purse: a budget that is shared with another gateway, instead of one of its own.
        forms: step -> JSON schema that is sent with its questions, such as :data:`zsad.language.forms.FORMS`.
    """

    def __init__(
        self,
        endpoint: Endpoint | None,
        cache: Cache,
        *,
        model: str = "",
        budget: Budget | None = None,
        concurrency: int = CONCURRENCY,
        max_images: int = MAX_IMAGES,
        sleep: Sleep = time.sleep,
        purse: Purse | None = None,
        forms: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.endpoint, self.cache, self.counts = endpoint, cache, Counts()
        self.purse, self.concurrency = purse or Purse(budget or Budget()), max(1, concurrency)
        self.max_images, self._model, self._sleep = max(1, max_images), model, sleep
        self._lock, self._gate, self._answered = threading.Lock(), threading.Lock(), threading.Event()
        self._flying: dict[str, Future[Reply]] = {}
        self.forms, self._streak = forms or {}, 0
        self._stopped: EndpointError | None = None
        self.used: dict[str, Stored] = {}
        self._found: dict[str, Stored] = {}  # by a look whether an answer is there, which is then asked for

    @property
    def model(self) -> str:
        """The name of the model that answers."""
        return self._model or (self.endpoint.name() if self.endpoint else "")

    def key(self, ask: Ask) -> str:
        """Return the key of a question."""
        return key_of(ask, self.model)

    def has(self, ask: Ask) -> bool:
        """Whether the answer to a question is kept already."""
        key = self.key(self._fitting(ask))
        if key not in self._found:
            stored = self.cache.get(key)
            if stored is None:
                return False
            self._found[key] = stored
        return True

    def look(self, asks: Sequence[Ask]) -> list[bool]:
        """Return for each question whether its answer is kept; quicker than :meth:`has` one by one.

        Answers that are found are held in memory until they are asked for.
        """
        keys = [self.key(self._fitting(ask)) for ask in asks]
        wanted = [key for key in dict.fromkeys(keys) if key not in self._found]
        self._found.update(self.cache.get_all(wanted))
        return [key in self._found for key in keys]

    def ask(self, ask: Ask) -> Reply:
        """Return the answer to one question, of the cache or of the model.

        Raises:
            EndpointError: the endpoint takes no question at all.
        """
        ask = self._fitting(ask)
        key = self.key(ask)
        known = self._known(ask, key)
        if known is not None:
            return known
        with self._lock:
            if self._stopped:
                raise self._stopped
            flying = self._flying.get(key)
            mine: Future[Reply] = Future()
            if flying is None:
                self._flying[key] = mine
        if flying is not None:
            reply = flying.result()
            with self._lock:
                self.counts.add(ask.step, "missing" if reply.reason == "budget" else "cached")
            return reply
        try:
            # Another thread may have put it there between the look and the claim.
            reply = self._known(ask, key) or self._send(ask, key)
            mine.set_result(reply)
            return reply
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                self._flying.pop(key, None)

    def read(self, ask: Ask, parser: Callable[[str], Parsed[Value]], wanted: str = "", reask: int = 1) -> Read[Value]:
        """Ask, read the answer, and ask once more for the wanted form where it can't be read.

        Args:
            ask: the question.
            parser: reads the answer.
            wanted: one line that states the form; without it, nothing is asked again.
            reask: how often, at most.
        """
        while True:
            reply = self.ask(ask)
            found = parser(reply.text) if not reply.reason else Parsed(None, reply.reason)
            if found.value is None and reply.cut:
                found = Parsed(None, "truncated")
            if found.value is not None or not wanted or ask.attempt >= reask or reply.failed or not self._worth(reply):
                break
            ask = ask.again(reply.text, wanted)
            with self._lock:
                self.counts.add(ask.step, "reasked")
        if found.value is None and not reply.failed:
            with self._lock:
                self.counts.add(ask.step, "unparsed")
                self.counts.reasons[found.reason] += 1
        return Read(found.value, found.reason, reply)

    def read_all(
        self,
        asks: Iterable[Ask],
        parser: Callable[[str], Parsed[Value]],
        wanted: str = "",
        reask: int = 1,
        on_answer: Callable[[int], None] = lambda done: None,
    ) -> list[Read[Value]]:
        """Read the answers to many questions, several at once; they come in the order of the questions.

        Raises:
            BudgetError: some were not sent any more; all that was answered is kept.
            EndpointError: the endpoint takes no question at all.
        """
        before, found = self.counts.missing, []
        if isinstance(asks, list):
            self.look(asks)
        for one in self._ordered(asks, lambda ask: self.read(ask, parser, wanted, reask)):
            found.append(one)
            on_answer(len(found))
        missing = self.counts.missing - before
        if missing:
            raise BudgetError(
                f"budget reached: {self.purse.calls} calls and {self.purse.tokens} tokens spent, {missing} calls of "
                "this step are missing; what was paid for is kept, a larger --budget goes on"
            )
        return found

    def _ordered(self, asks: Iterable[Ask], work: Callable[[Ask], Read[Value]]) -> Iterator[Read[Value]]:
        """Work on questions in threads, no further ahead than needed; those whose answer is kept need no thread."""
        waiting: deque[Future[Read[Value]]] = deque()
        pool: ThreadPoolExecutor | None = None
        try:
            for ask in asks:
                if self.has(ask):
                    done: Future[Read[Value]] = Future()
                    done.set_result(work(ask))
                    waiting.append(done)
                else:
                    pool = pool or ThreadPoolExecutor(self.concurrency, "zsad-ask")
                    waiting.append(pool.submit(work, ask))
                while waiting and (len(waiting) >= 2 * self.concurrency or waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def _fitting(self, ask: Ask) -> Ask:
        """Put pictures onto contact sheets where there are more than one message may have, and add a schema if any."""
        if ask.schema is None and ask.step in self.forms:
            ask = replace(ask, schema=self.forms[ask.step])
        sheet = -(-ask.n_pictures // self.max_images)
        return replace(ask, sheet=sheet) if sheet > ask.sheet else ask

    def _worth(self, reply: Reply) -> bool:
        """Whether asking for another form may help: not after a refusal."""
        return reply.reason in ("", "empty")

    def _known(self, ask: Ask, key: str) -> Reply | None:
        stored = self._found.pop(key, None) or self.cache.get(key)
        if stored is None:
            return None
        with self._lock:
            self.counts.add(ask.step, "cached")
            self.used[key] = stored
        return _reply(stored)

    def _send(self, ask: Ask, key: str) -> Reply:
        if self.endpoint is None:
            with self._lock:
                self.counts.fail(ask.step, "not in the record")
            return Reply("", "absent", key=key, failed=True)
        with self._one_at_a_time() as first:
            reserved = self.purse.take(tokens_of(ask) + ask.sampling.max_tokens)
            if reserved is None:
                with self._lock:
                    self.counts.add(ask.step, "missing")
                return Reply("", "budget", key=key, failed=True)
            used = None
            try:
                if self._stopped:
                    raise self._stopped
                said = retrying(lambda: self._chat(ask), self._sleep, lambda: not first)
                used = (said.prompt_tokens or tokens_of(ask)) + (said.completion_tokens or words_of(said.text))
                self._answered.set()
            except EndpointError as error:
                self._stopped = error
                raise
            except (PassingError, RefusedError) as error:
                return self._failure(ask, key, error)
            finally:
                self.purse.settle(reserved, used)
        stored = Stored(
            key, ask.step, ask.item, ask.attempt, self.model, ask.prompts, said.text, said.finish, said.prompt_tokens,
            said.completion_tokens, said.seconds,
        )  # fmt: skip
        self.cache.put(stored)  # before anybody uses it
        with self._lock:
            self._streak = 0
            self.used[key] = stored
            self.counts.add(ask.step, "sent")
            self.counts.add(ask.step, "tokens", used)
        return _reply(stored)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[bool]:
        """Let in one question until something was answered: a wrong key is told once, and what a call takes is known.

        Gives whether it is such a first one.
        """
        if not self._answered.is_set():
            with self._gate:
                if not self._answered.is_set():
                    yield True
                    return
        yield False

    def _chat(self, ask: Ask) -> Said:
        """Send one question; where the server refuses it without a schema, or with more pictures on fewer sheets."""
        assert self.endpoint is not None
        while True:
            try:
                return self.endpoint.chat(ask)
            except RefusedError as error:
                if ask.schema is not None and error.kind == "schema":
                    self.endpoint.takes_schema = False
                    ask = replace(ask, schema=None)
                elif error.kind in ("size", "context") and ask.sheet < ask.n_pictures:
                    ask = replace(ask, sheet=min(2 * ask.sheet, ask.n_pictures))
                else:
                    raise

    def _failure(self, ask: Ask, key: str, error: PassingError | RefusedError) -> Reply:
        assert self.endpoint is not None
        remedy = remedy_of(self.endpoint.where(), error)
        with self._lock:
            self._streak += self._tells(ask, error)
            self.counts.fail(ask.step, str(error))
            self.counts.reasons[str(error)] += 1
            first = self.counts.sent == 0
            lost = isinstance(error, PassingError) and not error.connected and first
            pictures = isinstance(error, RefusedError) and error.kind == "images" and first
            if lost or pictures or self._streak >= _GIVE_UP:
                self._stopped = EndpointError(remedy)
                raise self._stopped
        return Reply("", str(error), key=key, failed=True, remedy=remedy)

    def _tells(self, ask: Ask, error: Exception) -> bool:
        """Whether a failure says something of the endpoint: one that refuses some items only goes on with others."""
        if not isinstance(error, RefusedError):
            return True
        if error.kind in ("images", "audio"):  # a model without these answers texts all the same
            counts = self.counts.steps.get(ask.step, Counter[str]())
            return not (counts.get("sent") or counts.get("cached"))
        return not (self.counts.sent or self.counts.cached)


def _reply(stored: Stored) -> Reply:
    if stored.finish in ("refusal", "content_filter"):
        return Reply("", stored.finish, key=stored.key)
    if not stored.text.strip():
        return Reply("", "empty", key=stored.key)
    return Reply(stored.text, "", stored.finish == "length", stored.key)


def replaying(
    path: str, model: str = "", max_images: int = MAX_IMAGES, forms: Mapping[str, Mapping[str, Any]] | None = None
) -> Gateway:
    """Return a gateway that answers from ``calls.jsonl`` alone.

    Args:
        path: the record.
        model: whose answers, where the record has those of several.
        max_images: of one message, as it was when the record was made.
        forms: the same of schemas.

    Raises:
        InputError: it can't be read, or is of several models, none of which was named.
    """
    from zsad.language.record import read_calls

    calls = read_calls(path)
    models = sorted({one.model for one in calls})
    if len(models) != 1 and model not in models:
        raise InputError(f"{path}: answers of {len(models)} models; say whose are meant with --llm NAME")
    cache = Cache(None)
    cache.put(*calls)
    return Gateway(None, cache, model=model if model in models else models[0], max_images=max_images, forms=forms)
