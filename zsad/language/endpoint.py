"""An OpenAI-compatible endpoint: one request, its answer, and refusals by name; the key comes from the environment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zsad.documents import Limits, parse_json
from zsad.errors import EndpointError, MissingExtraError, UsageError, ZsadError
from zsad.language.asking import Ask, wire
from zsad.outside import terminal

if TYPE_CHECKING:
    import openai

KEYS = ("ZSAD_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key; the first that is set counts."""
TIMEOUT = 120.0
"""Seconds for one answer, where nobody says otherwise."""
TRANSIENT = frozenset({408, 409, 425, 429})
FINAL_FOR_ALL = frozenset({401, 403, 404})
_LOCAL = ("127.0.0.1", "localhost", "::1")
_LIMITS = Limits(size=16 << 20, entries=100_000, depth=30, text=8 << 20)
_SHOWN = 160


class PassingError(Exception):
    """What may go well the next time: a busy server, a lost connection, a broken answer.

    Args:
        why: for people.
        wait: seconds that the server asks to wait, or None.
        connected: whether anybody was there.
        late: whether the answer did not come in time.
    """

    def __init__(self, why: str, wait: float | None = None, connected: bool = True, late: bool = False) -> None:
        super().__init__(why)
        self.wait, self.connected, self.late = wait, connected, late


class RefusedError(Exception):
    """A question that this server does not take.

    Args:
        why: for people.
        kind: ``"context"``, ``"images"``, ``"size"``, ``"schema"``, ``"audio"`` or ``"request"``.
    """

    def __init__(self, why: str, kind: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class Said:
    """What a server answered.

    Attributes:
        text: of the answer.
        finish: ``"stop"``, ``"length"``, ``"content_filter"``, ``"refusal"`` or what the server says.
        prompt_tokens: as the server counts them, or 0.
        completion_tokens: as the server counts them, or 0.
        seconds: that it took.
    """

    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class Endpoint:
    """A server and one of its models.

    Args:
        url: such as ``http://localhost:8000/v1``; without a path, ``/v1`` is meant.
        model: its name there; ``""`` takes the only one that the server lists.
        timeout: seconds for one answer.

    Raises:
        UsageError: the address is none, or the key in the environment can't be one.
        MissingExtraError: the package openai is absent.
    """

    def __init__(self, url: str, model: str = "", timeout: float = TIMEOUT) -> None:
        self.url, self.model, self.timeout = _address(url), model, timeout
        self._variable, self._key = _key()
        self._lock = threading.RLock()
        self._made: openai.OpenAI | None = None
        self.takes_schema: bool | None = None

    def chat(self, ask: Ask) -> Said:
        """Send one question and return the answer.

        Raises:
            PassingError: it may be tried again.
            RefusedError: this question is not taken.
            EndpointError: no question will be: wrong key, no such model, no endpoint.
        """
        fields: dict[str, Any] = {"model": self.name(), "messages": wire(ask.messages, ask.sheet)}
        fields |= ask.sampling.to_dict()
        if ask.schema is not None and self.takes_schema is not False:
            form = {"name": "answer", "schema": dict(ask.schema), "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": form}
        begin = time.perf_counter()
        data = self._call(lambda client: client.post("/chat/completions", cast_to=_bare(), body=fields).content)
        return _said(data, time.perf_counter() - begin)

    def models(self) -> list[str]:
        """Return the names of the models that the server lists.

        Raises:
            PassingError: no answer, or one that is no list.
            EndpointError: the server refuses the key.
        """
        data = _document(self._call(lambda client: client.models.with_raw_response.list().content))
        listed = data.get("data")
        if not isinstance(listed, list):
            raise PassingError("its list of models is none")
        names = [row.get("id") for row in listed if isinstance(row, dict)]
        return [name for name in names if isinstance(name, str)]

    def name(self) -> str:
        """Return the model's name; asks the server for its only one where none was given.

        Raises:
            EndpointError: the server has several, or none.
        """
        with self._lock:
            if not self.model:
                try:
                    names = self.models()
                except PassingError as error:
                    raise EndpointError(f"{self.where()}: {error}; give another --endpoint, or --llm NAME") from None
                if len(names) != 1:
                    found = ", ".join(terminal(name, 60) for name in names[:10]) or "none"
                    raise EndpointError(f"{self.where()}: models there: {found}; choose one with --llm NAME")
                self.model = names[0]
        return self.model

    def where(self) -> str:
        """Return the address as messages show it."""
        return terminal(self.url, 120)

    def _call(self, ask: Any) -> bytes:
        import openai

        try:
            data: bytes = ask(self._client())
        except openai.APITimeoutError:
            raise PassingError(f"no answer within {self.timeout:g} s", late=True) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            refused = type(cause).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol")
            raise PassingError(self._shown(cause), connected=not refused) from None
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.OpenAIError as error:
            raise PassingError(self._shown(error)) from None
        except UnicodeError:  # openai takes headers from its own variables of the environment
            raise EndpointError(
                f"{self.where()}: a header of the request is not ASCII; look at OPENAI_ORG_ID and OPENAI_PROJECT_ID"
            ) from None
        return data

    def _client(self) -> openai.OpenAI:
        try:
            import openai
        except ImportError:
            raise MissingExtraError("a language model's endpoint", "language") from None
        with self._lock:
            if self._made is None:
                local = urlsplit(self.url).hostname in _LOCAL
                self._made = openai.OpenAI(
                    base_url=self.url,
                    api_key=self._key or "none",
                    timeout=self.timeout,
                    max_retries=0,
                    http_client=openai.DefaultHttpxClient(trust_env=not local, timeout=self.timeout),
                )
        return self._made

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        status, why = error.status_code, self._shown(_message(error))
        if status in TRANSIENT or status >= 500:
            return PassingError(f"HTTP {status}: {why}", _wait(error.response.headers))
        if status in (401, 403):
            remedy = f"put the right one into {self._variable or KEYS[0]}"
            found = "refused" if self._key else "missing"
            return EndpointError(f"{self.where()}: the key is {found} (HTTP {status}); {remedy}")
        if status == 404:
            remedy = "give another --endpoint, or another model with --llm NAME"
            return EndpointError(f"{self.where()}: not there (HTTP 404: {why}); {remedy}")
        return RefusedError(f"HTTP {status}: {why}", _kind(status, why))

    def _shown(self, error: object) -> str:
        """Return an error's text in one line, without the key should the server repeat it.

        Of the protocol itself only the kind is told: such a text quotes headers, the key among them, with escapes.
        """
        kind = type(error).__name__
        text = kind if "ProtocolError" in kind else str(error) or kind
        return terminal(text.replace(self._key, "(key)") if self._key else text, _SHOWN)


def _key() -> tuple[str, str]:
    """Return the variable that holds the key, and the key; both ``""`` where there is none."""
    for name in KEYS:
        key = os.environ.get(name, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UsageError(
                f"{name}: what it holds is no key: control characters, or letters outside ASCII; set it anew"
            )
        if key:
            return name, key
    return "", ""


def _bare() -> Any:
    """Return the class of a response as it came; the client's library of HTTP is httpx, or what followed it.

    ``client.chat.completions.create`` would compare each part of a question with its types first: a third of a call.
    """
    import sys

    import openai

    library = next(kind.__module__ for kind in openai.DefaultHttpxClient.__mro__ if kind.__name__ == "Client")
    return sys.modules[library.partition(".")[0]].Response


def _address(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"--endpoint {terminal(url, 80)!r} is no address of a server; give one such as http://localhost:8000/v1"
        )
    return url.strip().rstrip("/") + ("" if parts.path.strip("/") else "/v1")


def _message(error: openai.APIStatusError) -> object:
    """Return what the server says of a refusal, where it says it in JSON."""
    body = error.body
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        found = inner.get("message") if isinstance(inner, Mapping) else inner
        if isinstance(found, str):
            return found
    return error.message


def _kind(status: int, why: str) -> str:
    low = why.lower()
    if any(word in low for word in ("context", "maximum length", "too long", "n_ctx", "max_model_len", "input length")):
        return "context"
    if status == 413 or "too large" in low or "too many images" in low or "at most" in low:
        return "size"
    if any(word in low for word in ("image", "multimodal", "vision", "mmproj")):
        return "images"
    if any(word in low for word in ("response_format", "json_schema", "grammar", "guided")):
        return "schema"
    return "audio" if "audio" in low else "request"


def _wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a ``Retry-After``, given as a number or as a date."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _document(data: bytes) -> dict[str, Any]:
    try:
        value = parse_json(data, "answer", ZsadError, _LIMITS)
    except ZsadError as error:
        raise PassingError(f"broken answer ({terminal(error, 80)})") from None
    if not isinstance(value, dict):
        raise PassingError("broken answer (no object)")
    return value


def _said(data: bytes, seconds: float) -> Said:
    value = _document(data)
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise PassingError("broken answer (no choices)")
    finish = first.get("finish_reason")
    usage = value.get("usage") if isinstance(value.get("usage"), dict) else {}
    refusal = message.get("refusal")
    refused = isinstance(refusal, str) and bool(refusal.strip())
    return Said(
        str(refusal) if refused else _text(message.get("content")),
        "refusal" if refused else finish if isinstance(finish, str) else "stop",
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        round(seconds, 4),
    )


def _text(content: object) -> str:
    """Return the text of an answer, which some servers give as a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else 0
