"""Whom a station tells: its sinks, opened, ticked and closed together."""

from __future__ import annotations

import json
import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict

from zsad.errors import UsageError
from zsad.line.couriers import LARGE, Courier, follow_courier, post_courier
from zsad.line.database import Database, Message, RefusedError
from zsad.line.health import Alarm, Health
from zsad.line.part import Record, Seen
from zsad.line.settings import Line
from zsad.line.sinks.settings import Archive, Csv, Jsonl
from zsad.line.sinks.sink import Display, Follower, Post, Teller
from zsad.outside import printable

_ONCE_S, _STOP_S = 10.0, 2.0


class Telling:
    """The sinks of a station.

    Args:
        sinks: all of them.
        database: what they are told from.
        health: what they show.
        patient: whether the end waits longer for what is still to be told, as at the end of ``--once``.
    """

    def __init__(self, sinks: Sequence[Teller], database: Database, health: Health, *, patient: bool = False) -> None:
        self.health, self._database, self._patient = health, database, patient
        self.posts = [sink for sink in sinks if isinstance(sink, Post)]
        self._followers = [sink for sink in sinks if isinstance(sink, Follower)]
        self.displays = [sink for sink in sinks if isinstance(sink, Display)]
        self._couriers: list[Courier] = []
        self._looked = 0.0

    def start(self) -> None:
        """Open all sinks.

        Raises:
            OutputError: one that keeps files can't, or a port is taken.
        """
        for display in self.displays:
            display.open(self.health)
        for follower in self._followers:
            follower.open()
            self._couriers.append(follow_courier(follower, self._database, self.health))
        self._couriers += [post_courier(post, self._database, self.health) for post in self.posts]
        for courier in self._couriers:
            courier.start()

    def show(self, record: Record, reject: bool, seen: Seen | None) -> None:
        """Let displays show a part."""
        for display in self.displays:
            display.show(record, reject, seen)

    def wake(self) -> None:
        """Say that there is something to tell."""
        for courier in self._couriers:
            courier.wake()

    def tick(self) -> None:
        """Show how the station is."""
        for display in self.displays:
            display.tick(self.health)
        if self.posts and time.monotonic() - self._looked > 60.0:
            self._looked = time.monotonic()
            self._look_at_backlog()

    def _look_at_backlog(self) -> None:
        try:
            backlog = self._database.backlog()
        except RefusedError:
            return
        for post in self.posts:
            count = backlog.get(post.name, 0)
            if count >= LARGE:
                self.health.alarms.rise(f"outbox-{post.name}", f"{count:,} parts wait for {post.name}; nothing is lost")
            else:
                self.health.alarms.end(f"outbox-{post.name}")

    def close(self, settle: Callable[[], None]) -> None:
        """Tell what is left, as far as that goes quickly, and close all sinks."""
        end = time.monotonic() + (_ONCE_S if self._patient else _STOP_S)
        for courier in self._couriers:
            courier.finish(end - time.monotonic())
        settle()
        for sink in (*self.posts, *self._followers, *self.displays):
            sink.close()

    def of_alarm(self, post: Post, alarm: Alarm) -> Message:
        """Return what is told of an alarm."""
        state = "end" if alarm.ended else "begin"
        return Message(post.name, "alarms", f"alarm:{alarm.kind}:{state}:{alarm.time}", json.dumps(asdict(alarm)))


def sinks_of(line: Line) -> list[Teller]:
    """Return the sinks that a configuration asks for.

    Raises:
        MissingExtraError: what one needs is not installed.
        UsageError: a secret is missing in the environment, or two have the same name.
    """
    found: list[Teller] = []
    for said in line.sinks:
        if isinstance(said, Csv | Jsonl):
            from zsad.line.sinks.files import lines_of

            found.append(lines_of(said))
        elif isinstance(said, Archive):
            from zsad.line.sinks.archive import ArchiveFolder

            found.append(ArchiveFolder(said))
        else:
            from zsad.line.sinks.remote import remote_sink

            found.append(remote_sink(said, line.name))
    _name(found, line)
    return found


def _name(sinks: list[Teller], line: Line) -> None:
    """Give each sink its name: the one that is said, or its kind, to which a second of that kind adds a number."""
    kinds: Counter[str] = Counter()
    for sink, said in zip(sinks, line.sinks, strict=True):
        kinds[sink.name] += not said.name
        sink.name = said.name or (f"{sink.name}-{kinds[sink.name]}" if kinds[sink.name] > 1 else sink.name)
    name, count = Counter(sink.name for sink in sinks).most_common(1)[0] if sinks else ("", 1)
    if count > 1:
        raise UsageError(f"{line.place}: two sinks are called {name}; give each a name of its own")


def left_behind(line: Line, sinks: Sequence[Teller], database: Database) -> dict[str, str]:
    """Return, by its name, what waits in the outbox for each sink that is no longer there, and what to do about it."""
    names = {sink.name for sink in sinks}
    return {
        name: f"{line.place} has no sink {printable(name)} any more, for which messages wait ({count:,}); give one "
        f"that name again, or drop them: zsad line run {shlex.quote(line.place)} --forget {shlex.quote(name)}"
        for name, count in database.backlog().items()
        if name not in names
    }
