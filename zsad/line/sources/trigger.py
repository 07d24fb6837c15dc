"""A TCP port on which a PLC says what to look at; each line is answered when its part is recorded.

What a line and an answer are is said in :mod:`zsad.line.sources.asking`; here are the connections.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from zsad.errors import OutputError, UsageError
from zsad.line.health import CALM_S, Health
from zsad.line.settings import Trigger
from zsad.line.sources.asking import LONGEST, PATIENCE, Desk
from zsad.line.sources.source import Put
from zsad.outside import printable

CLIENTS = 32
"""Connections at a time."""
_ALIVE = (
    *(("TCP_KEEPIDLE", 10), ("TCP_KEEPALIVE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)),
    ("TCP_USER_TIMEOUT", 30_000),
)
"""Of a connection whose other end has gone without a word: noticed after 30 s; names differ between systems."""
_SEND_S = 5.0
"""Seconds in which an answer must be taken."""


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
        self.port = settings.port
        self.listening = threading.Event()
        self._clients = threading.BoundedSemaphore(CLIENTS)

    def check(self) -> list[str]:
        """Refuse a root that is not there."""
        root = os.path.realpath(self._said.root)
        if not Path(root).is_dir():
            raise UsageError(f"{printable(root)}: no such folder; give another root")
        return []

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Answer connections until ``stop``."""
        family = socket.AF_INET6 if ":" in self._said.host else socket.AF_INET
        try:
            server = socket.create_server((self._said.host, self._said.port), family=family, backlog=CLIENTS)
        except OSError as error:
            raise OutputError(f"{self.place}: can't listen ({error.strerror or error}); give another port") from None
        threads: list[threading.Thread] = []
        desk = Desk(self._said, self._reject, put, stop, health)
        with server:
            server.settimeout(PATIENCE)
            self.port = server.getsockname()[1]
            self.listening.set()
            while not stop.is_set():
                with suppress(TimeoutError):
                    client, _ = server.accept()
                    if not self._clients.acquire(blocking=False):
                        _turn_away(client, desk, health)
                        continue
                    thread = threading.Thread(target=self._serve, args=(client, desk, stop), daemon=True)
                    thread.start()
                    threads = [one for one in threads if one.is_alive()] + [thread]
        for thread in threads:  # what was asked is answered
            thread.join(2.0)
        desk.close()

    def _serve(self, client: socket.socket, desk: Desk, stop: threading.Event) -> None:
        """Answer the lines of a connection until it ends, or takes no answers."""
        try:
            with client, suppress(OSError):
                _keep_alive(client)
                rest = b""
                while not stop.is_set():
                    try:
                        data = client.recv(LONGEST)
                    except TimeoutError:
                        continue
                    if not data:
                        return
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        if line.strip():
                            _send(client, desk.answer(line))
                    if len(rest) > LONGEST:
                        _send(client, desk.refused(f"a line of more than {LONGEST} bytes"))
                        return
        finally:
            self._clients.release()


def _turn_away(client: socket.socket, desk: Desk, health: Health) -> None:
    """Say why a connection is closed, where that goes at once."""
    health.alarms.rise(
        "connections", f"trigger: a connection was turned away, {CLIENTS} are open; close those that nobody needs",
        calm_s=CALM_S,
    )  # fmt: skip
    with client, suppress(OSError):
        client.settimeout(PATIENCE)
        client.sendall(_line(desk.refused(f"trigger: {CLIENTS} connections are open")))


def _keep_alive(client: socket.socket) -> None:
    client.settimeout(PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE:
        with suppress(AttributeError, OSError):  # whatever of it this system has
            client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _send(client: socket.socket, answer: dict[str, Any]) -> None:
    """Send a line; one that is not taken in time leaves half a line, after which there is nothing but to close."""
    client.settimeout(_SEND_S)
    client.sendall(_line(answer))
    client.settimeout(PATIENCE)


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"
