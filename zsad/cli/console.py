"""What ``zsad detect`` shows while it runs and at its end: progress, failures, a table that fits a screen."""

from __future__ import annotations

import heapq
import os
import sys
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from zsad.cli.terminal import Terminal, field
from zsad.images.tiling import LARGE, is_large
from zsad.outside import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import Progress as Bar

    from zsad.detector.base import Detector
    from zsad.stream import Item, Options, Progress, Row

FULL_TABLE = 40
"""Up to this many images are all listed, in order; of more, the highest are."""
_HIGHEST = 20
_STDERR = 2


@contextmanager
def only_our_remarks() -> Iterator[None]:
    """Keep C libraries from writing to standard error by themselves, as libtiff does on a damaged file.

    Their remarks don't name the file; ours, which does, comes through the exception.
    """
    try:
        ordinary = sys.stderr.fileno() == _STDERR
    except (OSError, ValueError, AttributeError):  # replaced, or closed
        ordinary = False
    if not ordinary or os.environ.get("ZSAD_TRACEBACK"):
        yield
        return
    before = sys.stderr
    before.flush()
    kept = os.dup(_STDERR)
    with os.fdopen(os.dup(_STDERR), "w", encoding=before.encoding, errors="backslashreplace", buffering=1) as ours:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        sys.stderr = ours
        try:
            yield
        finally:
            sys.stderr = before
            os.dup2(kept, _STDERR)
            os.close(kept)


def say_other_files(plan: Options) -> None:
    """Say that results go beside files that are none, as in a folder of parts."""
    from zsad.outputs import PICTURES, other_files
    from zsad.terminal import say

    if plan.out is not None and (
        count := other_files(plan.out, (*PICTURES, "results.jsonl", "results.csv", "report.html"))
    ):
        files = "another file" if count == 1 else f"{count:,} other files"
        say(f"{plan.out} holds {files}; results are written beside, and --out {plan.out / 'zsad'} keeps them apart")


class Screen:
    """Shows one run; use as a context manager around it.

    Args:
        items: what is inspected.
        detector: what inspects, and judges.
        to_stdout: print JSON lines instead of a table.
    """

    def __init__(self, items: Sequence[Item], detector: Detector, *, to_stdout: bool) -> None:
        self._out, self._err = Terminal(), Terminal(stderr=True)
        self._labels = {item.id: item.label for item in items}
        self._total, self._detector, self._to_stdout = len(items), detector, to_stdout
        self._judges = detector.thresholds.judges
        self._rows: list[tuple[float, int, Row]] = []
        self._seen = self._good = self._large = 0
        self._bar: Bar | None = None

    def __enter__(self) -> Screen:
        if self._total > 1 and self._err.is_terminal:
            self._bar = _bar(self._err)
            self._task = self._bar.add_task("", total=self._total, found="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        if isinstance(error, KeyboardInterrupt):
            self._err.print(
                f"stopped after {self._seen:,} of {self._total:,} images; what is finished is kept, "
                "--resume goes on from here",
                soft_wrap=True,
            )

    def row(self, row: Row, progress: Progress) -> None:
        """Take note of one image."""
        self._seen = progress.done
        if self._to_stdout:
            sys.stdout.buffer.write(row.to_line())
            sys.stdout.buffer.flush()
        if row.error:
            self._failure(row)
        else:
            self._good += 1
            self._large += self._is_large(row)
            entry = (row.score, -self._seen, row)
            if self._total <= FULL_TABLE or len(self._rows) < _HIGHEST:
                heapq.heappush(self._rows, entry)
            else:
                heapq.heappushpop(self._rows, entry)
        if self._bar:
            found = [f"{progress.anomalous:,} anomalous"] if self._judges else []
            found += [f"{progress.failed:,} failed"] if progress.failed else []
            told = f"throughput {progress.rate:.1f} images/s  {', '.join(found)}"
            self._bar.update(self._task, completed=progress.done, found=told)

    def summary(self, progress: Progress, options: Options, command: str, calibrate: str) -> None:
        """Print the table and what was written where.

        Args:
            progress: the final counts.
            options: what was written.
            command: that hints go on with.
            calibrate: the command that sets thresholds for these scores; ``""`` where none can.
        """
        if self._to_stdout:
            if self._large:
                self._err.print(self._closer(command), soft_wrap=True)
            return
        if self._rows:
            self._out.print(self._table())
        self._out.print(self._counts(progress), soft_wrap=True)
        if not self._good:
            return
        self._out.print(self._rule() if self._judges else self._ways(command, calibrate), soft_wrap=True)
        if self._large:
            self._out.print(self._closer(command), soft_wrap=True)
        if options.out is None and options.rows is None and options.csv is None:
            self._out.print("Add --out DIR for overlays, heatmaps and a report.", style="dim", soft_wrap=True)
        if options.out:
            written = ["report.html"] if options.report else []
            written += ["overlay/", "heatmap/"] + (["map/"] if options.maps else [])
            written += ["results.jsonl"] if options.rows is None else []
            written += ["results.csv"] if options.csv is None else []
            self._out.print(f"Wrote {printable(options.out)}: {', '.join(written)}", soft_wrap=True)
        for file in (options.rows, options.csv):
            if file:
                self._out.print(f"Wrote {printable(file)}", soft_wrap=True)

    def _failure(self, row: Row) -> None:
        name, error = printable(row.file), printable(row.error)
        line = error if error.startswith(name) else f"{name}: {error}"
        self._err.print(Text(f"failed  {line}", style="red"), soft_wrap=True)

    def _table(self) -> Table:
        short = self._total <= FULL_TABLE
        listed = short and self._judges  # without verdicts the order is what the table says
        rows = sorted(self._rows, key=lambda entry: -entry[1] if listed else (-entry[0], -entry[1]))
        title = "" if short else f"The {len(rows)} highest of {self._good:,}"
        if not self._judges:
            title = f"{title}, uncalibrated" if title else "Ordered by score, uncalibrated"
        if any(row.mutual for _, _, row in rows):
            title = f"{title}; mutual: scored against each other" if title else "Mutual: scored against each other"
        table = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", expand=False)
        table.add_column("file", overflow="fold", min_width=12)
        table.add_column("score", justify="right")
        if self._judges:
            table.add_column("verdict")
        hint = self._detector.thresholds.pixel is None
        table.add_column("largest outline" if hint else "largest region", justify="right")
        table.add_column("latency", justify="right")
        for _, _, row in rows:
            label = Text(printable(self._labels.get(row.file, row.file)))
            if row.notes:
                label.append(f"\n{printable('; '.join(row.notes))}", style="dim")
            verdict = [_verdict(row)] if self._judges else []
            table.add_row(label, f"{row.score:.3f}", *verdict, _largest(row), f"{row.ms:.0f} ms")
        return table

    def _counts(self, progress: Progress) -> Text:
        good = progress.done - progress.failed
        images = "image" if good == 1 else "images"
        text = Text(f"{progress.anomalous:,} of {good:,} {images} anomalous" if self._judges else f"{good:,} {images}")
        if progress.failed:
            text.append(f", {progress.failed:,} failed", style="red")
        if progress.skipped:
            text.append(f", {progress.skipped:,} done before")
        new = progress.done - progress.skipped
        if new > 1 and progress.seconds > 0:
            text.append(f"; {progress.seconds:.1f} s, throughput {new / progress.seconds:.1f} images/s", style="dim")
        return text

    def _rule(self) -> Text:
        """Say what the verdicts go by."""
        judged = self._detector.thresholds
        source = f" (from {printable(judged.source)})" if judged.source else ""
        return Text(f"Anomalous by rule {judged.rule or 'either'}: {judged.told()}{source}", style="dim")

    def _is_large(self, row: Row) -> bool:
        side = self._detector.card.input.image_size
        return self._detector.tile is None and is_large((row.height, row.width), side)

    def _closer(self, command: str) -> Text:
        """Say that small defects vanish in large images, and how they don't; the indented line is a command."""
        side = self._detector.card.input.image_size
        images = "1 image is" if self._large == 1 else f"{self._large:,} images are"
        text = Text(f"{images} over {LARGE * side:,.0f} px, seen at {side} px: small defects vanish. ", style="yellow")
        text.append("Look closer with:\n")
        return text.append(f"  {command} --tile auto", style="bold")

    def _ways(self, command: str, calibrate: str) -> Text:
        """Say that nothing is judged, and how it would be; each indented line is a command."""
        scores = sorted(score for score, _, _ in self._rows)
        text = Text("Uncalibrated: no threshold is given, so there are no verdicts. ", style="yellow")
        text.append("Choose a score from the table:\n")
        text.append(f"  {command} --threshold {scores[len(scores) // 2]:.2f}\n", style="bold")
        if calibrate:
            text.append("or let a folder of good parts set the thresholds:\n")
            text.append(f"  {calibrate}\n  {command} --thresholds thresholds.json", style="bold")
        return text


def _verdict(row: Row) -> Text:
    if row.verdict != "anomalous":
        return Text("normal", style="green")
    return Text("anomalous", style="bold red").append(f" ({', '.join(row.fired)})", style="not bold")


def _largest(row: Row) -> str:
    if not row.regions:
        return "-"
    region = max(row.regions, key=lambda region: region.area)
    x0, y0, x1, y1 = region.box
    return f"{x1 - x0}x{y1 - y0} px at {x0},{y0}"


def _bar(console: Terminal) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    return Progress(
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        field("{task.fields[found]}"),
        field("left"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        refresh_per_second=5,
    )
