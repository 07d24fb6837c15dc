"""``zsad video extract``: videos in, features of every 16th frame out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.cli import options
from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.video.extraction import Extracted


def extract(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Videos, folders of numbered pictures, folders of these.")
    ],
    out: Annotated[Path, options.option("Folder for NAME__C.npy and NAME.json.", metavar="DIR")],
    backbone: Annotated[
        str,
        typer.Option(metavar="ID", help="ONNX file with features, or a backbone such as ViT-B-16/openai or timm:NAME."),
    ] = "tiny",
    every: Annotated[int, typer.Option(min=1, help="Frames from one row to the next: 0, N, 2 N ...")] = 16,
    crops: Annotated[int, typer.Option(metavar="1|10", help="The whole frame, or centre, corners, all mirrored.")] = 1,
    tokens: Annotated[
        int | None,
        options.option("Q patch features of each frame, averaged over a grid, in place of one.", metavar="Q"),
    ] = None,
    motion: Annotated[bool, typer.Option("--motion", help="Also features of what moves: NAME__motion.npy.")] = False,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
) -> None:
    """Extract the features that weakly supervised models read: the model's own image feature, not normalised.

    NAME__C.npy is float32 (T, D), or (T, Q, D) with tokens; row t is frame t x N, the first is frame 0, and of n frames
    there are n / N rows, rounded up. Of ten crops, 0 is the centre, 1 to 4 are the corners, 5 to 9 the same mirrored.
    A video that is done with the same settings is not done again.

    Exit code: 0 all done, 1 a video could not be read, or not to its end, 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad video extract videos/ --out features/[/cyan]
      [cyan]zsad video extract videos/ --backbone ViT-B-16/openai --crops 10 --out features/[/cyan]
      [cyan]zsad video extract clip.mp4 --every 8 --tokens 16 --motion --out features/[/cyan]
    """
    from zsad.video import find_videos
    from zsad.video.extraction import extract as run
    from zsad.video.features import Choice
    from zsad.video.towers import feature_detector

    choice = Choice(every, crops, tokens, motion)
    videos = find_videos(paths, skip=out, say=say)
    detector = feature_detector(backbone, device=device, dtype=dtype or "float32")
    faults = 0
    with _progress() as step:
        for found in run(videos, detector, out, choice, step):
            faults += bool(found.fault)
            _say(found)
    if faults:
        raise typer.Exit(1)


def _say(found: Extracted) -> None:
    """Print what became of one video."""
    from zsad.cli.terminal import Terminal

    if found.files:
        shape = " x ".join(map(str, found.shape))
        arrays = f"{found.files} arrays of {shape}" if found.files > 1 else f"an array of {shape}"
        Terminal(soft_wrap=True).print(f"{found.name}: {'done before, ' * found.earlier}{arrays}")
    if found.fault:
        say(found.fault if not found.files else f"partial: {found.fault}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show which video is read, and how far, on standard error while a terminal watches."""
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from zsad.cli.terminal import Terminal, field

    columns = (field("{task.description}"), BarColumn(), field("{task.completed}"), TimeRemainingColumn(compact=True))
    screen = Terminal(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def step(name: str, done: int, total: int | None) -> None:
            bar.update(task, description=name, completed=done, total=total)

        yield step
