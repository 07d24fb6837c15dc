"""``zsad import-prompt``: published AnomalyCLIP prompts, from the authors or from a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def import_prompt(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="anomalyclip:visa (trained on VisA, for MVTec AD), anomalyclip:mvtec (for the rest), or a .pth file.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder that it goes to. \\[default: your prompts, see `zsad info`]"),
    ] = None,
    backbone: Annotated[
        str, typer.Option(metavar="ID", help="Backbone that a file was trained for. \\[default: ViT-L-14-336/openai]")
    ] = "",
) -> None:
    """Convert a published checkpoint to safetensors with a card; the authors' own are fetched and checked."""
    from importlib.util import find_spec

    from zsad import paths
    from zsad.cli.terminal import Terminal
    from zsad.errors import MissingExtraError
    from zsad.prompt.store import load_prompt

    if find_spec("torch") is None:
        raise MissingExtraError("zsad import-prompt", "torch")
    from zsad.prompt import published

    path = published.import_prompt(source, out or paths.user_prompts(), backbone=backbone)
    card = load_prompt(path).card
    console = Terminal(soft_wrap=True)
    console.print(f"{path}")
    for name in ("source", "licence", "training_data", "backbone"):
        if value := card.flat()[name]:
            console.print(f"  {name.replace('_', ' ')}: {value}")
    short = shlex.quote(card.scoring.prompt if out is None else str(path))
    backbone = card.provenance.backbone or "BACKBONE"
    console.print(f"  use it: zsad detect PATH --model {backbone} --prompt {short}")
