"""``zsad export``: a backbone and a prompt as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.cli import options

if TYPE_CHECKING:
    from zsad.onnx_export import ExportReport


def export(
    out: Annotated[Path | None, options.option("The .onnx file to write.", None, "--out", metavar="FILE")] = None,
    triton: Annotated[
        Path | None,
        options.option(
            "In place of --out: a model repository for Triton, also of a file that is exported already.", metavar="DIR"
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        options.option("Recipe with any of these, a file or a name such as industrial; options win.", metavar="YAML"),
    ] = None,
    model: Annotated[
        str | None,
        options.option(
            "Backbone, such as ViT-L-14-336/openai or local-dir:PATH; with --triton also an .onnx file.", metavar="ID"
        ),
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
    text: Annotated[
        bool,
        typer.Option("--text", help="Write the text tower alone: it needs no torch to compare texts and pictures."),
    ] = False,
    features: Annotated[
        bool, typer.Option("--features", help="Also give the features, so that other scorers run without torch.")
    ] = False,
    fused: options.Fused = False,
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
    """Write a model as one ONNX file that needs no torch; it is compared with the original first.

    A bundle of `zsad fit` goes in with its memory; of one with an ONNX file as its backbone without torch, too. With
    `--text` it is the model's text tower alone, by default that of the bundled model.
    """
    from dataclasses import replace
    from importlib.util import find_spec
    from typing import Any

    from zsad.detector.bundle import is_bundle
    from zsad.errors import MissingExtraError, UsageError
    from zsad.outside import printable

    if (out is None) == (triton is None):
        raise UsageError("give --out FILE for the .onnx file, or --triton DIR for a repository that has it")
    words = (recipe, prompt, object, normal, anomalous, image_size, opset, store_prompt, store_object, store_text)
    if text and (triton or any((*words, fp16_weights, int8, features, fused))):
        raise UsageError("--text writes a text tower alone: beside it --model and --out are taken")
    if triton is not None and not any(words) and _served(model, triton, fp16_weights or int8 or features or fused):
        return
    out = out if triton is None else _place(triton)
    assert out is not None
    if text:
        _text(model, out)
        return
    bundle = bool(model) and is_bundle(str(model))
    if fused and not bundle:
        raise UsageError(f"--fused is for bundles that `zsad fit` wrote, not for {printable(model)}; leave it out")
    if bundle and (recipe or prompt or object or normal or anomalous or image_size or fp16_weights or int8 or opset
                   or store_prompt or store_object or store_text):  # fmt: skip
        raise UsageError(
            "a bundle is exported as it was fitted: beside --model and --out it takes --fused and --features"
        )
    if bundle and find_spec("onnx") is None:
        raise MissingExtraError("zsad export of a bundle", "dinov2")
    if bundle:
        _say(_bundle(str(model), out, fused, features), triton)
        return
    if any(find_spec(package) is None for package in ("torch", "open_clip", "onnx", "onnxscript")):
        raise MissingExtraError("zsad export", "torch")
    if fp16_weights and int8:
        raise UsageError("--fp16-weights and --int8 exclude each other: give one of them")
    from zsad import paths
    from zsad.config import from_yaml
    from zsad.onnx_export.recipe import Recipe, Store, write

    plan = from_yaml(Recipe, paths.recipe_file(recipe)) if recipe else Recipe()
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
    _say(write(plan, out), triton)


def _text(model: str | None, out: Path) -> None:
    """Write a text tower; the bundled model's by default."""
    from importlib.util import find_spec

    from zsad.cli.terminal import Terminal
    from zsad.errors import MissingExtraError
    from zsad.outside import printable
    from zsad.paths import asset

    if any(find_spec(package) is None for package in ("torch", "open_clip", "onnx", "onnxscript")):
        raise MissingExtraError("zsad export --text", "torch")
    from zsad.backbone import load_backbone
    from zsad.onnx_export.text import export_text

    done = export_text(load_backbone(model or f"local-dir:{asset('tiny.onnx').with_name('tiny')}"), out)
    Terminal(soft_wrap=True).print(
        f"{printable(done.path)}: {done.size / 1e6:.1f} MB, text tower of {printable(done.card.backbone)} with weights "
        f"{done.card.fingerprint}; against the original: {done.difference:.1e} (at most {done.allowed:g})"
    )


def _bundle(model: str, out: Path, fused: bool, features: bool) -> ExportReport:
    """Put a bundle's memory into its backbone's file, or export both from torch."""
    import zsad
    from zsad.detector.bundle import read_bundle
    from zsad.detector.onnx_detector import OnnxDetector
    from zsad.errors import UsageError

    detector = zsad.load(model, fused=fused)
    if not isinstance(detector, OnnxDetector):
        from zsad.onnx_export import export as export_torch

        return export_torch(detector, out, features=features)
    from zsad.onnx_export.bake import bake

    source = detector.source
    if not isinstance(source, Path):
        raise UsageError(f"{model}: its backbone is no file")
    return bake(read_bundle(model), detector, source, out, fused=fused, features=features)


def _place(triton: Path) -> Path:
    from zsad.onnx_export.triton import place_of

    return place_of(triton)


def _served(model: str | None, triton: Path, more: bool) -> bool:
    """Make a repository of a file that is there, as it is; returns whether the model is one."""
    from zsad.detector.loading import onnx_file
    from zsad.detector.onnx_detector import OnnxDetector
    from zsad.errors import UsageError
    from zsad.onnx_export.triton import copied
    from zsad.outside import printable

    source = onnx_file(model)
    if source is None:
        return False
    if more:
        raise UsageError(f"{printable(source)}: is served as it is; beside --model it takes --triton alone")
    OnnxDetector(source)  # says what is wrong with it, before anything is written
    copied(source, _place(triton))
    _say_triton(triton)
    return True


def _say_triton(triton: Path) -> None:
    from zsad.cli.terminal import Terminal
    from zsad.onnx_export.triton import configure
    from zsad.outside import printable

    others = ", ".join(path.stem for path in configure(triton)[1:])
    Terminal(soft_wrap=True).print(
        f"{printable(triton)}: serve it with tritonserver --model-repository {printable(triton.resolve())}; on CPU, or "
        f"by --model-config-name: {others}"
    )


def _say(report: ExportReport, triton: Path | None = None) -> None:
    from zsad.cli.terminal import Terminal
    from zsad.outside import printable

    Terminal(soft_wrap=True).print(
        f"{printable(report.path)}: {report.size / 1e6:.1f} MB, {report.weights} weights, opset {report.opset}, "
        f"{report.nodes} operators; against the original at batch 1 and 2: map {report.difference.map:.1e} "
        f"(at most {report.tolerance.map:g}), score {report.difference.score:.1e} (at most {report.tolerance.score:g})"
    )
    if triton is not None:
        _say_triton(triton)
