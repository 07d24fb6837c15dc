"""``zsad eval``: labelled images in, a table of metrics out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.cli import options

if TYPE_CHECKING:
    from zsad.data.spec import Loaded
    from zsad.detector.base import Detector
    from zsad.evaluation import Table

_OUTPUT, _SHOTS = "Output", "Good images, or none"


def eval(
    context: typer.Context,
    data: Annotated[
        list[str],
        options.option(
            "Labelled images, repeatable. LAYOUT is mvtec (CLASS/test/DEFECT/ and CLASS/ground_truth/DEFECT/), "
            "pairs (images/ and masks/), folders (good/ and bad/), csv (columns image, label, mask), meta (meta.json), "
            "or a name of `zsad data list`. KEY names the data in the output; by default the folder's name.",
            metavar="[KEY=]LAYOUT:PATH",
        ),
    ],
    model: options.Model = None,
    fused: options.Fused = False,
    prompt: options.Prompt = None,
    noun: options.Noun = None,
    normal: options.Normal = None,
    anomalous: options.Anomalous = None,
    thresholds: options.Thresholds = None,
    threshold: options.Threshold = None,
    pixel_threshold: options.PixelThreshold = None,
    min_area: options.MinArea = None,
    rule: options.RuleOption = None,
    shots: Annotated[
        str | None,
        options.option(
            "Fit each class to so many of its good images: of its training split, else normal images that are then not "
            "measured.",
            _SHOTS,
            metavar="K|all",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Draws of the good images, from --seed on.", rich_help_panel=_SHOTS)
    ] = 1,
    rotations: Annotated[
        str, typer.Option(metavar="8|none|auto", help="As `zsad fit`.", rich_help_panel=_SHOTS)
    ] = "auto",
    foreground: Annotated[
        str, typer.Option(metavar="on|off|auto", help="As `zsad fit`.", rich_help_panel=_SHOTS)
    ] = "auto",
    mutual: Annotated[
        bool,
        typer.Option(
            "--mutual",
            help="Score the images of each class against each other: no strict protocol.",
            rich_help_panel=_SHOTS,
        ),
    ] = False,
    tile: options.Tile = None,
    bits: options.Bits = 16,
    masks: options.Masks = "auto",
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
    resolution: Annotated[
        str,
        typer.Option(
            metavar="model|original|N",
            help="Size that maps and masks are compared at: the model's own (as published), the image's, or N x N.",
        ),
    ] = "model",
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples of the images for 95 % intervals; 0 for none.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the resamples, and of --shots.")] = 0,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Measure what is usable of an incomplete dataset; what is wrong is listed."),
    ] = False,
    json: Annotated[
        str | None, options.option("File for the figures; - for standard output instead of the table.", _OUTPUT)
    ] = None,
    save_maps: Annotated[
        Path | None, options.option("Folder for every map (float32 .npy) and scores.jsonl.", _OUTPUT)
    ] = None,
) -> None:
    """Measure a model on labelled images: AUROC, AP, F1-max and AUPRO, per class and their mean.

    Strict protocol: one image at a time. With thresholds, also how many good images they reject and how many defects
    they miss, at each image's own size.

    Exit code: 0 all measured, 1 some inputs failed or were left out (each is named), 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad eval --data mvtec:parts/[/cyan]
      [cyan]zsad eval --data lines=pairs:cracks/ --data folders:cookies/ --json figures.json[/cyan]
      [cyan]zsad eval --data mvtec:parts/ --thresholds thresholds.json[/cyan]
      [cyan]zsad eval --data mvtec-ad:/data/mvtec --model model.onnx --bootstrap 1000[/cyan]
      [cyan]zsad eval --data mvtec:parts/ --shots 4 --seeds 3[/cyan]    fitted to good images of each class
    """  # fmt: skip
    from zsad.cli import each, figures
    from zsad.data.spec import load_samples, parse_data_specs
    from zsad.errors import UsageError
    from zsad.evaluation import Options, evaluate, parse_resolution
    from zsad.thresholds import check_judges, chosen

    size = parse_resolution(resolution)
    figures.check_data(json)
    specs = parse_data_specs(data)
    loaded = [load_samples(spec, partial=partial, masks=masks) for spec in specs]
    if shots is None:
        options.refuse(context, ("rotations", "foreground"), "{} goes with --shots, which fits to good images: add it")
    if shots is None and not mutual:
        options.refuse(context, ("seeds",), "{} goes with --shots or --mutual, which draw images: add one of them")
    if shots is not None or mutual:
        if (
            any(value is not None for value in (thresholds, threshold, pixel_threshold, min_area, rule, tile))
            or save_maps
        ):
            raise UsageError("with --shots or --mutual each class has scores of its own: leave thresholds, --tile and "
                             "--save-maps out")  # fmt: skip
        plan = each.Plan(shots, seed, seeds, rotations, foreground, fused, mutual)
        detector, table = each.measure(
            plan, loaded, model, Options(size, bootstrap, seed), prompt=prompt, object=noun, normal=normal,
            anomalous=anomalous, device=device, dtype=dtype, bits=bits,
        )  # fmt: skip
        _show(detector, table, loaded, json)
        return
    detector = options.load(model, fused=fused or None, prompt=prompt, object=noun, normal=normal, anomalous=anomalous,
                            device=device, dtype=dtype, tile=tile, bits=bits, orient=False)  # fmt: skip
    judged = chosen(
        thresholds, image=threshold, pixel=pixel_threshold, min_area=min_area, rule=rule, card=detector.card,
        look=detector.look,
    )  # fmt: skip
    detector = detector.with_thresholds(judged)
    check_judges(detector.thresholds, rule=rule)
    samples = [sample for one in loaded for sample in one.samples]
    with figures.progress(len(samples)) as step:
        table = evaluate(detector, samples, resolution=size, bootstrap=bootstrap, seed=seed, save_maps=save_maps,
                         progress=step, data=figures.data_facts({one.spec.key: one for one in loaded}))  # fmt: skip
    _show(detector, table, loaded, json)


def _show(detector: Detector, table: Table, loaded: list[Loaded], json: str | None) -> None:
    """Write and print the figures; leave with 1 if something is not in them."""
    from zsad.cli import figures

    figures.write_data(json, table.to_json())
    if json != "-":
        figures.show_tables(table, {one.spec.key: one.spec.layout for one in loaded}, detector.thresholds)
    problems = [line for one in loaded for line in one.report.problems]
    figures.show_left_out(table, problems, [line for one in loaded for line in one.report.left_out])
    if problems or table.left_out:
        raise typer.Exit(1)
