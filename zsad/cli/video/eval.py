"""``zsad video eval``: scores of videos against labels, with content-free baselines beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.cli import options
from zsad.cli.video import shared_options as shared

if TYPE_CHECKING:
    from zsad.video.evaluation.score_files import ScoresFound
    from zsad.video.labels import Labels

_SCORES, _METHOD, _OUTPUT = "Scores", "Method", "Output"


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
    method: Annotated[
        str | None,
        options.option(
            "Score the videos of --data instead, as `zsad video score` does: motion, map, fused ...", _METHOD
        ),
    ] = None,
    data: Annotated[
        Path | None,
        options.option(
            "Folder of the videos, at any depth: files, or folders of frames, named as the labels have them.",
            _METHOD,
            metavar="PATH",
        ),
    ] = None,
    keep: Annotated[
        Path | None, options.option("Folder that the scores made are kept in, for --scores.", _METHOD, metavar="DIR")
    ] = None,
    model: shared.Model = None,
    stride: shared.Stride = None,
    fps: shared.Rate = None,
    folder_fps: shared.FolderFps = 0.0,
    map_score: shared.MapScore = "top1",
    motion_kind: shared.MotionKind = "flow",
    refine: shared.Refine = None,
    normal: shared.NormalClips = None,
    normal_seconds: shared.NormalSeconds = None,
    set_: shared.Set = None,
    device: options.Device = "cpu",
    partial: Annotated[
        bool,
        typer.Option(
            "--partial", help="Measure the videos that have scores; the rest is listed.", rich_help_panel=_SCORES
        ),
    ] = False,
    rate: Annotated[
        float,
        typer.Option(
            min=0, help="Frames per second of videos whose scores and labels don't say.", rich_help_panel=_SCORES
        ),
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
      [cyan]zsad video eval ucsd-ped2 --labels labels/ --method motion --data UCSDped2/Test/[/cyan]
    """  # fmt: skip
    import math

    from zsad.cli import figures
    from zsad.cli.video import tables
    from zsad.cli.video.choices import chosen
    from zsad.errors import UsageError
    from zsad.evaluation.provenance import versions
    from zsad.video.evaluation import evaluate, pixel_level, read_scores
    from zsad.video.labels import load_labels

    if (scores is None) == (method is None):
        raise UsageError("give what is measured: --scores DIR, or --method NAME with --data PATH")
    if (method is None) != (data is None) or (pixel and scores is None):
        raise UsageError(
            "a method and the folder of its videos (data) go together; the pixel level needs scores in files"
        )
    if threshold is not None and not math.isfinite(threshold):
        raise UsageError(f"the threshold is {threshold}; it must be a finite number")
    figures.check_data(json)
    read = load_labels(dataset, labels, tables.rules(compat))
    if scores is not None:
        found = read_scores(scores, read, partial=partial)
    else:
        choices = chosen(refine=refine, normal=normal, more=set_, model=model, device=device, stride=stride, fps=fps,
                         folder_fps=folder_fps, map_score=map_score, motion_kind=motion_kind,
                         normal_seconds=normal_seconds)  # fmt: skip
        found = _scored(str(method), choices, read, Path(data or ""), keep, partial=partial)
    result = evaluate(read, found, threshold=threshold, bootstrap=bootstrap, seed=seed, fps=rate)
    if pixel and scores is not None:
        result = result.with_pixels(*pixel_level(read, labels or "", scores, partial=partial))
    figures.write_data(json, result.to_dict() | {"compat": sorted(tables.rules(compat)), "versions": versions()})
    if json != "-":
        tables.show_evaluation(result, bootstrap)
    tables.say_left_out(result)
    if result.left_out:
        raise typer.Exit(1)


def _scored(method: str, choices: Any, labels: Labels, data: Path, keep: Path | None, *, partial: bool) -> ScoresFound:
    """Score the videos of a test set, with a bar while a terminal watches."""
    from zsad.cli.video.methods import build
    from zsad.cli.video.screen import Screen
    from zsad.outputs import check_folder
    from zsad.video.evaluation.by_method import score_videos
    from zsad.video.series import ScoreSeries, write_series
    from zsad.video.source import video_name

    if keep is not None:
        check_folder(keep, "give another folder to keep the scores in")

    def kept(name: str, series: ScoreSeries) -> None:
        if keep is not None:
            write_series(keep / video_name(f"{name}.mp4") / "scores.json", series)

    screen, under_way = Screen(1), [("", lambda done, total: None)]

    def progress(name: str, done: int, total: int | None) -> None:
        if name != under_way[0][0]:
            under_way[0] = (name, screen.stage(name, "scored"))
        under_way[0][1](done, total)

    scorer = build(method, choices)
    with screen:
        return score_videos(scorer, labels, data, partial=partial, progress=progress, keep=kept)
