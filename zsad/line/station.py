"""The station: parts from its source through the detector and the decision into the database, and on from there.

One thread records: what is ready goes into one transaction, and only then is anybody told. Sources, lanes and sinks
have threads of their own. Nothing is ever passed silently: what has no verdict is ``unjudged`` and goes out as reject.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from zsad.errors import OutputError, ZsadError, first_line
from zsad.line.database import Database, Message, RefusedError
from zsad.line.decision import Judge
from zsad.line.drifting import Drifting
from zsad.line.health import Alarm
from zsad.line.lanes import Lanes
from zsad.line.model import Loaded
from zsad.line.notify import notify
from zsad.line.part import Part, Record, Seen, failed, moment_of, nobody, now
from zsad.line.settings import Line
from zsad.line.sources import Source
from zsad.line.telling import Telling
from zsad.line.watching import Watching
from zsad.outside import terminal

KEEP_ALIVE_S = 5.0
"""Seconds without a part after which the detector looks at a grey image, so that it stays quick."""
_TICK_S, _GIVE_UP_S, _SETTLE_S, _FORGET_S = 1.0, 5.0, 0.2, 10.0
_LATELY = 1000
"""Ids that are kept in mind; far more than can be under way at a time."""
_REFUSALS = ("database-locked", "disk-full", "database")

OnRecord = Callable[[Record, bool], None]


class Station:
    """A station that is running.

    Args:
        line: its configuration.
        loaded: the model, with the thresholds that are given.
        database: open for this station.
        source: where parts come from.
        telling: whom it tells.
        on_record: called with each new row, and whether it goes out as reject.
    """

    def __init__(
        self,
        line: Line,
        loaded: Loaded,
        database: Database,
        source: Source,
        telling: Telling,
        on_record: OnRecord = lambda record, reject: None,
    ) -> None:
        self.line, self.loaded, self.database, self.source = line, loaded, database, source
        self._telling, self._on_record = telling, on_record
        self.health = telling.health
        earlier = [bool(record.fired) for record in reversed(database.last(line.decision.n)) if not record.error]
        self.judge = Judge(loaded.thresholds, line.decision, earlier)
        self.lanes = Lanes(loaded.detector, database.knows, self.judge.prepared)
        self._drifting = Drifting(loaded.file, self.health.alarms)
        self._budget = line.decision.budget_ms
        self._watching = Watching(self.health.alarms, self._budget)
        self._lately: OrderedDict[str, None] = OrderedDict()
        self._twice: list[Part] = []
        self._last_part = self._ticked = self._committed = time.monotonic()
        self._forgot = -_FORGET_S
        self._failure: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until the source is drained, or ``stop`` is set; what was taken by then is recorded.

        Raises:
            OutputError: something could not be recorded; the source still has it, or has been told.
            ZsadError: the source can't go on.
        """
        if not self.judge.thresholds.judges:
            self.health.alarms.rise(
                "no-thresholds", "no threshold is given, so that every part is unjudged; calibrate, and set thresholds"
            )
        self.lanes.warm_up()
        self._telling.start()
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it takes 80 ms of everybody's time, again and again
        notify("READY=1")
        feeder = threading.Thread(target=self._feed, args=(stop,), name="zsad-source", daemon=True)
        feeder.start()
        try:
            while feeder.is_alive() or self.lanes.busy:
                self._tick(stop)
                seen = self.lanes.finished()
                if seen:
                    self._record(seen, stop)
                self._late(stop)
            self._tick(stop, at_once=True)
        finally:
            notify("STOPPING=1")
            stop.set()
            self.lanes.close()
            self._telling.close(self._settle)
            gc.unfreeze()
        if self._failure is not None:
            raise self._failure

    def goes_out_as_reject(self, record: Record) -> bool:
        """Whether a part goes out as reject."""
        return record.verdict == "reject" or (record.verdict == "unjudged" and self.line.decision.unjudged == "reject")

    def _feed(self, stop: threading.Event) -> None:
        def put(part: Part, *, wait: bool = True) -> bool:
            return self.lanes.put(part, wait=wait, stop=stop)

        try:
            self.source.run(put, stop, self.health)
        except ZsadError as failure:
            self._failure = failure
        except Exception as failure:
            self._failure = OutputError(
                f"{terminal(self.source.place)}: unexpected {type(failure).__name__}: {terminal(first_line(failure))}"
            )

    def _record(self, seen: Sequence[Seen], stop: threading.Event) -> None:
        """Judge and record a group, then tell."""
        self._last_part = time.monotonic()
        given: list[tuple[Seen, Record]] = []
        for one in seen:
            if one.known and one.opened is not None:
                one.part.done(self._row(one.opened.id, one.part), True)
            elif one.opened is None and not one.error and not _answered(one.part):
                one.part.done(None)
            elif self._is_new(part_id := _id_of(one)):
                given.append((one, self._judged(one, part_id)))
            else:  # asked for twice before the first was recorded
                self._twice.append(replace(one.part, id=part_id))
        if given:
            given, new = self._surely(given, stop)
            for (one, record), fresh in zip(given, new, strict=True):
                if fresh:
                    self.health.note(record.verdict, (time.monotonic() - one.part.born) * 1e3)
                    self._drifting.add(record, one.result)
                    self._telling.show(record, self.goes_out_as_reject(record), one)
                    self._on_record(record, self.goes_out_as_reject(record))
                one.part.done(record if fresh else self._row(record.id, one.part), not fresh)
            self._telling.wake()
        while self._twice:
            part = self._twice.pop(0)
            part.done(self._row(part.id, part), True)

    def _row(self, part_id: str, part: Part) -> Record | None:
        """Return the row that is there of a part that came again."""
        try:
            return self.database.record(part_id)
        except RefusedError as error:
            return failed(part_id, part.source, f"its row can't be read: {error.kind}")

    def _is_new(self, part_id: str) -> bool:
        """Whether an id is none of the last ones: a lane can't know what was not yet recorded when it looked."""
        if part_id in self._lately:
            return False
        self._lately[part_id] = None
        if len(self._lately) > _LATELY:
            self._lately.popitem(last=False)
        return True

    def _judged(self, seen: Seen, part_id: str) -> Record:
        self._watching.note(seen)
        total = (time.monotonic() - seen.part.born) * 1e3
        ms = {name: round(value, 2) for name, value in (*seen.ms.items(), ("total", total))}
        if _answered(seen.part):
            return failed(part_id, seen.part.source, "not recorded in time", ms, self.loaded.hash)
        if seen.result is None or seen.error:
            return failed(part_id, seen.part.source, seen.error or "not read", ms, self.loaded.hash)
        judged = self.judge.judge(seen.result)
        late = bool(self._budget) and total > self._budget
        return Record(
            part_id, seen.part.source, now(), round(seen.result.score, 6), judged.threshold,
            "unjudged" if late else judged.verdict, " ".join(judged.fired), judged.regions, ms, self.loaded.hash,
            f"late: {total:.0f} ms of {self._budget:g} ms" if late else "",
        )  # fmt: skip

    def _surely(
        self, given: list[tuple[Seen, Record]], stop: threading.Event
    ) -> tuple[list[tuple[Seen, Record]], list[bool]]:
        """Record until it is recorded. Who waits for an answer gets one meanwhile: reject, and the row says so."""
        pause, start, refused = 0.05, time.monotonic(), False
        while True:
            news = self.health.alarms.news()
            try:
                records = [record for _, record in given]
                new = self.database.commit(records, self._messages(records, news), news)
                self._committed = time.monotonic()
                for kind in _REFUSALS:
                    self.health.alarms.end(kind)
                return given, new
            except RefusedError as error:
                self.health.alarms.put_back(news)
                self.health.alarms.rise(error.kind, f"{terminal(self.database.path)}: {error}; parts go out as reject")
                if not refused:
                    given = [self._refused(one, record, error) for one, record in given]
                refused = True
                self._answer_waiting(error)
                self._beat()
                self._telling.tick()
                self._feed_watchdog()
                if stop.is_set() and time.monotonic() - start > _GIVE_UP_S:
                    raise OutputError(
                        f"{terminal(self.database.path)}: {error}; {len(given)} parts are not recorded, start again "
                        "when it can be written"
                    ) from None
                time.sleep(pause)
                pause = min(2.0, 2 * pause)

    def _answer_waiting(self, error: RefusedError) -> None:
        """Answer those who wait for parts that are still under way, too; their rows will say so."""
        for part in (*self.lanes.under_way(), *self._twice):
            if part.answered is not None:
                part.done(failed(part.id, part.source, f"not recorded in time: {error.kind}"))

    def _refused(self, seen: Seen, record: Record, error: RefusedError) -> tuple[Seen, Record]:
        """Show a part that can't be recorded as reject, and answer who waits for it so."""
        told = failed(record.id, record.source, f"not recorded in time: {error.kind}", record.ms, record.model_hash)
        self._telling.show(told, True, None)
        if seen.part.answered is None:
            return seen, record
        seen.part.done(told)
        return replace(seen, part=replace(seen.part, done=nobody)), told

    def _messages(self, records: Sequence[Record], news: Sequence[Alarm]) -> list[Message]:
        posts = self._telling.posts
        if not posts:
            return []
        texts = [(record.id, record.to_json(reject=self.goes_out_as_reject(record))) for record in records]
        found = [Message(post.name, "parts", part_id, text) for post in posts for part_id, text in texts]
        return found + [self._telling.of_alarm(post, alarm) for alarm in news for post in posts if post.alarms]

    def _late(self, stop: threading.Event) -> None:
        """Give up a part that is over its budget and still under way, if it can be named."""
        late = self.lanes.give_up(self._budget) if self._budget else None
        if late is not None:
            self._record([late], stop)

    def _beat(self) -> None:
        """Say that the station works, unless the detector hangs: then it is this loop alone that still comes round."""
        if self._watching.look(self.lanes.busy_for()):
            self.health.beat()

    def _feed_watchdog(self) -> None:
        if not self._watching.stalled:
            notify("WATCHDOG=1")

    def _tick(self, stop: threading.Event, *, at_once: bool = False) -> None:
        """Do what is to be done from time to time."""
        self._beat()
        moment = time.monotonic()
        if self.database.settling and moment - self._committed > _SETTLE_S:
            self._settle()
        if moment - self._ticked < _TICK_S and not at_once:
            return
        self._ticked = moment
        if not self.lanes.busy and moment - self._last_part > KEEP_ALIVE_S:
            self.lanes.keep_alive()
            self._last_part = moment
        if self.loaded.changed():
            self._exchanged(stop)
        self._settle()
        self._forget(moment)
        self._telling.tick()
        self._feed_watchdog()

    def _forget(self, moment: float) -> None:
        """Remove a few of the rows that are too old, now and then; later if the database takes nothing."""
        if self.line.keep_days and moment - self._forgot > _FORGET_S:
            self._forgot = moment
            with suppress(RefusedError):
                self.database.forget(moment_of(self.health.careful_time - self.line.keep_days * 86_400))

    def _exchanged(self, stop: threading.Event) -> None:
        stops = self.line.decision.model_changed == "stop"
        self.health.alarms.rise(
            "model-changed",
            f"{terminal(self.line.model)}: the file was exchanged; "
            + ("the station stops" if stops else "the station goes on with the model that is loaded until it restarts"),
        )
        if stops and not stop.is_set():
            self._failure = OutputError(
                f"{terminal(self.line.model)}: the model was exchanged; start the station again"
            )
            stop.set()

    def _settle(self) -> None:
        """Record alarms, and remove what has arrived from the outbox; at the next opportunity if not now."""
        news = self.health.alarms.news()
        if not news and not self.database.settling:
            return
        try:
            self.database.commit((), self._messages((), news), news)
            self._committed = time.monotonic()
            self._telling.wake()
        except RefusedError:
            self.health.alarms.put_back(news)


def _id_of(seen: Seen) -> str:
    if seen.opened is not None:
        return seen.opened.id
    return seen.part.id or f"{seen.part.source}|{now()}"


def _answered(part: Part) -> bool:
    """Whether who waits for a part was answered with reject before it could be judged."""
    return part.answered is not None and part.answered()
