"""``zsad batch``: many images to Parquet, by processes of this machine or by Ray on many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from zsad.cli import options
from zsad.cli.terminal import Terminal, field

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as Bar

    from zsad.batch.run import Progress

_OUTPUT, _ENGINE = "Output", "Engine"


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC", help="Folders, images, patterns, .tar shards, .parquet lists of paths.", show_default=False
        ),
    ],
    out: Annotated[Path, options.option("Folder for the Parquet files.", _OUTPUT)],
    model: options.Model = None,
    fused: options.Fused = False,
    thresholds: options.Thresholds = None,
    engine: Annotated[
        str, typer.Option(metavar="local|ray", help="Processes of this machine, or Ray Data.", rich_help_panel=_ENGINE)
    ] = "local",
    workers: Annotated[
        int | None, options.option("Processes or actors; by default one for each processor.", _ENGINE, metavar="N")
    ] = None,
    ray_address: Annotated[
        str | None, options.option("Ray cluster to use, or auto; by default Ray is started on this machine.", _ENGINE)
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try inputs again that failed earlier.", rich_help_panel=_OUTPUT)
    ] = False,
    column: Annotated[
        str, typer.Option(help="Of Parquet lists, the column with paths.", rich_help_panel=options.READING)
    ] = "path",
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into sub-folders.", rich_help_panel=options.READING)
    ] = False,
    tile: options.Tile = None,
    bits: options.Bits = 16,
    device: Annotated[
        str,
        typer.Option(
            help="cpu, cuda, tensorrt, or an execution provider by its name; nothing else is used instead.",
            rich_help_panel=options.READING,
        ),
    ] = "cpu",
) -> None:
    """Score many images and write Parquet: path, score, verdict, regions and a small map of each.

    Rows are those of `zsad detect`. What is finished stays: the same command goes on after a stop, and scores nothing
    twice. Inputs that fail are rows with their error.

    Exit code: 0 all have a result, 1 some inputs failed, 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad batch parts/ --out scores/[/cyan]
      [cyan]zsad batch "parts/**/*.png" --model model.onnx --thresholds thresholds.json --out scores/[/cyan]
      [cyan]zsad batch shards/*.tar list.parquet --workers 2 --out scores/[/cyan]
      [cyan]zsad batch parts/ --engine ray --workers 2 --out scores/[/cyan]
      [cyan]zsad batch /data/shards/*.tar --engine ray --ray-address auto --device cuda --out /data/scores/[/cyan]
    """
    from zsad.batch.inputs import listed
    from zsad.batch.lists import arrow
    from zsad.batch.on_ray import ray_data
    from zsad.batch.run import EngineName, Plan, run
    from zsad.cli.console import only_our_remarks
    from zsad.detector.onnx_detector import OnnxDetector
    from zsad.detector.providers import takes_gpu
    from zsad.errors import UsageError
    from zsad.images.tiling import parse_tile
    from zsad.outside import printable
    from zsad.terminal import say
    from zsad.thresholds import chosen

    if engine not in ("local", "ray"):
        raise UsageError(f"--engine is local or ray, not {printable(engine)}")
    arrow()
    if engine == "ray":
        ray_data()
    detector = options.load(model, fused=fused or None, device=device, threads=1)
    if not isinstance(detector, OnnxDetector):
        raise UsageError(f"{printable(model)}: batch runs ONNX files; write one with `zsad export`, and give it")
    detector = detector.with_options(tile=parse_tile(tile), bits=bits)
    detector = detector.with_thresholds(chosen(thresholds, card=detector.card, look=detector.look))
    inputs = listed(sources, recursive=recursive, column=column, say=lambda line: say(f"not read: {line}"))
    plan = Plan(cast("EngineName", engine), workers, ray_address, takes_gpu(device), retry)
    screen = _Screen(len(inputs))
    with only_our_remarks(), screen:
        settings = {"tile": tile} | ({} if bits == 16 else {"bits": bits})
        progress = run(detector, inputs, out, plan, settings=settings, on_progress=screen.show)
    screen.summary(progress, out)
    raise typer.Exit(1 if progress.failed else 0)


class _Screen:
    """Shows how far it is: a bar on a terminal, else a line now and then."""

    _EVERY_S = 30.0

    def __init__(self, total: int) -> None:
        self._out, self._err, self._total = Terminal(soft_wrap=True), Terminal(stderr=True, soft_wrap=True), total
        self._bar: Bar | None = None
        self._told, self._scored = 0.0, 0

    def __enter__(self) -> _Screen:
        if self._err.is_terminal:
            from rich.progress import BarColumn, Progress

            self._bar = Progress(BarColumn(), field("{task.fields[told]}"), console=self._err, transient=True)
            self._task = self._bar.add_task("", total=self._total, told="starting")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if self._bar:
            self._bar.stop()
        if isinstance(error, KeyboardInterrupt):
            self._err.print(f"stopped after {self._scored:,} of {self._total:,}; the same command goes on from here")
        return False

    def show(self, progress: Progress) -> None:
        """Show how far it is, and how long the rest takes."""
        self._scored = progress.earlier + progress.scored
        rate = progress.scored / progress.seconds if progress.seconds else 0.0
        left = f", {_time(progress.seconds_left)} left" if progress.seconds_left is not None else ""
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        told = f"{self._scored:,} of {self._total:,}, {rate:.1f} images/s{left}{failed}"
        if self._bar:
            self._bar.update(self._task, completed=self._scored, told=told)
        elif progress.seconds - self._told > self._EVERY_S:
            self._told = progress.seconds
            self._err.print(told)

    def summary(self, progress: Progress, out: Path) -> None:
        """Print what was done."""
        from zsad.outside import printable

        rate = f" at {progress.scored / progress.seconds:.1f} images/s" if progress.seconds else ""
        anomalous = f", {progress.anomalous:,} anomalous" if progress.anomalous else ""
        failed = f", {progress.failed:,} failed (column error)" if progress.failed else ""
        earlier = f", {progress.earlier:,} were done before" if progress.earlier else ""
        self._out.print(f"scored {progress.scored:,}{rate}{anomalous}{earlier}{failed}: {printable(out)}/*.parquet")


def _time(seconds: float | None) -> str:
    """Return a time as people say it.

    >>> _time(59), _time(200), _time(7300)
    ('59 s', '3 min', '2 h 2 min')
    """
    whole = round(seconds or 0)
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
