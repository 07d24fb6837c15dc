"""``zsad video import`` and ``zsad video export``: learned models from published checkpoints, and as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli import options


def import_model(
    source: Annotated[str, typer.Argument(metavar="vadclip:PATH", help="A checkpoint, such as model_ucf.pth.")],
    out: Annotated[Path, options.option("Folder for model.safetensors and card.json.", metavar="DIR")],
    preset: Annotated[str, typer.Option(help="vadclip-ucf or vadclip-xd; by its layers if left out.")] = "",
    classes: Annotated[
        str, typer.Option(metavar="NAMES", help="Class names with commas between, the normal one first.")
    ] = "",
) -> None:
    """Read a published checkpoint into a model's folder; nothing in it is run.

    Exit code: 0 done, 1 the file can't be used, 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad video import vadclip:model_ucf.pth --out ucf/[/cyan]
      [cyan]zsad video score clip.mp4 --method ucf/ --out out/[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.cli.video.lists import names_of
    from zsad.video.weak.importing import import_vadclip

    card = import_vadclip(source, out, preset=preset, classes=names_of(classes))
    Terminal(soft_wrap=True).print(
        f"{card.config.preset}, {len(card.classes)} classes, width {card.config.width}: {out}"
    )


def export_model(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Folder of a learned video model.")],
    out: Annotated[Path, options.option("The ONNX file.", metavar="FILE")],
    classes: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Other classes by their names, with commas between; unseen in training."),
    ] = "",
) -> None:
    """Write a learned video model as one ONNX file, which is compared with the model before it is put in place.

    Its inputs are features (B, T, D) and which rows are there (B, T); its outputs scores and class scores. The texts of
    its classes are inside.

    Exit code: 0 done, 1 the model can't be used, 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad video export ucf/ --out ucf.onnx[/cyan]
      [cyan]zsad video score clip.mp4 --method ucf.onnx --out out/[/cyan]
      [cyan]zsad video export ucf/ --classes "flood,car accident" --out other.onnx[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.cli.video.lists import names_of
    from zsad.cli.video.methods import named
    from zsad.video.weak.folder import load_weak
    from zsad.video.weak.onnx_file import export_weak

    network = load_weak(model)
    if names_of(classes):
        network = named(network, names_of(classes))
    done = export_weak(network, out)
    size, apart = f"{done.size / 1e6:.1f} MB", f"{done.difference:.1g}"
    Terminal(soft_wrap=True).print(f"{done.path}: {size}, scores differ by at most {apart}")
