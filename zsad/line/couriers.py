"""Threads that carry what is recorded to those who are to know; each goes on by itself, with a back-off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from zsad.errors import first_line
from zsad.line.database import Database, RefusedError
from zsad.line.health import Health
from zsad.line.sinks.sink import Follower, Post
from zsad.outside import terminal

_FIRST_S, _LONGEST_S, _TICK_S = 0.2, 30.0, 1.0
LARGE = 100_000
"""Entries of one sink in the outbox from which an alarm is raised."""


class Courier:
    """Carries to one sink.

    Args:
        name: of the sink.
        carry: carries something, within a few seconds; returns whether there was anything.
        tick: called about once a second, between two calls of ``carry`` too; may be nothing.
        begin: called first, and again after each failure.
        health: alarms are raised there.
    """

    def __init__(
        self,
        name: str,
        carry: Callable[[], bool],
        health: Health,
        begin: Callable[[], None] = lambda: None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self._carry, self._begin, self._tick, self._health = name, carry, begin, tick, health
        self._news, self._stop, self.idle = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"zsad-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to carry."""
        self.idle.clear()
        self._news.set()

    def finish(self, seconds: float) -> bool:
        """Wait until everything was carried, or so long; then stop. Returns whether it was."""
        self.wake()
        done = self.idle.wait(max(0.0, seconds))
        self._stop.set()
        self._news.set()
        self._thread.join(2.0)
        return done

    def _run(self) -> None:
        pause, begun, ticked = _FIRST_S, False, 0.0
        while not self._stop.is_set():
            try:
                if not begun:
                    self._begin()
                    begun = True
                self._news.clear()
                more = self._carry()
                if time.monotonic() - ticked >= _TICK_S:
                    self._tick()
                    ticked = time.monotonic()
                self._health.alarms.end(f"sink-{self.name}")
                pause = _FIRST_S
                if more:  # a tick may come between any two, so that a backlog does not look like a standstill
                    continue
                if not self._news.is_set():
                    self.idle.set()
                self._news.wait(_TICK_S)
            except Exception as failure:  # whatever a library raises: a sink that fails is tried again
                begun = isinstance(failure, RefusedError) and begun
                self._health.alarms.rise(f"sink-{self.name}", terminal(first_line(failure), 300))
                self._stop.wait(pause)
                pause = min(_LONGEST_S, 2 * pause)


def post_courier(post: Post, database: Database, health: Health) -> Courier:
    """Return the courier of a sink that is told through the outbox."""
    last = 0

    def carry() -> bool:
        nonlocal last
        messages = database.waiting(post.name, last, post.at_once)
        if not messages:
            return False
        count = post.deliver(messages)
        database.delivered(messages[:count])
        last = messages[count - 1].seq if count else last
        return True

    return Courier(post.name, carry, health, post.open, lambda: post.tick(health))


def follow_courier(follower: Follower, database: Database, health: Health) -> Courier:
    """Return the courier of a sink that follows the rows."""
    last: str | None = None

    def begin() -> None:
        nonlocal last
        last = follower.last()

    def carry() -> bool:
        nonlocal last
        records = database.after(last)
        if records:
            follower.write(records)
            last = records[-1].id
        return bool(records)

    return Courier(follower.name, carry, health, begin)
