"""From a configuration to a station that can run, and back to nothing; what ``zsad line run`` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zsad.detector.base import Detector
from zsad.line.database import Database
from zsad.line.health import Health
from zsad.line.model import load_model
from zsad.line.settings import Line
from zsad.line.sinks.sink import Post, Teller
from zsad.line.sources import source_of
from zsad.line.station import OnRecord, Station
from zsad.line.telling import Telling, sinks_of


@contextmanager
def opened(
    line: Line,
    *,
    once: bool = False,
    detector: Detector | None = None,
    on_record: OnRecord = lambda record, reject: None,
    more: tuple[Teller, ...] = (),
) -> Iterator[Station]:
    """Open a station; nothing runs yet.

    Args:
        line: the configuration.
        once: whether it ends when its source is drained.
        detector: in place of the one that the configuration names.
        on_record: called with each new row, and whether it goes out as reject.
        more: sinks beside those of the configuration.

    Raises:
        ZsadError: whatever is wrong with it.
    """
    sinks = [*sinks_of(line), *more]
    loaded = load_model(line, detector)
    database = Database(line.database, [sink.name for sink in sinks if isinstance(sink, Post)])
    try:
        source = source_of(line, once=once, recorded=database.record)
        source.check()
        health = Health(database.counts(), line.decision.budget_ms)
        yield Station(line, loaded, database, source, Telling(sinks, database, health, patient=once), on_record)
    finally:
        database.close()
