"""``zsad line run``: the station itself."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.line.part import Record


def run(
    line: Annotated[Path, typer.Argument(metavar="LINE.YAML", help="The configuration of the station.")],
    once: Annotated[bool, typer.Option("--once", help="Take what the source has, then end.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each part.")] = False,
) -> None:
    """Run a station until it is stopped (Ctrl-C, SIGTERM): each part is recorded exactly once, then told.

    Exit code: 0 the source is drained, or it was stopped; 1 it could not go on; 2 its file is wrong.

    [bold]Examples[/bold]

      [cyan]zsad line run line.yaml[/cyan]
      [cyan]zsad line run line.yaml --once --verbose[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.line.opening import opened
    from zsad.line.settings import read_line

    screen = Terminal(soft_wrap=True)

    def shown(record: Record, reject: bool) -> None:
        score = "" if record.score is None else f"{record.score:.3f}"
        screen.print(f"{record.verdict:<8} {score:<5} {record.id}" + (f"  {record.error}" if record.error else ""))

    def quiet(record: Record, reject: bool) -> None:
        """Print nothing."""

    stop = threading.Event()
    with _stopping(stop), opened(read_line(line), once=once, on_record=shown if verbose else quiet) as station:
        before = station.health.total
        try:
            station.run(stop)
        finally:
            for alarm in station.health.alarms.standing:
                say(f"alarm: {alarm.kind}: {alarm.text}")
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in station.health.counts.items())
        screen.print(f"{station.health.total - before:,} parts recorded; in all {counts}: {station.database.path}")


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Let requests to end set the event: what was taken is recorded first. A second one ends at once."""

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
