"""The loop over many images that everything shares: inspect, write, record, report, resume."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from zsad.detector.base import Detector
from zsad.errors import OutputError, UsageError
from zsad.report.exhibits import Card
from zsad.stream.inspect import READERS, WAITING_PIXELS, Inspected, inspect
from zsad.stream.interrupts import held_interrupts
from zsad.stream.sinks.journal import Earlier, Journal, sole_writer
from zsad.stream.sinks.names import Names
from zsad.stream.sinks.pictures import Folder, peak_of
from zsad.stream.sinks.report import Reporter
from zsad.stream.sinks.rows import Row, check_same_run, fingerprint, read_places, row_of, stamp_of
from zsad.stream.sources import Source

ROWS = "results.jsonl"
"""Name of the JSON lines in the output folder."""
_WRITERS = 2
_WAITING_WRITES = 16


@dataclass(frozen=True)
class Options:
    """How a run is done.

    Attributes:
        out: folder for pictures, ``results.jsonl`` and ``report.html``; None writes no pictures.
        rows: the JSONL file, if not in ``out``.
        maps: ``"npy"`` or ``"png16"`` to write maps as well.
        report: whether ``report.html`` is written.
        resume: go on with the rows of an earlier run.
        batch_size: images that go through the network together; by default what is fastest.
        readers: decoding threads.
        title: heading of the report.
        settings: whatever else tells this run from another, such as the model's file and the prompt.
    """

    out: Path | None = None
    rows: Path | None = None
    maps: str | None = None
    report: bool = True
    resume: bool = False
    batch_size: int | None = None
    readers: int = READERS
    title: str = "Inspection"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def journal(self) -> Path | None:
        """Where rows are written."""
        return self.rows or (self.out / ROWS if self.out else None)


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        total: inputs.
        done: inputs that have their row, failed and skipped ones included.
        anomalous: images with that verdict.
        failed: inputs without a result.
        skipped: images that an earlier run has done.
        rate: images per second over the last few hundred.
        seconds: since the run began.
    """

    total: int
    done: int = 0
    anomalous: int = 0
    failed: int = 0
    skipped: int = 0
    rate: float = 0.0
    seconds: float = 0.0

    @property
    def seconds_left(self) -> float:
        """Time that the rest will take at the present rate; infinite before the first image."""
        return (self.total - self.done) / self.rate if self.rate else float("inf")


OnRow = Callable[[Row, Progress], None]


def run(
    detector: Detector, sources: Sequence[Source], options: Options, on_row: OnRow = lambda row, progress: None
) -> Progress:
    """Inspect many images and write what was asked for.

    An interruption (Ctrl-C, a full disk) ends it with every finished image written, recorded and reported.

    Args:
        detector: any detector.
        sources: what to inspect, see :func:`zsad.stream.find_images`.
        options: what to write, and how.
        on_row: called in order for each input, failed and skipped ones included.

    Returns:
        The final counts.

    Raises:
        OutputError: results can't be written.
        UsageError: ``resume`` without a file to resume from, or one that was made with other settings.
    """
    with ExitStack() as stack:
        return _Run(detector, sources, options, on_row, stack).go()


@dataclass(frozen=True)
class _Pending:
    """An image whose pictures are being written."""

    source: Source
    pixels: int
    written: Future[tuple[Row, Card | None]]


class _Run:
    """The state of one run; lives as long as :func:`run`."""

    def __init__(
        self, detector: Detector, sources: Sequence[Source], options: Options, on_row: OnRow, stack: ExitStack
    ) -> None:
        self._detector, self._options, self._on_row = detector, options, on_row
        self._model = detector.card.provenance.name
        self._id = fingerprint(
            {
                "card": detector.card.to_json(),
                "thresholds": asdict(detector.thresholds),
                "maps": options.maps,
                **options.settings,
            }
        )
        self._folder = Folder(options.out, options.maps) if options.out else None
        if self._folder:
            self._folder.prepare()
            stack.enter_context(sole_writer(self._folder.path))
        self._progress = Progress(len(sources))
        self._start = time.monotonic()
        self._ends: deque[float] = deque(maxlen=256)
        self._names = Names()
        self._earlier = self._read_earlier()
        done = self._earlier.places if self._earlier else {}
        self._done = [source for source in sources if source.path in done]
        self._sources = [source for source in sources if source.path not in done] if done else sources
        self._journal = Journal(options.journal, self._earlier) if options.journal else None
        if self._journal:
            stack.callback(self._journal.close)
        self._report: Reporter | None = None
        if self._folder and options.report:
            self._report = Reporter(self._folder.path, detector, options.title, len(sources))

    def go(self) -> Progress:
        """Do the run."""
        try:
            self._skip_done()
            self._inspect_rest()
        except BaseException:
            if self._report:
                with suppress(OutputError):  # the reason that is on its way says more
                    self._report.close(finished=False)
            raise
        if self._report:
            self._report.close(finished=True)
        return self._progress

    def _read_earlier(self) -> Earlier | None:
        """Read what an earlier run has finished, and what of that still holds."""
        journal = self._options.journal
        if not self._options.resume:
            return None
        if journal is None:
            raise UsageError("--resume needs the --out folder, or the --json file, of the run that it goes on with")
        earlier = Earlier(journal)
        for place, row in read_places(journal):
            check_same_run(row, self._id, self._model, self._detector.thresholds, journal)
            if row.error or row.stamp != stamp_of(row.file) or (self._folder and not self._folder.has(row.files)):
                continue
            earlier.note(row, place)
            self._names.reserve(Path(row.files.get("overlay", "")).stem)
        return earlier

    def _skip_done(self) -> None:
        if not self._earlier or not self._done:
            return
        if self._report:
            self._report.expect((source.path, self._earlier.scores[source.path]) for source in self._done)
        rows = self._earlier.rows(source.path for source in self._done)
        for source, row in zip(self._done, rows, strict=True):
            card = self._report.card_from_files(row) if self._report else None
            self._note(source, row, card, skipped=True)
            self._on_row(row, self._progress)

    def _inspect_rest(self) -> None:
        options = self._options
        pending: deque[_Pending] = deque()
        held = 0
        items = inspect(self._detector, self._sources, batch_size=options.batch_size, readers=options.readers)
        with ThreadPoolExecutor(_WRITERS, "zsad-writer") as pool:
            try:
                for item in items:
                    pixels = item.result.map.size if item.result else 0
                    name = self._names.give(item.source.label, item.source.path) if item.result else ""
                    pending.append(_Pending(item.source, pixels, pool.submit(self._write, item, name)))
                    held += pixels
                    del item  # its pixels are to be free as soon as they are written
                    while pending and (
                        len(pending) > _WAITING_WRITES or held > WAITING_PIXELS or pending[0].written.done()
                    ):
                        held -= pending[0].pixels
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
                items.close()

    def _write(self, item: Inspected, name: str) -> tuple[Row, Card | None]:
        """Write the pictures of one image, in a writer thread."""
        path = item.source.path
        if item.result is None or item.image is None:
            row = Row(path, error=item.error, ms=item.ms, stamp=stamp_of(path))
            return replace(row, run=self._id, model=self._model), None
        files = self._folder.write(name, item.image.image, item.result) if self._folder else {}
        row = row_of(path, item.result, item.ms, peak_of(item.result), files, stamp_of(path))
        card = self._report.card(item.image.image, item.result, row) if self._report else None
        return replace(row, run=self._id, model=self._model), card

    def _finish_first(self, pending: deque[_Pending], *, quiet: bool = False) -> None:
        """Wait for the first image to be written, then record it; an interruption loses nothing."""
        row, card = pending[0].written.result()
        recorded = False
        try:
            # An image is in the rows and in the report, or in neither.
            with held_interrupts() if self._report else nullcontext():
                source = pending.popleft().source
                if self._journal:
                    self._journal.write(row)
                self._note(source, row, card)
                recorded = True
        finally:  # an interruption that was held comes now, and the caller is told of the image first
            if recorded and not quiet:
                self._on_row(row, self._progress)

    def _note(self, source: Source, row: Row, card: Card | None, *, skipped: bool = False) -> None:
        now = time.monotonic()
        if not skipped:
            self._ends.append(now)
        if self._report:
            self._report.add(source.label, row, card)
        span = now - self._ends[0] if self._ends else 0.0
        p = self._progress
        self._progress = replace(
            p,
            done=p.done + 1,
            anomalous=p.anomalous + row.anomalous,
            failed=p.failed + bool(row.error),
            skipped=p.skipped + skipped,
            rate=(len(self._ends) - 1) / span if span > 0 else 0.0,
            seconds=now - self._start,
        )
