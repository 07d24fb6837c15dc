"""``zsad line run``: the station itself."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.line.part import Record
    from zsad.line.station import Station


def run(
    line: Annotated[Path, typer.Argument(metavar="LINE.YAML", help="The configuration of the station.")],
    once: Annotated[bool, typer.Option("--once", help="Take what the source has, then end.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each part.")] = False,
    ui: Annotated[bool, typer.Option("--ui", help="Serve a page and an API.")] = False,
    ui_address: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where; beyond this machine it needs ZSAD_TOKEN in the environment, --tls-cert and --tls-key.",
        ),
    ] = "127.0.0.1:8710",
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate of the page.", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of the certificate.", show_default=False)] = None,
    forget: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Drop what still waits for a sink, such as one that is no more."),
    ] = None,
) -> None:
    """Run a station until it is stopped (Ctrl-C, SIGTERM): each part is recorded exactly once, then told.

    Exit code: 0 the source is drained, or it was stopped; 1 it could not go on; 2 its file is wrong.

    [bold]Examples[/bold]

      [cyan]zsad line run line.yaml[/cyan]
      [cyan]zsad line run line.yaml --once --verbose[/cyan]
      [cyan]zsad line run line.yaml --ui[/cyan]    and a page at http://127.0.0.1:8710/
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

    told = shown if verbose else quiet
    configured, stop = read_line(line), threading.Event()
    page = _Page(ui_address, tls_cert, tls_key) if ui else None
    with (
        _stopping(stop),
        opened(configured, once=once, on_record=told, more=page.sinks if page else (), forget=forget or ()) as station,
        page.served(station) if page else nullcontext(),
    ):
        for alarm in station.health.alarms.standing:
            say(f"alarm: {alarm.kind}: {alarm.text}")
        before = station.health.total
        try:
            station.run(stop)
        finally:
            for alarm in station.health.alarms.standing:
                say(f"alarm: {alarm.kind}: {alarm.text}")
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in station.health.counts.items())
        screen.print(f"{station.health.total - before:,} parts recorded; in all {counts}: {station.database.path}")


class _Page:
    """The page beside the station; what is wrong with it is said before anything runs."""

    def __init__(self, address: str, certificate: Path | None, key: Path | None) -> None:
        from zsad.line.api.limits import access_of
        from zsad.line.api.recent import Recent
        from zsad.line.api.server import need_server

        need_server()
        self._access = access_of(address, certificate, key)
        self._recent = Recent()
        self.sinks = (self._recent,)

    @contextmanager
    def served(self, station: Station) -> Iterator[None]:
        """Serve it inside the block."""
        from zsad.line.api.server import served

        with served(station, self._recent, self._access) as address:
            say(f"page at {address}")
            yield


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
