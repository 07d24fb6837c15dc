"""Options that several commands share: which model, which prompt, where it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.errors import printable

if TYPE_CHECKING:
    from zsad.detector.base import Detector

MODEL, READING = "Model and prompt", "Reading and running"
"""Headings of these options in the help text."""

Model = Annotated[
    str | None,
    typer.Option(
        help="Exported .onnx file, or a backbone such as ViT-L-14-336/openai; by default the bundled model. "
        "`zsad models` lists what can be loaded.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        help="Prompt bank, trained prompt, or its file; `zsad models` lists those that are there.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Noun = Annotated[
    str | None,
    typer.Option("--object", help='What is inspected, such as "metal nut".', rich_help_panel=MODEL, show_default=False),
]
Normal = Annotated[
    str | None, typer.Option(help="Words for normal, with --anomalous.", rich_help_panel=MODEL, show_default=False)
]
Anomalous = Annotated[
    str | None, typer.Option(help="Words for anomalous, with --normal.", rich_help_panel=MODEL, show_default=False)
]
Device = Annotated[str, typer.Option(help="cpu or cuda.", rich_help_panel=READING)]
Dtype = Annotated[
    str | None,
    typer.Option(
        help="float32 (the default), bfloat16 or float16; through torch only.",
        rich_help_panel=READING,
        show_default=False,
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        help="Cut larger images into tiles of this many pixels, 25 % overlapping: finds small defects.",
        rich_help_panel=READING,
        show_default=False,
    ),
]


def load(model: str | None, **given: Any) -> Detector:
    """Load what a command line asks for; options that are None are left out."""
    import zsad

    if model and sys.stderr.isatty() and not Path(model).exists():
        # The libraries' own words are off the screen, and a download takes minutes.
        print(f"zsad: loading {printable(model)}; its weights are downloaded the first time", file=sys.stderr)  # noqa: T201
    return zsad.load(model, **{name: value for name, value in given.items() if value is not None})
