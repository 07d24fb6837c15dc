"""``zsad export``: a backbone and a prompt as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli import options


def export(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The .onnx file to write.")],
    recipe: Annotated[
        Path | None, options.option("Recipe with any of these; options given here win.", metavar="YAML")
    ] = None,
    model: Annotated[
        str | None, options.option("Backbone, such as ViT-L-14-336/openai or local-dir:PATH.", metavar="ID")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Prompt bank, trained prompt, or its file. \\[default: industrial]")
    ] = None,
    object: Annotated[str | None, options.option("What the object is, for a bank.", metavar="NOUN")] = None,
    normal: Annotated[str | None, options.option("What normal looks like, in words.", metavar="TEXT")] = None,
    anomalous: Annotated[str | None, options.option("What anomalous looks like.", metavar="TEXT")] = None,
    image_size: Annotated[int | None, options.option("Side of the input in pixels.", metavar="N")] = None,
    fp16_weights: Annotated[bool, typer.Option("--fp16-weights", help="Half the size, same speed.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="A third of the size, faster on most CPUs, less exact.")] = False,
    features: Annotated[
        bool, typer.Option("--features", help="Also give the features, so that other scorers run without torch.")
    ] = False,
    opset: Annotated[int | None, typer.Option(metavar="N", help="ONNX operator set, 18 to 23. \\[default: 20]")] = None,
    store_prompt: Annotated[
        list[str] | None, options.option("Store a bank for use without torch; may be repeated.", metavar="BANK")
    ] = None,
    store_object: Annotated[
        list[str] | None, options.option("Store those banks for an object, too; may be repeated.", metavar="NOUN")
    ] = None,
    store_text: Annotated[
        list[str] | None,
        options.option("Store a phrase for --normal and --anomalous; may be repeated.", metavar="TEXT"),
    ] = None,
) -> None:
    """Write a model as one ONNX file that needs no torch; it is compared with the original first."""
    from dataclasses import replace
    from importlib.util import find_spec
    from typing import Any

    from zsad.cli.terminal import Terminal
    from zsad.errors import MissingExtraError, UsageError, printable

    if any(find_spec(package) is None for package in ("torch", "open_clip", "onnx", "onnxscript")):
        raise MissingExtraError("zsad export", "torch")
    if fp16_weights and int8:
        raise UsageError("--fp16-weights and --int8 exclude each other: give one of them")
    from zsad.config import from_yaml
    from zsad.onnx_export.recipe import Recipe, Store, write

    plan = from_yaml(Recipe, recipe) if recipe else Recipe()
    given: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "object": object,
        "normal": normal,
        "anomalous": anomalous,
        "image_size": image_size,
        "opset": opset,
        "features": features or None,
        "weights": "float16" if fp16_weights else "int8" if int8 else None,
    }
    if store_prompt or store_object or store_text:
        given["store"] = Store(tuple(store_prompt or ()), tuple(store_object or ()), tuple(store_text or ()))
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    if not plan.model:
        raise UsageError("which model? give --model ID, or a --recipe that names one")
    report = write(plan, out)
    Terminal(soft_wrap=True).print(
        f"{printable(report.path)}: {report.size / 1e6:.1f} MB, {report.weights} weights, opset {report.opset}, "
        f"{report.nodes} operators; against the original at batch 1 and 2: map {report.difference.map:.1e} "
        f"(at most {report.tolerance.map:g}), score {report.difference.score:.1e} (at most {report.tolerance.score:g})"
    )
