"""``zsad video eval``: scores of videos against labels, with content-free baselines beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli import options

_SCORES, _OUTPUT = "Scores", "Output"


def eval(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET[@VERSION]",
            help="A name of `zsad video data`, such as ucf-crime@revised, or csv:FILE (columns name, start, end, "
            "label, in frames or seconds).",
        ),
    ],
    labels: Annotated[
        Path | None, options.option("Folder of labels, laid out as the published repositories are.", metavar="DIR")
    ] = None,
    scores: Annotated[
        Path | None,
        options.option(
            "Folder of scores: NAME.json, NAME/scores.json, or one value per frame in NAME.npy.", _SCORES, metavar="DIR"
        ),
    ] = None,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial", help="Measure the videos that have scores; the rest is listed.", rich_help_panel=_SCORES
        ),
    ] = False,
    fps: Annotated[
        float,
        typer.Option(min=0, help="Frames per second where neither scores nor labels say.", rich_help_panel=_SCORES),
    ] = 0.0,
    threshold: Annotated[
        float | None, options.option("Score from which a frame alarms: adds delays and false alarms per hour.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples of the videos for 95 % intervals; 0 for none.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 0,
    pixel: Annotated[
        bool,
        typer.Option(
            "--pixel",
            help="Also the pixel level of ucsd-ped1 and ucsd-ped2: NAME/maps.npy (frames, H, W) "
            "against the masks in the labels' folder.",
        ),
    ] = False,
    compat: Annotated[
        list[str] | None, options.option("A rule of the field, repeatable: start-gt-0 (TAD), cut16.", metavar="RULE")
    ] = None,
    json: Annotated[
        str | None,
        options.option("File for the figures; - for standard output instead of the table.", _OUTPUT, metavar="FILE"),
    ] = None,
) -> None:
    """Measure scores of videos: AUC over all frames, over abnormal videos and per video, AP, mAP in time, alarms.

    Says which labels were used and what was done to the scores, and puts beside them what is reached without looking at
    a video.

    Exit code: 0 all measured, 1 some input failed or was left out (it is named), 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad video eval ucf-crime@official --labels labels/ --scores scores/[/cyan]
      [cyan]zsad video eval csv:mine.csv --scores scores/ --threshold 0.5 --bootstrap 1000[/cyan]
    """  # fmt: skip
    import math

    from zsad.cli import figures
    from zsad.cli.video import tables
    from zsad.errors import UsageError
    from zsad.evaluation.provenance import versions
    from zsad.video.evaluation import evaluate, pixel_level, read_scores
    from zsad.video.labels import load_labels

    if scores is None:
        raise UsageError("no scores to measure: give their folder with --scores DIR")
    if threshold is not None and not math.isfinite(threshold):
        raise UsageError(f"the threshold is {threshold}; it must be a finite number")
    figures.check_data(json)
    read = load_labels(dataset, labels, tables.rules(compat))
    found = read_scores(scores, read, partial=partial)
    result = evaluate(read, found, threshold=threshold, bootstrap=bootstrap, seed=seed, fps=fps)
    if pixel:
        result = result.with_pixels(*pixel_level(read, labels or "", scores, partial=partial))
    figures.write_data(json, result.to_dict() | {"compat": sorted(tables.rules(compat)), "versions": versions()})
    if json != "-":
        tables.show_evaluation(result, bootstrap)
    tables.say_left_out(result)
    if result.left_out:
        raise typer.Exit(1)
