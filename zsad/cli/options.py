"""Options that several commands share: which model, which prompt, where it runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.outside import printable
from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.detector.base import Detector

MODEL, JUDGING, READING = "Model and prompt", "Verdicts", "Reading and running"
"""Headings of these options in the help text."""


def option(text: str, panel: str | None = None, *names: str, **more: Any) -> Any:
    """Return an option without a default worth showing: its help, the heading it stands under, and its names."""
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False, **more)


Model = Annotated[
    str | None,
    option(
        "Exported .onnx file, bundle of `zsad fit`, or a backbone such as ViT-L-14-336/openai; by default the "
        "bundled model. "
        "`zsad models` lists what can be loaded.",
        MODEL,
    ),
]
Prompt = Annotated[
    str | None, option("Prompt bank, trained prompt, or its file; `zsad models` lists those that are there.", MODEL)
]
Noun = Annotated[str | None, option('What is inspected, such as "metal nut".', MODEL, "--object")]
Normal = Annotated[str | None, option("Words for normal, with --anomalous.", MODEL)]
Anomalous = Annotated[str | None, option("Words for anomalous, with --normal.", MODEL)]
Thresholds = Annotated[
    Path | None,
    option("JSON file with thresholds (image, pixel, min_area, rule, source); single options override it.", JUDGING),
]
Threshold = Annotated[
    str | None,
    option(
        "Image score from which an image is anomalous, 0 to 1 or never. Without a threshold, and with a model that is "
        "not calibrated, images are ordered by score and get no verdict.",
        JUDGING,
        metavar="FLOAT|never",
    ),
]
PixelThreshold = Annotated[
    str | None,
    option("Map value from which a pixel belongs to a region, 0 to 1 or never.", JUDGING, metavar="FLOAT|never"),
]
MinArea = Annotated[
    float | None, option("Smallest region that counts, as a fraction of the image's pixels, 0 to 1.", JUDGING)
]
RuleOption = Annotated[
    str | None,
    option(
        "What makes an image anomalous: its score, a region, or either of them (the default). A threshold that is not "
        "given never fires.",
        JUDGING,
        "--rule",
        metavar="score|region|either",
    ),
]
Fused = Annotated[
    bool, typer.Option("--fused", help="Of a bundle: its memory and zero-shot together.", rich_help_panel=MODEL)
]
Device = Annotated[str, typer.Option(help="cpu or cuda.", rich_help_panel=READING)]
Dtype = Annotated[str | None, option("float32 (the default), bfloat16 or float16; through torch only.", READING)]
Bits = Annotated[int, typer.Option(help="Significant bits of 16-bit images, 8 to 16.", rich_help_panel=READING)]
Masks = Annotated[
    str,
    typer.Option(
        metavar="auto|stored|upright",
        help="What masks are drawn on where images have an EXIF orientation: their sizes tell, the pixels as they are "
        "stored, or the picture as viewers show it.",
        rich_help_panel=READING,
    ),
]
Tile = Annotated[
    str | None,
    option(
        "Look at larger images in tiles of this many pixels as well: finds small defects. auto: tiles of twice the "
        "network's side, for images over four times it.",
        READING,
        metavar="auto|N",
    ),
]


def load(model: str | None, **asked: Any) -> Detector:
    """Load what a command line asks for; options that are None are left out."""
    import zsad
    from zsad.images.tiling import parse_tile

    asked["tile"] = parse_tile(asked.get("tile"))
    if model and sys.stderr.isatty() and not Path(model).exists():
        # The libraries' own words are off the screen, and a download takes minutes.
        say(f"loading {model}; its weights are downloaded the first time")
    return zsad.load(model, **{name: value for name, value in asked.items() if value is not None})


def load_to_compare(model: str | None, **asked: Any) -> Detector:
    """Load what is asked for its features: as :func:`load`, but a backbone that reads no words will do."""
    from zsad.detector.loading import load_base
    from zsad.errors import TextlessError

    try:
        return load(model, **asked)
    except TextlessError:
        return load_base(model, **{name: value for name, value in asked.items() if value is not None})


def same_command(context: typer.Context, without: Collection[str] = ()) -> str:
    """Return the command line that is running, as a hint can go on with it.

    Args:
        context: of the command.
        without: names of parameters to leave out.
    """
    words = [word for name, said in given(context).items() if name not in without for word in said]
    return _line(["zsad", str(context.info_name), *words])


def calibrate_command(context: typer.Context, out: str) -> str:
    """Return a command that sets thresholds for what the command that is running scores with."""
    words = given(context)
    model = words.get("model", [])[1:]
    same = [word for name in _SCORED_WITH for word in words.get(name, [])]
    return _line(["zsad", "calibrate", *model, *same, "--normals", "good/", "--out", out])


_SCORED_WITH = ("fused", "prompt", "noun", "normal", "anomalous", "min_area", "tile", "bits", "device", "dtype")
"""Parameters that scores and regions depend on, beside the model."""


def refuse(context: typer.Context, names: Collection[str], why: str) -> None:
    """Refuse parameters that the command line gave and that would do nothing.

    Args:
        context: of the command.
        names: of the parameters.
        why: they would do nothing, and what to do, with ``{}`` in the place of the options.

    Raises:
        UsageError: there are any.
    """
    from zsad.errors import UsageError

    idle = [words[0] for name, words in given(context).items() if name in names]
    if idle:
        raise UsageError(why.format(", ".join(idle)))


def given(context: typer.Context) -> dict[str, list[str]]:
    """Return what the command line gave, parameter by parameter, as its words."""
    found: dict[str, list[str]] = {}
    for parameter in context.command.params:
        name, source = str(parameter.name), context.get_parameter_source(str(parameter.name))
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if parameter.param_type_name == "argument":  # a name that looks like an option is none
            found[name] = [f"./{one}" if str(one).startswith("-") else str(one) for one in value]
        else:
            options = parameter.secondary_opts if value is False else parameter.opts
            found[name] = [max(options, key=len), *([] if isinstance(value, bool) else [str(value)])]
    return found


def _line(words: list[str]) -> str:
    return " ".join(shlex.quote(printable(word)) for word in words)
