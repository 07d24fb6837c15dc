"""What a PLC asks, and what it is told: one line in, one answer out, and a row of the part that says the same.

A line is a JSON object with ``part``, its id, and ``path``, a file below ``root``. The answer has ``part``,
``verdict``, ``reject``, ``score``, ``error``, ``time`` and ``known``. Whatever goes wrong is answered as ``unjudged``
and reject, and is a row, too, as soon as the line names a part.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zsad.documents import Entries, Limits, parse_json
from zsad.errors import InputError, ZsadError
from zsad.line.health import CALM_S, Health
from zsad.line.part import Opened, Part, Record, failed, now
from zsad.line.settings import Trigger
from zsad.line.sources.folder import read_whole
from zsad.line.sources.source import Put
from zsad.outside import printable
from zsad.stream.item import stamp_of

LONGEST = 16_384
"""Bytes of a line."""
PATIENCE = 0.2
_ANSWER_S, _TRIES, _ID, _PUT_OFF = 60.0, 50, 200, 1000
_LIMITS = Limits(size=LONGEST, entries=16, depth=2)
_BUSY = "overload: the station is busy"


@dataclass
class _Waiting:
    """Who waits for the record of a part; told once, and the same as the row says."""

    come: threading.Event = field(default_factory=threading.Event)
    record: Record | None = None
    known: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _judged: bool = False
    _left: bool = False

    def done(self, record: Record | None, known: bool = False) -> None:
        """Take the record; only the first one counts."""
        with self._lock:
            if not self.come.is_set():
                self.record, self.known = record, known
                self.come.set()

    def leave(self) -> bool:
        """Stop waiting, unless the part is judged already and its record comes at once. Returns whether."""
        with self._lock:
            self._left = not self._judged and not self.come.is_set()
            return self._left

    def answered(self) -> bool:
        """Return whether the answer was reject already; if not, it is the verdict that comes now."""
        with self._lock:
            self._judged = not (self._left or self.come.is_set())
            return not self._judged


class Desk:
    """Takes lines, from any thread, and answers them.

    Args:
        settings: of the configuration.
        reject: whether a part without a verdict is answered as reject.
        put: takes parts into the station.
        stop: ends waiting for files that are still being written.
        health: alarms are raised there.
    """

    def __init__(self, settings: Trigger, reject: bool, put: Put, stop: threading.Event, health: Health) -> None:
        self._said, self._reject, self._put, self._stop, self._health = settings, reject, put, stop, health
        self._root = os.path.realpath(settings.root)
        self._put_off: queue.Queue[Part | None] = queue.Queue(_PUT_OFF)
        self._recorder = threading.Thread(target=self._record_put_off, name="zsad-put-off", daemon=True)
        self._recorder.start()

    def close(self) -> None:
        """End, once what was answered at once is recorded."""
        self._put_off.put(None)
        self._recorder.join()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Return the answer to a line, once the part is recorded."""
        name, source = "", f"trigger {self._said.host}"
        try:
            said = Entries.of(parse_json(line, "trigger", InputError, _LIMITS), "trigger", InputError)
            name = _name(said)
            said.only("part", "path")
            text = said.text("path", 4096)
            source = printable(text)
            path = self._below(text)
        except ZsadError as error:
            why = str(error)
            if not name:
                return self.refused(why)
            record, known = self._asked(name, source, lambda: Opened(name, error=why))
        else:
            source = printable(path)
            record, known = self._asked(name, source, lambda: _read(name, path))
        if known and (reused := self._reused(record, source)):
            self._health.alarms.rise("id-reused", reused, calm_s=CALM_S)
            other = f"{name}@{now()}"
            record, known = self._asked(other, source, lambda: Opened(other, error=reused))
        return self._told(name, record, known)

    def refused(self, error: str) -> dict[str, Any]:
        """Return the answer to what names no part."""
        return self._told("", failed("", "", error))

    def _told(self, name: str, record: Record, known: bool = False) -> dict[str, Any]:
        reject = record.verdict == "reject" or (record.verdict == "unjudged" and self._reject)
        return {"part": name, "verdict": record.verdict, "reject": reject, "score": record.score,
                "error": record.error or None, "time": record.time, "known": known}  # fmt: skip

    def _asked(self, part_id: str, source: str, read: Callable[[], Opened]) -> tuple[Record, bool]:
        """Return the record of a part, and whether it was there before."""
        for _ in range(_TRIES):  # a file that is still being written is read again
            waiting = _Waiting()
            part = Part(source, read, time.monotonic(), waiting.done, part_id, waiting.answered)
            if not self._put(part, wait=False):
                return self._answered_at_once(part_id, source), False
            end = time.monotonic() + _ANSWER_S
            while not waiting.come.wait(PATIENCE):
                if time.monotonic() > end and waiting.leave():
                    return failed(part_id, source, "not recorded in time"), False
            if waiting.record is not None:
                return waiting.record, waiting.known
            self._stop.wait(0.02)
        return self._asked(part_id, source, lambda: Opened(part_id, error=f"{source}: is still being written"))

    def _answered_at_once(self, part_id: str, source: str) -> Record:
        """Refuse a part for which there is no room; its row is made as soon as there is."""
        self._health.drop(1)
        self._health.alarms.rise("overload", "parts are asked for faster than they can be looked at", calm_s=CALM_S)
        try:
            self._put_off.put_nowait(Part(source, lambda: Opened(part_id, error=_BUSY), time.monotonic(), id=part_id))
        except queue.Full:
            self._health.alarms.rise(
                "unrecorded", f"{_PUT_OFF:,} parts that were answered with reject wait for their rows; of what is "
                "refused now there will be none", calm_s=CALM_S,
            )  # fmt: skip
        return failed(part_id, source, _BUSY)

    def _record_put_off(self) -> None:
        while (part := self._put_off.get()) is not None:
            while not self._put(part):
                time.sleep(0.01)

    def _reused(self, record: Record, source: str) -> str:
        """Return why the row that is there can't be that of the part that is asked for; "" if it can."""
        told = f"trigger: part {printable(record.id)} is recorded already, {record.time}, "
        if record.source != source:
            return f"{told}of {record.source}; give each part an id of its own"
        age = (datetime.now(UTC) - datetime.fromisoformat(record.time)).total_seconds()
        if abs(age) > self._said.repeat_s:
            return f"{told}more than {self._said.repeat_s:g} s ago (repeat_s); give each part an id of its own"
        return ""

    def _below(self, text: str) -> Path:
        """Return a path that stays below the root, links followed."""
        if "\0" in text:
            raise InputError("trigger: path has a NUL")
        found = os.path.realpath(Path(self._root) / text)
        if os.path.commonpath([self._root, found]) != self._root or found == self._root:
            raise InputError(f"trigger: {printable(text)}: lies outside of root")
        return Path(found)


def _name(said: Entries) -> str:
    name = said.text("part", _ID)
    if not name or printable(name) != name:
        raise InputError("trigger: part must be text of printable characters")
    return name


def _read(name: str, path: Path) -> Opened:
    stamp = stamp_of(path)
    if not stamp:
        return Opened(name, error=f"{printable(path)}: no such file")
    found = read_whole(path, stamp)
    return Opened(name, found.image, found.error, found.data)
