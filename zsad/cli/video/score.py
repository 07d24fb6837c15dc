"""``zsad video score``: videos in; frame scores, events, key frames, an annotated video and pages out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.cli import options
from zsad.cli.video import asking
from zsad.cli.video import shared_options as shared

if TYPE_CHECKING:
    from zsad.video.run import Done

_OUT, _HOW, _EVENTS = "Output", "Method", "Events"


def score(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH", help="Videos, folders of numbered frames, and folders of these.", show_default=False
        ),
    ],
    out: Annotated[Path | None, options.option("Folder: a folder for each video, and index.html.", _OUT)] = None,
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
    features: Annotated[
        Path | None,
        options.option(
            "Folder of `zsad video extract`: what a learned model scores in place of frames, or else for the refiner "
            "retrieval.",
            _HOW,
            metavar="DIR",
        ),
    ] = None,
    normal: shared.NormalClips = None,
    normal_seconds: shared.NormalSeconds = None,
    threshold: Annotated[
        float | None,
        options.option("Score from which an event begins; without it one to begin with is tried.", _EVENTS),
    ] = None,
    low: shared.Low = None,
    min_frames: shared.MinFrames = 1,
    gap: shared.Gap = 0,
    thresholds: shared.ThresholdFile = None,
    fail_on: Annotated[
        str | None, options.option("Exit with code 3 if a video has an event.", _EVENTS, metavar="anomalous")
    ] = None,
    set_: shared.Set = None,
    video: Annotated[
        bool | None,
        typer.Option(
            "--video/--no-video",
            "--overlay/--no-overlay",
            help="Write the annotated video (VP9), of motion, map and fused; yes by default.",
            rich_help_panel=_OUT,
            show_default=False,
        ),
    ] = None,
    maps: Annotated[
        bool,
        typer.Option(
            "--maps",
            help="Write maps.npy too, for the pixel level of `zsad video eval`: 4 bytes a pixel and frame.",
            rich_help_panel=_OUT,
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Pass over what the last run into --out has done.", rich_help_panel=_OUT)
    ] = False,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
    endpoint: asking.Endpoint = None,
    llm: asking.Llm = None,
    anomaly: asking.Anomaly = None,
    dry_run: asking.DryRun = False,
    budget: asking.BudgetText = None,
    record: asking.Record = None,
    replay: asking.Replay = None,
    cache: asking.CacheFile = None,
    timeout: asking.Timeout = None,
    concurrency: asking.Concurrency = None,
    max_images: asking.MaxImages = None,
    schema: asking.Schema = False,
) -> None:
    """Score the frames of videos, and find events.

    Writes DIR/NAME/ with scores.json, scores.csv, events.json, key frames, index.html, and annotated.webm of motion,
    map and fused; and DIR/index.html. Ctrl-C keeps what is known so far.

    Exit code: 0 all done, 1 some or all videos failed or are partial (each is named), 2 wrong usage, 3 a video has an
    event (only with --fail-on anomalous; it goes before 1), 4 the budget ended before; what was paid for is kept.

    [bold]Examples[/bold]

      [cyan]zsad video score clip.mp4 --out out/[/cyan]
      [cyan]zsad video score clips/ --out out/ --method fused --normal good.mp4[/cyan]
      [cyan]zsad video score hall.mp4 --out out/ --normal-seconds 30 --threshold 2.5 --min-frames 10[/cyan]
      [cyan]zsad video score line.mp4 --out out/ --method map --model bundle/ --stride 8 --no-video[/cyan]
      [cyan]zsad video score clip.mp4 --out out/ --method model/ --threshold 0.5 --set "classes=fighting,fire"[/cyan]
      [cyan]zsad video score yard.mp4 --out out/ --method ask --endpoint http://localhost:8000/v1[/cyan]
    """
    from dataclasses import replace

    from zsad.cli.video.choices import chosen, settings_of, stamped
    from zsad.cli.video.language_methods import scorer_of
    from zsad.cli.video.methods import LOOKING, METHODS
    from zsad.cli.video.screen import Screen
    from zsad.errors import BudgetError, UsageError
    from zsad.terminal import say
    from zsad.video.finding import find_videos, video_names
    from zsad.video.learned.scorer import is_learned
    from zsad.video.live import Rule
    from zsad.video.run import Plan, score_videos
    from zsad.video.thresholds import read_video_thresholds

    if out is None and not dry_run:
        raise UsageError("--out is missing: the folder that results go into")
    if fail_on not in (None, "anomalous"):
        raise UsageError(f"--fail-on is anomalous, not {fail_on:.40}")
    shared.check_events(threshold, low, min_frames, gap, thresholds)
    if threshold is None and low is not None:
        raise UsageError("--low needs --threshold, below which it lies")
    if fail_on and threshold is None and thresholds is None:
        raise UsageError("--fail-on anomalous needs --threshold, or --thresholds FILE")
    if maps and method not in LOOKING:
        raise UsageError(f"--maps: {method:.40} has no maps of frames; {', '.join(LOOKING)} have")
    if video and method not in LOOKING:
        raise UsageError(f"--video: {method:.40} has no annotated video; {', '.join(LOOKING)} have; leave it out")
    video = video is not False
    choices = chosen(model=model, prompt=prompt, noun=noun, device=device, dtype=dtype, stride=stride, fps=fps,
                     folder_fps=folder_fps, refine=refine, normal=normal, normal_seconds=normal_seconds,
                     map_score=map_score, pixel_threshold=pixel_threshold, motion_kind=motion_kind,
                     more=set_)  # fmt: skip
    compared = any(refiner.name == "retrieval" for refiner in choices.refiners or ())
    learned = features is not None and not compared and is_learned(method)
    if compared != (features is not None) and not learned:
        raise UsageError("the refiner retrieval and --features DIR, of `zsad video extract`, go together; only a "
                         "learned model takes --features alone")  # fmt: skip
    choices = replace(choices, features=features if learned else None)
    file = None if thresholds is None else read_video_thresholds(thresholds)
    rule = Rule(threshold or 0.0, low, min_frames, gap) if file is None else file.rule
    found = find_videos(paths, skip=out, say=lambda line: say(f"not read: {line}"))
    names = video_names(found)
    asked = asking.Asking(
        endpoint, llm, anomaly, budget, record, replay, dry_run, cache, timeout, concurrency, max_images, schema
    )
    words = {"endpoint": endpoint, "llm": llm, "anomaly": anomaly, **({"max_images": max_images} if max_images else {}),
             **({"schema": True} if schema else {})}  # fmt: skip
    videos = list(zip(names, found, strict=True))
    with scorer_of(method, choices, asked) as scorer:
        if out is None or dry_run:
            asking.tell_plan(videos, scorer)
            return
        plan = Plan(
            out, rule, hint=threshold is None and file is None,
            thresholds=None if file is None or thresholds is None else (file, thresholds),
            refiners=choices.refiners or (), video=video, maps=maps,
            features=None if learned else features, resume=resume,
            settings={"method": method if method in METHODS else stamped(method), **settings_of(choices), **words,
                      "rule": str(rule), "video": video,
                      "maps": maps, "features": None if features is None else str(features)},
        )  # fmt: skip
        screen = Screen(len(found))
        try:
            with screen:
                done = score_videos(scorer, videos, plan, screen.done, screen.stage)
        except BudgetError as error:
            say(error)
            raise typer.Exit(asking.SPENT) from None
    screen.summary(done, out)
    if fail_on and any(one.told is not None and one.told.events for one in done):
        raise typer.Exit(3)
    raise typer.Exit(_code(done))


def _code(done: list[Done]) -> int:
    failed: list[Any] = [one for one in done if one.error or one.told is None or one.told.partial]
    return 1 if failed else 0
