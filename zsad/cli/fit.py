"""``zsad fit``: images of good parts in, a bundle out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zsad.cli import options
from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.fitting import Fitted, Shots


def fit(
    context: typer.Context,
    good: Annotated[
        list[Path],
        typer.Argument(metavar="GOOD", help="Images of good parts, and folders of them.", show_default=False),
    ],
    out: Annotated[Path, options.option("Folder for the bundle: memory.safetensors and card.json.", metavar="BUNDLE")],
    model: options.Model = None,
    prompt: options.Prompt = None,
    noun: options.Noun = None,
    normal: options.Normal = None,
    anomalous: options.Anomalous = None,
    shots: Annotated[
        str, typer.Option(metavar="K|all", help="How many of the images are used, drawn by seed.")
    ] = "all",
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    rotations: Annotated[
        str, typer.Option(metavar="8|none|auto", help="Turned views of each image: for parts that lie as they fall.")
    ] = "auto",
    foreground: Annotated[
        str, typer.Option(metavar="on|off|auto", help="Leave the background out of account, where a part stands out.")
    ] = "auto",
    patches: Annotated[
        int, typer.Option(min=1, help="Most patches of a feature layer; of more, some that cover all are kept.")
    ] = 10_000,
    add: Annotated[bool, typer.Option("--add", help="Add the images to the bundle that --out names.")] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into sub-folders.", rich_help_panel=options.READING)
    ] = False,
    image_size: Annotated[int | None, options.option("Side of the input; through torch only.", options.READING)] = None,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
) -> None:
    """Learn what is normal from a few good parts; the bundle goes where a model goes.

    Options that are auto are settled on the good images alone: each against the others, with drawn defects on it.

    Exit code: 0 all done, 1 some images could not be used (each is named), 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad fit good/ --out bundle/[/cyan]
      [cyan]zsad detect parts/ --model bundle/ --out out/[/cyan]
      [cyan]zsad fit good/ --shots 4 --seed 1 --rotations 8 --out bundle/[/cyan]
      [cyan]zsad fit more/ --add --out bundle/[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.fitting import add_to, find_good
    from zsad.fitting import fit as learn

    def not_read(line: str) -> None:
        say(f"not read: {line}")

    if add:
        options.refuse(
            context, _FITTED_WITH, "{}: --add takes what the bundle was fitted with; leave it out, or fit a new one"
        )
    with _progress() as step:
        if add:
            images = find_good(good, recursive=recursive, say=not_read)
            fitted = add_to(out, images, device=device, dtype=dtype or "float32", step=step)
        else:
            fitted = learn(good, model, out=out, shots=shots_of(shots), seed=seed, rotations=rotations_of(rotations),
                           foreground=foreground_of(foreground), patches=patches, recursive=recursive, step=step,
                           say=not_read, prompt=prompt, object=noun, normal=normal, anomalous=anomalous,
                           image_size=image_size, device=device, dtype=dtype or "float32")  # fmt: skip
    _say(fitted)
    Terminal(soft_wrap=True).print(f"wrote {out}; use it: zsad detect PARTS --model {shlex.quote(str(out))}")
    if fitted.failed:
        raise typer.Exit(1)


_FITTED_WITH = (
    *("model", "prompt", "noun", "normal", "anomalous", "shots", "seed", "rotations", "foreground", "patches"),
    "image_size",
)
"""Parameters that a bundle has fixed, so that --add can't take them."""


@contextmanager
def _progress() -> Iterator[Callable[[], None]]:
    """Count the images on standard error while a terminal watches."""
    from rich.progress import Progress, SpinnerColumn

    from zsad.cli.terminal import Terminal, field

    columns = (SpinnerColumn(), field("{task.description}"), field("{task.completed}"))
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as bar:
        task = bar.add_task("good images read and compared", total=None)
        yield lambda: bar.advance(task)


def _say(fitted: Fitted) -> None:
    """Print what was learned; on standard error what a user must know."""
    from zsad.cli.terminal import Terminal

    screen = Terminal(soft_wrap=True)
    card, memory = fitted.bundle.card, fitted.bundle.memory
    sizes = " + ".join(f"{len(layer):,}" for layer in memory.layers)
    radius = f", covering radius {max(card.radius):.3f}" if any(card.radius) else ""
    count = len(card.images)
    screen.print(f"{count} good image{'' if count == 1 else 's'}, {sizes} patches{radius}")
    if card.chosen:
        turned = "no turned views" if card.rotations == 1 else f"{card.rotations} views"
        screen.print(f"{turned}, foreground {'on' if card.foreground else 'off'} ({card.chosen})")
    for line in (*fitted.failed, *fitted.notes):
        say(line)


def shots_of(text: str) -> Shots:
    """Read ``--shots``."""
    from zsad.errors import UsageError

    if text == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--shots {text}: give a whole number, or all") from None


def rotations_of(text: str) -> Literal["auto", "none", 8]:
    """Read ``--rotations``."""
    from zsad.errors import UsageError

    if text not in ("8", "none", "auto"):
        raise UsageError(f"--rotations {text}: give 8, none or auto")
    return 8 if text == "8" else "none" if text == "none" else "auto"


def foreground_of(text: str) -> Literal["auto", "on", "off"]:
    """Read ``--foreground``."""
    from zsad.errors import UsageError

    if text not in ("on", "off", "auto"):
        raise UsageError(f"--foreground {text}: give on, off or auto")
    return "on" if text == "on" else "off" if text == "off" else "auto"
