"""``zsad train``: prompts from a labelled dataset, from good images, or from nothing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.cli import options

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from zsad.cli.terminal import Terminal
    from zsad.training import StepRecord, TrainConfig, Trained


def train(
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            metavar="[KEY=]LAYOUT:PATH",
            help="Auxiliary data, never the target; repeatable. LAYOUT:PATH as for `zsad eval`, "
            "normals:PATH for good images only (defects are drawn), or synthetic for no image at all.",
        ),
    ],
    backbone: Annotated[
        str,
        typer.Option(
            "--backbone", metavar="ID", help="Frozen backbone, such as ViT-L-14-336/openai; `zsad models` lists them."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the prompt, checkpoint, log and settings.")
    ],
    head: Annotated[
        str | None, options.option("prompt (text, needs CLIP) or weights (language-free, any ViT).", None, "--head")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="default, or anomalyclip: exactly as published.")
    ] = None,
    epochs: Annotated[int | None, options.option("Passes over the data.", None, "--epochs")] = None,
    config: Annotated[
        Path | None,
        options.option(
            "YAML with any setting of the run, such as `views: 3`, for two more versions of each image, changed "
            "at random; with `augment: {by: batch}` kornia changes them on --device, else albumentations on the CPU.",
            None,
            "--config",
            metavar="FILE",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    image_size: Annotated[int | None, options.option("Side of the input, in pixels.", None, "--image-size")] = None,
    bits: Annotated[int | None, options.option("Significant bits of 16-bit images, 8 to 16.", None, "--bits")] = None,
    masks: Annotated[
        str | None,
        options.option(
            "What masks are drawn on where images have an EXIF orientation: auto, stored or upright.", None, "--masks"
        ),
    ] = None,
    seed: Annotated[int | None, options.option("Seed of parameters, order and augmentation.", None, "--seed")] = None,
    licence: Annotated[str | None, options.option("Licence of the data, for the card.", None, "--licence")] = None,
    cache: Annotated[
        Path | None, options.option("Folder of the feature cache.", None, "--cache", metavar="DIR")
    ] = None,
    cache_gb: Annotated[
        float, typer.Option("--cache-gb", min=0, help="Its largest size; 0 runs the backbone in every step.")
    ] = 50.0,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    dtype: Annotated[
        str | None, options.option("Arithmetic of the backbone: float32, bfloat16 or float16.", None, "--dtype")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that read images.")] = 0,
) -> None:
    """Train prompts on auxiliary data; they then work on objects that were never seen."""
    from zsad.cli.terminal import Terminal
    from zsad.errors import MissingExtraError

    try:
        import zsad.training as training
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("zsad"):
            raise
        raise MissingExtraError("zsad train", "torch") from None

    console = Terminal(stderr=True)
    with _Live(console) as live:
        done = training.train(
            data,
            backbone,
            out,
            head=head,
            recipe=recipe,
            config=config,
            resume=resume,
            device=device,
            cache=cache,
            cache_gb=cache_gb,
            workers=workers,
            reporter=live,
            epochs=epochs,
            image_size=image_size,
            seed=seed,
            licence=licence,
            bits=bits,
            masks=masks,
            dtype=dtype,
        )
    _summary(console, done, backbone)


class _Live:
    """A progress line for features, one for steps, and notes above them: what :func:`zsad.training.train` tells."""

    def __init__(self, console: Terminal) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        from zsad.cli.terminal import field

        self.console = console
        self.progress: Progress = Progress(
            field("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            field("{task.fields[terms]}"),
            console=console,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Live:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.progress.stop()
        if kind is KeyboardInterrupt and "steps" in self.tasks:
            self.console.print("stopped; what was trained is kept, --resume goes on from here")

    def note(self, text: str) -> None:
        """Print something that a user must know, above the lines."""
        from rich.text import Text

        self.console.print(Text(f"note: {text}", style="yellow"))

    def features(self, done: int, total: int) -> None:
        """Show how many images have gone through the backbone."""
        self._show("features", "features", done, total, "")

    def step(self, record: StepRecord, config: TrainConfig) -> None:
        """Show loss and terms of a step."""
        shorts = {"image": "image", "focal": "focal", "dice_anomalous": "dice+", "dice_normal": "dice-"}
        terms = " ".join(f"{short} {record.terms[name]:.3f}" for name, short in shorts.items())
        text = f"epoch {record.epoch}/{config.epochs}"
        self._show("steps", text, record.total, record.steps * config.epochs, f"loss {record.loss:.4f} ({terms})")

    def _show(self, name: str, text: str, done: int, total: int, terms: str) -> None:
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(text, total=total, terms=terms)
        self.progress.update(self.tasks[name], description=text, completed=done, total=total, terms=terms)


def _summary(console: Terminal, done: Trained, backbone: str) -> None:
    from rich.text import Text

    losses = " ".join(f"{loss:.3f}" for loss in done.losses)
    console.print(Text(f"loss by epoch: {losses}"))
    seen = f"{done.images} images, {done.computed} through the backbone"
    skipped = f", {len(done.skipped)} could not be used" if done.skipped else ""
    times = f"{done.seconds['features']:.0f} s features, {done.seconds['steps']:.0f} s steps"
    console.print(Text(f"{seen}{skipped}; {times}"))
    place = shlex.quote(str(done.prompt))
    console.print(Text(f"{done.prompt}: use it with `zsad detect IMAGES --model {backbone} --prompt {place}`"))
