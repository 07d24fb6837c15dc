"""``zsad video calibrate``: normal footage in, a threshold with its false alarms an hour out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli import options
from zsad.cli.video import shared_options as shared


def calibrate(
    normals: Annotated[
        list[Path], options.option("Video or folder without anomalies, repeatable: a fair sample.", "Footage")
    ],
    out: Annotated[Path, options.option("File of thresholds to write (JSON).", "Output")],
    alarms_per_hour: Annotated[
        float, typer.Option(help="False alarms an hour that are allowed.", rich_help_panel="Events")
    ] = 1.0,
    method: shared.Method = "motion",
    model: shared.Model = None,
    prompt: options.Prompt = None,
    noun: options.Noun = None,
    stride: shared.Stride = None,
    fps: shared.Rate = None,
    folder_fps: shared.FolderFps = 0.0,
    map_score: shared.MapScore = "top1",
    pixel_threshold: options.PixelThreshold = None,
    motion_kind: shared.MotionKind = "flow",
    refine: shared.Refine = None,
    normal: shared.NormalClips = None,
    normal_seconds: shared.NormalSeconds = None,
    min_frames: shared.MinFrames = 1,
    gap: shared.Gap = 0,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
) -> None:
    """Set the threshold of a method by footage without anomalies.

    The footage must be other than what --normal learns from. From the threshold on it has no more events than allowed;
    how many an hour are to be expected at most is stated beside it.

    Exit code: 0 done, 1 footage that can't be used, 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad video calibrate --normals night.mp4 --out t.json[/cyan]
      [cyan]zsad video calibrate --normals days/ --alarms-per-hour 0.1 --min-frames 10 --out t.json[/cyan]
      [cyan]zsad video score hall.mp4 --thresholds t.json --out out/[/cyan]
    """
    from zsad.cli.lines import counted, say
    from zsad.cli.video.choices import chosen
    from zsad.cli.video.methods import build
    from zsad.errors import InputError, UsageError
    from zsad.outside import printable
    from zsad.video.finding import find_videos
    from zsad.video.methods.look import FrameMethod
    from zsad.video.refine import apply_refiners
    from zsad.video.thresholds import calibrate_video, check_place, write_video_thresholds

    check_place(out)
    choices = chosen(model=model, prompt=prompt, noun=noun, device=device, dtype=dtype, stride=stride, fps=fps,
                     folder_fps=folder_fps, refine=refine, normal=normal, normal_seconds=normal_seconds,
                     map_score=map_score, pixel_threshold=pixel_threshold, motion_kind=motion_kind)  # fmt: skip
    videos = find_videos(normals, say=lambda line: say(f"not read: {line}", error=True))
    learned = {path.resolve() for path in normal or ()}
    both = [path for path in videos if path.resolve() in learned]
    if both:
        raise UsageError(
            f"{printable(both[0])}: is learned from (--normal), and can't set a threshold too; give others"
        )
    scorer, found = build(method, choices), []
    with counted("frames") as step:
        for path in videos:
            series = scorer.score(path, lambda done, total: step())
            if series.partial:
                raise InputError(f"{printable(path)}: can't be read to its end; take it out or mend it")
            found.append(series if isinstance(scorer, FrameMethod) else apply_refiners(series, choices.refiners or ()))
    set_by = calibrate_video(found, alarms_per_hour, min_frames=min_frames, gap=gap)
    write_video_thresholds(out, set_by)
    say(f"An event is a score from {set_by.rule.threshold:.6g}, {set_by.method} ({set_by.model}).")
    say(f"{set_by.told()[:1].upper()}{set_by.told()[1:]}.", style="bold")
    if set_by.at_most > alarms_per_hour:
        say(f"The footage is too short for a statement on {alarms_per_hour:g} an hour: give {_hours(alarms_per_hour)}.",
            style="yellow", error=True)  # fmt: skip
    say(f"Wrote {printable(out)}")


def _hours(per_hour: float) -> str:
    return f"{3 / per_hour:.3g} h without an alarm"
