"""From a configuration to a station that can run, and back to nothing; what ``zsad line run`` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from zsad.detector.base import Detector
from zsad.line.database import Database
from zsad.line.health import Health
from zsad.line.model import load_model
from zsad.line.settings import Line
from zsad.line.sinks.sink import Teller
from zsad.line.sources import source_of
from zsad.line.station import OnRecord, Station
from zsad.line.telling import Telling, left_behind, sinks_of
from zsad.outside import printable
from zsad.terminal import say


@contextmanager
def opened(
    line: Line,
    *,
    once: bool = False,
    detector: Detector | None = None,
    on_record: OnRecord = lambda record, reject: None,
    more: tuple[Teller, ...] = (),
    forget: Sequence[str] = (),
) -> Iterator[Station]:
    """Open a station; nothing runs yet.

    Args:
        line: the configuration.
        once: whether it ends when its source is drained.
        detector: in place of the one that the configuration names.
        on_record: called with each new row, and whether it goes out as reject.
        more: sinks beside those of the configuration.
        forget: names of sinks; what waits for them in the outbox is dropped.

    Raises:
        ZsadError: whatever is wrong with it.
    """
    sinks = [*sinks_of(line), *more]
    loaded = load_model(line, detector)
    database = Database(line.database)
    try:
        source = source_of(line, once=once, database=database)
        source.check()
        for name in forget:
            say(f"dropped {database.drop(name):,} messages that waited for {printable(name)}")
        health = Health(database.counts(), line.decision.budget_ms)
        for kind, text in database.standing().items():
            health.alarms.over(kind, text)
        for name, text in left_behind(line, sinks, database).items():
            health.alarms.rise(f"outbox-{name}", text)
        yield Station(line, loaded, database, source, Telling(sinks, database, health, patient=once), on_record)
    finally:
        database.close()
