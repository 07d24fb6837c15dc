"""A TCP port on which a PLC says what to look at; each line is answered when its part is recorded.

A line is a JSON object with ``part``, its id, and ``path``, a file below ``root``. The answer is a line with ``part``,
``verdict``, ``reject``, ``score`` and ``error``. An id that is recorded already is answered with its record. Whatever
goes wrong is answered, too, as ``unjudged`` and reject.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zsad.documents import Entries, Limits, parse_json
from zsad.errors import InputError, OutputError, UsageError, ZsadError
from zsad.line.health import Health
from zsad.line.part import Opened, Part, Record
from zsad.line.settings import Trigger
from zsad.line.sources.folder import read_whole
from zsad.line.sources.source import Put
from zsad.outside import printable
from zsad.stream.item import stamp_of

LONGEST, CLIENTS = 16_384, 32
"""Bytes of a line, and connections at a time."""
_ID = 200
_LIMITS = Limits(size=LONGEST, entries=16, depth=2)
_PATIENCE, _ANSWER_S = 0.2, 60.0


@dataclass
class _Waiting:
    """Who waits for the record of a part."""

    come: threading.Event = field(default_factory=threading.Event)
    record: Record | None = None
    again: bool = False

    def done(self, record: Record | None) -> None:
        if not self.come.is_set():
            self.record, self.again = record, record is None
            self.come.set()


class TcpTrigger:
    """Listens.

    Args:
        settings: of the configuration.
        unjudged: whether a part without a verdict is answered as reject.
    """

    overload = "the answer comes at once: unjudged, reject, and a row says so"

    def __init__(self, settings: Trigger, *, unjudged: bool = True) -> None:
        self._said, self._reject = settings, unjudged
        self.place = f"{settings.host}:{settings.port}"
        self._root = os.path.realpath(settings.root)
        self.port = settings.port
        self.listening = threading.Event()
        self._clients = threading.BoundedSemaphore(CLIENTS)
        self._busy: queue.Queue[Part | None] = queue.Queue(1000)

    def check(self) -> list[str]:
        """Refuse a root that is not there."""
        if not Path(self._root).is_dir():
            raise UsageError(f"{printable(self._root)}: no such folder; give another root")
        return []

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Answer connections until ``stop``."""
        family = socket.AF_INET6 if ":" in self._said.host else socket.AF_INET
        try:
            server = socket.create_server((self._said.host, self._said.port), family=family, backlog=CLIENTS)
        except OSError as error:
            raise OutputError(f"{self.place}: can't listen ({error.strerror or error}); give another port") from None
        threads: list[threading.Thread] = []
        recorder = threading.Thread(target=self._record_busy, args=(put,), daemon=True)
        recorder.start()
        with server:
            server.settimeout(_PATIENCE)
            self.port = server.getsockname()[1]
            self.listening.set()
            while not stop.is_set():
                with suppress(TimeoutError):
                    client, _ = server.accept()
                    if not self._clients.acquire(blocking=False):
                        client.close()
                        continue
                    thread = threading.Thread(target=self._serve, args=(client, put, stop), daemon=True)
                    thread.start()
                    threads = [one for one in threads if one.is_alive()] + [thread]
        for thread in threads:  # what was asked is answered
            thread.join(2.0)
        self._busy.put(None)
        recorder.join()

    def _record_busy(self, put: Put) -> None:
        """Give the station, as soon as there is room, what was answered when there was none: it gets a row, too."""
        while (part := self._busy.get()) is not None:
            while not put(part):
                time.sleep(0.01)

    def _serve(self, client: socket.socket, put: Put, stop: threading.Event) -> None:
        try:
            with client, suppress(OSError):
                client.settimeout(_PATIENCE)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                rest = b""
                while not stop.is_set():
                    with suppress(TimeoutError):
                        data = client.recv(LONGEST)
                        if not data:
                            return
                        *lines, rest = (rest + data).split(b"\n")
                        for line in lines:
                            answer = self._answer(line, put, stop) if line.strip() else None
                            if answer is not None:
                                client.sendall(json.dumps(answer).encode() + b"\n")
                        if len(rest) > LONGEST:
                            refusal = self._refused("", f"a line of more than {LONGEST} bytes")
                            client.sendall(json.dumps(refusal).encode() + b"\n")
                            return
        finally:
            self._clients.release()

    def _answer(self, line: bytes, put: Put, stop: threading.Event) -> dict[str, Any]:
        name = ""
        try:
            said = Entries.of(parse_json(line, "trigger", InputError, _LIMITS), "trigger", InputError)
            said.only("part", "path")
            name = said.text("part", _ID)
            if not name or printable(name) != name:
                raise InputError("trigger: part must be text of printable characters")
            path = self._below(said.text("path", 4096))
        except ZsadError as error:
            return self._refused(name, str(error))
        return self._asked(name, path, put, stop)

    def _asked(self, name: str, path: Path, put: Put, stop: threading.Event) -> dict[str, Any]:
        for _ in range(50):  # a file that is still being written is read again
            waiting = _Waiting()
            part = Part(printable(path), lambda: _read(name, path), time.monotonic(), waiting.done, True, name)
            if not put(part, wait=False):
                self._busy.put(Part(printable(path), lambda: Opened(name, error=_BUSY), time.monotonic(), id=name))
                return self._refused(name, _BUSY)
            end = time.monotonic() + _ANSWER_S
            while not waiting.come.wait(_PATIENCE):
                if time.monotonic() > end:
                    return self._refused(name, "not recorded in time")
            if not waiting.again:
                break
            stop.wait(0.02)
        if waiting.record is None:
            return self._refused(name, f"{printable(path)}: is still being written")
        record = waiting.record
        reject = record.verdict == "reject" or (record.verdict == "unjudged" and self._reject)
        return {"part": name, "verdict": record.verdict, "reject": reject, "score": record.score,
                "error": record.error or None}  # fmt: skip

    def _refused(self, name: str, error: str) -> dict[str, Any]:
        return {"part": name, "verdict": "unjudged", "reject": self._reject, "score": None, "error": printable(error)}

    def _below(self, text: str) -> Path:
        """Return a path that stays below the root, links followed."""
        if "\0" in text:
            raise InputError("trigger: path has a NUL")
        found = os.path.realpath(Path(self._root) / text)
        if os.path.commonpath([self._root, found]) != self._root or found == self._root:
            raise InputError(f"trigger: {printable(text)}: lies outside of root")
        return Path(found)


_BUSY = "overload: the station is busy"


def _read(name: str, path: Path) -> Opened:
    stamp = stamp_of(path)
    if not stamp:
        return Opened(name, error=f"{printable(path)}: no such file")
    found = read_whole(path, stamp)
    return Opened(name, found.image, found.error, found.data)
