"""Videos through a method into folders, one after another; what is finished is kept, an earlier run gone on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zsad.errors import InputError, ZsadError
from zsad.outside import printable
from zsad.stream.item import stamp_of
from zsad.video.detector import Maps, VideoResult, result_of
from zsad.video.feature_rows import stored_rows
from zsad.video.live import Rule
from zsad.video.maps import MapStore
from zsad.video.maps_file import MapsFile
from zsad.video.methods.look import FrameMethod
from zsad.video.output import KEYS, VIDEO, Told, check_place, earlier, told_of, write_events, write_scores
from zsad.video.pictures import draw, draw_plain, key_name
from zsad.video.refine import Refiner, apply_refiners
from zsad.video.scorer import OnFrame, VideoScorer
from zsad.video.scoring import Looked, look_at
from zsad.video.thresholds import VideoThresholds, check_same

Stage = Callable[[str, str], OnFrame]
"""Given a video's name and ``"scoring"`` or ``"drawing"``; gives what is told of progress."""


def no_stage(name: str, stage: str) -> OnFrame:
    """Tell nobody of progress."""
    return lambda done, total: None


@dataclass(frozen=True)
class Plan:
    """What a run writes, and how it judges.

    Attributes:
        out: the folder.
        rule: threshold and lengths of events; its threshold means nothing with ``hint``.
        hint: whether each video's own scores give a threshold to begin with.
        thresholds: the file that the rule is from, with its path; None if it is from none.
        refiners: of scorers that do not refine by themselves.
        video: whether the annotated video is written, of methods that look at frames.
        pages: whether pages are written.
        maps: whether ``maps.npy`` is written, of methods that look at frames.
        features: folder of `zsad video extract`, for the refiner ``retrieval``.
        resume: whether videos of an earlier run with the same settings are passed over.
        settings: what tells one run from another.
    """

    out: Path
    rule: Rule = field(default_factory=lambda: Rule(0.0))
    hint: bool = True
    thresholds: tuple[VideoThresholds, Path] | None = None
    refiners: tuple[Refiner, ...] = ()
    video: bool = True
    pages: bool = True
    maps: bool = False
    features: Path | None = None
    resume: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """What became of one video.

    Attributes:
        name: of its folder.
        path: the video.
        told: what is written of it, or None if it could not be used.
        error: why it could not be used, or why it is partial, in one line; or ``""``.
        skipped: whether an earlier run had done it.
        seconds: that scoring took.
    """

    name: str
    path: Path
    told: Told | None
    error: str = ""
    skipped: bool = False
    seconds: float = 0.0


def score_videos(
    scorer: VideoScorer,
    videos: Sequence[tuple[str, Path]],
    plan: Plan,
    on_done: Callable[[Done], None] = lambda done: None,
    stage: Stage = no_stage,
) -> list[Done]:
    """Score videos and write what was asked for; the interruption of a run leaves a valid partial result.

    Args:
        scorer: any method.
        videos: name of its folder and place of each.
        plan: what is written.
        on_done: told of each video.
        stage: asked whom to tell of progress.

    Returns:
        One entry for each video.

    Raises:
        OutputError: a place that can't be written to, or that holds something else.
        UsageError: thresholds that were measured on other scores.
        KeyboardInterrupt: after what was known has been written.
    """
    from zsad.video.pages import write_index

    for name, _ in videos:
        check_place(plan.out / name)
    found: list[Done] = []
    try:
        for name, path in videos:
            found.append(_score(scorer, name, path, plan, stage))
            on_done(found[-1])
    except _InterruptedError as ending:
        found.append(ending.done)
        on_done(ending.done)
        raise ending.reason from None
    finally:
        if plan.pages and found:
            write_index(plan.out, found)
    return found


class _InterruptedError(Exception):
    def __init__(self, done: Done, reason: KeyboardInterrupt) -> None:
        super().__init__()
        self.done, self.reason = done, reason


def _score(scorer: VideoScorer, name: str, path: Path, plan: Plan, stage: Stage) -> Done:
    folder = plan.out / name
    before = earlier(folder, path, plan.settings) if plan.resume else None
    if before is not None:
        return Done(name, path, before[0], skipped=True)
    stamp = stamp_of(path, settled=True)
    try:
        looked, store = _looked(scorer, path, name, plan, stage(name, "scoring"))
    except ZsadError as error:
        if not isinstance(error, InputError):
            raise
        return Done(name, path, None, _named(path, str(error)))
    result = _judged(path, looked, plan)
    if stamp_of(path) != stamp:
        return Done(name, path, None, f"{printable(path)}: changed while it was read; run again")
    result = replace(result, series=write_scores(folder, result.series))
    reason, keys, video = looked.interrupted, list[int](), ""
    try:
        if reason is None and not isinstance(scorer, FrameMethod):
            keys = draw_plain(result, folder / KEYS, stage(name, "drawing"))
        elif reason is None and isinstance(scorer, FrameMethod):
            keys = draw(scorer, result, folder / KEYS, folder / VIDEO if plan.video else None, stage(name, "drawing"))
            video = VIDEO if plan.video and len(result.series) else ""
    except KeyboardInterrupt as ending:
        reason = ending.with_traceback(None)
    finished = {} if reason is None else {"interrupted": True}
    told = told_of(
        name, result, {frame: key_name(frame) for frame in keys}, video, stamp, {**plan.settings, **finished}
    )
    if plan.pages:
        from zsad.video.pages import write_page

        write_page(folder, told, result.series, path, result.rule)
    write_events(folder, told)
    store.close()
    fault = _named(path, result.fault) if result.series.partial else ""
    done = Done(name, path, told, fault, seconds=looked.seconds)
    if reason is not None:
        raise _InterruptedError(done, reason)
    return done


def _looked(scorer: VideoScorer, path: Path, name: str, plan: Plan, on_frame: OnFrame) -> tuple[Looked, MapStore]:
    """Return what a scorer says; of one that looks at frames with its maps."""
    rows = None if plan.features is None else stored_rows(plan.features, name)
    if isinstance(scorer, FrameMethod):
        folder = plan.out / name
        folder.mkdir(parents=True, exist_ok=True)
        store = MapStore(folder)
        if not plan.maps:
            return look_at(scorer, path, on_frame, maps=store, features=rows), store
        with MapsFile(folder) as whole:
            looked = look_at(scorer, path, on_frame, maps=store, on_look=whole.of_look, features=rows)
            whole.close(looked.series.n_frames)
        return looked, store
    series = scorer.score(path, on_frame)
    series = apply_refiners(series, plan.refiners, None if rows is None else rows(series))
    store = MapStore()
    return Looked(series, 0, 0, store, (series.fault or "it broke off") if series.partial else ""), store


def _judged(path: Path, looked: Looked, plan: Plan) -> VideoResult:
    if plan.thresholds is not None:
        check_same(plan.thresholds[0], looked.series, plan.thresholds[1])
    if len(looked.maps or ()):
        return result_of(path, looked, plan.rule, hint=plan.hint)
    from zsad.video.events import find_events, hint_threshold

    rule = replace(plan.rule, threshold=hint_threshold(looked.series.values), low=None) if plan.hint else plan.rule
    maps = Maps(looked.maps or MapStore(), looked.width, looked.height)
    events = tuple(find_events(looked.series, rule))
    return VideoResult(path, looked.series, events, rule, plan.hint, maps, looked.fault)


def _named(path: Path, text: str) -> str:
    place = printable(path)
    return text if place in text else f"{place}: {text}"
