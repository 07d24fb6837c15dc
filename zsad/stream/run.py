"""One run: items through a detector into sinks; what is finished is kept, and an earlier run is gone on with."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zsad.detector.base import Detector
from zsad.errors import OutputError, UsageError
from zsad.stream.flow import READERS, failure_line
from zsad.stream.inspect import Inspected, inspect
from zsad.stream.interrupts import held_interrupts, termination_as_interrupt
from zsad.stream.item import Item, stamp_of
from zsad.stream.memory import Budget
from zsad.stream.names import Names
from zsad.stream.sinks.rows import Row, fingerprint, row_of
from zsad.stream.sinks.sink import Earlier, Finished, Job, Sink
from zsad.thresholds import fingerprint_of, model_of

_WRITERS = 2
_WAITING_WRITES = 16


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        total: inputs; None where nobody knows.
        done: inputs that have their row, failed and skipped ones included.
        anomalous: images with that verdict; 0 while no threshold is given.
        failed: inputs without a result.
        skipped: images that an earlier run has done.
        rate: images per second over the last few hundred.
        seconds: since the run began.
    """

    total: int | None
    done: int = 0
    anomalous: int = 0
    failed: int = 0
    skipped: int = 0
    rate: float = 0.0
    seconds: float = 0.0


OnRow = Callable[[Row, Progress], None]


def run(
    detector: Detector,
    items: Iterable[Item],
    sinks: Sequence[Sink] = (),
    *,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    batch_size: int | None = None,
    readers: int = READERS,
    on_row: OnRow = lambda row, progress: None,
) -> Progress:
    """Inspect many images and give each finished one to every sink, once and in order.

    An image that fails, in whatever stage, is a row with its error. An interruption (Ctrl-C, SIGTERM, a full disk) ends
    the run with every finished image written, recorded and reported.

    Args:
        detector: any detector.
        items: what to inspect, see :mod:`zsad.stream.sources`; may be endless.
        sinks: where finished images go; each may add to an image's row what those after it see.
        settings: whatever tells this run from another beside model and thresholds; rows state their fingerprint.
        resume: go on with the rows of an earlier run that one of the sinks has kept; needs a list of items.
        batch_size: images that go through the network together; by default what is fastest.
        readers: decoding threads.
        on_row: called in order for each input, failed and skipped ones included, when all sinks have it.

    Returns:
        The final counts.

    Raises:
        OutputError: results can't be written.
        UsageError: ``resume`` without something to resume from, or it was made with other settings.
    """
    with termination_as_interrupt():
        return _Run(detector, items, sinks, settings or {}, on_row).go(resume, batch_size, readers)


def run_id(detector: Detector, settings: Mapping[str, Any]) -> str:
    """Return the fingerprint of a detector and settings, by which rows are comparable."""
    thresholds = asdict(detector.thresholds) | {"source": None}  # the same values from another place are the same run
    return fingerprint({"card": detector.card.to_json(), "thresholds": thresholds, "maps": None, **settings})


@dataclass(frozen=True)
class _Pending:
    """An item that writer threads have in hand."""

    item: Item
    written: Future[tuple[Row, list[object]]]


class _Run:
    """The state of one run; lives as long as :func:`run`."""

    def __init__(
        self,
        detector: Detector,
        items: Iterable[Item],
        sinks: Sequence[Sink],
        settings: Mapping[str, Any],
        on_row: OnRow,
    ) -> None:
        self._detector, self._items, self._sinks, self._on_row = detector, items, sinks, on_row
        self._model, self._id = detector.card.provenance.name, run_id(detector, settings)
        self._fingerprint = fingerprint_of(model_of(detector.card)[1], detector.look)
        self._mutual = detector.card.scoring.head == "mutual"
        self._progress = Progress(len(items) if isinstance(items, Sized) else None)
        self._start = time.monotonic()
        self._ends: deque[float] = deque(maxlen=256)
        self._names = Names() if any(sink.wants_names for sink in sinks) else None
        self._budget = Budget()
        # One item is in every sink, or in none.
        self._together = held_interrupts if len(sinks) > 1 else nullcontext

    def go(self, resume: bool, batch_size: int | None, readers: int) -> Progress:
        """Do the run."""
        opened: list[Sink] = []
        try:
            for sink in self._sinks:
                sink.check(self._items if isinstance(self._items, Sequence) else ())
            for sink in self._sinks:
                opened.append(sink)
                sink.open(Job(self._detector, self._id, self._progress.total))
            earlier, done, items = self._split(resume)
            for sink in self._sinks:
                sink.start(done, earlier)
            self._skip(earlier, done)
            self._inspect(items, batch_size, readers)
        except BaseException:
            for sink in opened:
                with suppress(OutputError):  # the reason that is on its way says more
                    sink.close(finished=False)
            raise
        self._close()
        return self._progress

    def _close(self) -> None:
        failure: OutputError | None = None
        for sink in self._sinks:
            try:
                sink.close(finished=True)
            except OutputError as error:  # the others still end as they should
                failure = failure or error
        if failure is not None:
            raise failure

    def _split(self, resume: bool) -> tuple[Earlier | None, list[Item], Iterable[Item]]:
        """Tell what an earlier run has done, as far as it still holds, from what is left to do."""
        if not resume:
            return None, [], self._items
        if not isinstance(self._items, Sequence):
            raise UsageError("to resume, give a list of items: what is left to do must be known before it begins")
        known = {item.id: item for item in self._items}

        def holds(row: Row) -> bool:
            item = known.get(row.file)
            stamp = item.stamp() if item else stamp_of(row.file)
            if row.error or row.stamp != stamp or not all(sink.has(row) for sink in self._sinks):
                return False
            if self._names:
                for path in row.files.values():
                    self._names.reserve(Path(path).stem)
            return True

        found = (sink.earlier(holds) for sink in self._sinks)
        earlier = next((one for one in found if one is not None), None)
        if earlier is None:
            raise UsageError("--resume needs the --out folder, or the --json file, of the run that it goes on with")
        done = [item for item in self._items if item.id in earlier.scores]
        return earlier, done, [item for item in self._items if item.id not in earlier.scores] if done else self._items

    def _skip(self, earlier: Earlier | None, done: Sequence[Item]) -> None:
        if earlier is None or not done:
            return
        for item, row in zip(done, earlier.rows(item.id for item in done), strict=True):
            with self._together():
                for sink in self._sinks:
                    sink.skip(item, row)
                self._count(row, skipped=True)
            self._on_row(row, self._progress)

    def _inspect(self, items: Iterable[Item], batch_size: int | None, readers: int) -> None:
        pending: deque[_Pending] = deque()
        outcomes = inspect(self._detector, items, batch_size=batch_size, readers=readers, budget=self._budget)
        with ThreadPoolExecutor(_WRITERS, "zsad-writer") as pool:
            try:
                for outcome in outcomes:
                    item = outcome.item
                    name = self._names.give(item.label, item.id) if self._names and outcome.value else ""
                    pending.append(_Pending(item, pool.submit(self._prepare, outcome, name)))
                    del outcome  # its memory is to be free as soon as it is written
                    while pending and (len(pending) > _WAITING_WRITES or pending[0].written.done()):
                        self._finish_first(pending)
                while pending:
                    self._finish_first(pending)
            except BaseException as reason:
                # What is being written is finished work: record it, then pass the reason on. A caller that was only
                # interrupted is told of it; one that failed, as on a closed pipe, is not asked again.
                quiet = not isinstance(reason, KeyboardInterrupt)
                with suppress(OutputError):
                    while pending:
                        if pending[0].written.exception():
                            pending.popleft()
                        else:
                            self._finish_first(pending, quiet=quiet)
                raise
            finally:
                outcomes.close()

    def _prepare(self, outcome: Inspected, name: str) -> tuple[Row, list[object]]:
        """Do what is expensive for each sink, in a writer thread; a failure is the item's, unless a place refuses."""
        item, nothing = outcome.item, [None] * len(self._sinks)
        facts: dict[str, Any] = {
            "run": self._id,
            "model": self._model,
            "fingerprint": self._fingerprint,
            "stamp": outcome.stamp,
            "ms": outcome.ms,
            "mutual": self._mutual,
        }
        try:
            if outcome.value is None or outcome.decoded is None:
                return Row(item.id, error=outcome.error, **facts), list(nothing)
            row = row_of(item.id, outcome.value, **facts)
            prepared: list[object] = []
            for sink in self._sinks:
                row, part = sink.prepare(Finished(item, row, name, outcome.decoded, outcome.value))
                prepared.append(part)
            row.to_line()  # what can't be written down, a score that is no number say, is the item's failure, too
            return row, prepared
        except OutputError:
            raise
        except Exception as failure:  # drawing it may need more memory than there is
            return Row(item.id, error=failure_line(item, failure), **facts), list(nothing)
        finally:
            self._budget.give(outcome.bytes)

    def _finish_first(self, pending: deque[_Pending], *, quiet: bool = False) -> None:
        """Wait for the first item to be prepared, then record it; an interruption loses nothing."""
        row, prepared = pending[0].written.result()
        recorded = False
        try:
            with self._together():
                item = pending.popleft().item
                for sink, part in zip(self._sinks, prepared, strict=True):
                    sink.take(item, row, part)
                self._count(row)
                recorded = True
        finally:  # an interruption that was held comes now, and the caller is told of the item first
            if recorded and not quiet:
                self._on_row(row, self._progress)

    def _count(self, row: Row, *, skipped: bool = False) -> None:
        now = time.monotonic()
        if not skipped:
            self._ends.append(now)
        span = now - self._ends[0] if self._ends else 0.0
        p = self._progress
        self._progress = replace(
            p,
            done=p.done + 1,
            anomalous=p.anomalous + (row.verdict == "anomalous"),
            failed=p.failed + bool(row.error),
            skipped=p.skipped + skipped,
            rate=(len(self._ends) - 1) / span if span > 0 else 0.0,
            seconds=now - self._start,
        )
