"""A video explained: frames by the scores, questions, answers, claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zsad.language.explain import document
from zsad.language.explain.answers import Answer, ask_all
from zsad.language.explain.choice import COUNT, TAU, Choice, choose
from zsad.language.explain.evidence import Evidence, of_series
from zsad.language.explain.judged import Judged, in_words, placed
from zsad.language.explain.shots import Shot, read_shots
from zsad.language.explain.tasks import Task, questions
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway
from zsad.outside import printable
from zsad.video.source import video_name

if TYPE_CHECKING:
    from zsad.detector.base import Detector


@dataclass(frozen=True)
class Explained:
    """What came of an explanation.

    Attributes:
        data: the document.
        answers: of this run, in the order of the questions.
        pictures: JPEG files that the page shows, by their SHA-256.
    """

    data: dict[str, Any]
    answers: tuple[Answer, ...]
    pictures: Mapping[str, bytes]


def explain_video(
    gateway: Gateway,
    footage: Footage,
    judged: Judged,
    tasks: Sequence[Task],
    *,
    count: int = COUNT,
    anomaly: str = "",
    hint: bool = False,
    detector: Detector | None = None,
) -> Explained:
    """Ask what explains a video, and check every claim in the answers.

    Args:
        gateway: the way to the model.
        footage: the video.
        judged: its scores and events.
        tasks: the questions.
        count: frames that are shown.
        anomaly: what is out of the ordinary, in the user's words.
        hint: tell the model what the detector found; its claims then repeat it.
        detector: gives the places of events that have none.

    Raises:
        InputError: the video can't be read.
        EndpointError: the endpoint takes no question at all.
    """
    series = judged.series
    choice = choose(series.n_frames, series, count)
    shots, size = read_shots(footage, choice.frames, motion=any(task.name == "motion" for task in tasks))
    if detector is not None:
        judged = replace(judged, events=tuple(placed(judged.events, footage, detector)))
    evidence = of_series(series, judged.events, size, known=judged.known)
    found = in_words(judged, evidence.places) if hint else ""
    duration = evidence.found.duration_s or series.n_frames / footage.facts.fps
    asked = questions(
        tasks, shots, footage.identity[:12], duration=duration, classes=evidence.classes,
        anomaly=anomaly, found=found, max_images=gateway.max_images,
    )  # fmt: skip
    answers = ask_all(gateway, asked, evidence)
    data = {
        **document.head(document.EXPLANATION), **about_video(footage, judged, evidence, choice, shots, size),
        "model": gateway.model, "anomaly": anomaly, "hint": found,
        "detector": detector.card.label if detector is not None else "", **document.closing(answers, gateway.counts),
    }  # fmt: skip
    return Explained(data, tuple(answers), pictures_of(shots))


def about_video(
    footage: Footage,
    judged: Judged | None,
    evidence: Evidence,
    choice: Choice,
    shots: Sequence[Shot],
    size: tuple[int, int],
) -> dict[str, Any]:
    """Return what a document says of the video, its scores, the frames that were sent and the evidence."""
    facts = footage.facts
    frames = judged.series.to_frames() if judged is not None else None
    scores = {} if frames is None else {shot.index: frames[shot.index] for shot in shots}
    scored = None
    if judged is not None:
        series = judged.series
        scored = {
            "method": series.method, "model": series.model, "threshold": judged.threshold, "known": judged.known,
            "partial": series.partial, "events": [event.to_dict() for event in judged.events],
        }  # fmt: skip
    sampler: dict[str, Any] = {"name": choice.sampler}
    if choice.sampler == "density":
        sampler |= {"tau": TAU, "scaled": choice.scaled}
    return {
        "video": {
            "name": video_name(footage.source), "path": printable(footage.source), "n_frames": facts.n_frames,
            "fps": facts.fps, "width": size[0], "height": size[1], "sha256": footage.identity,
        },
        "scores": scored, "sampler": sampler, "frames": document.shown_frames(shots, scores),
        "found": evidence.to_dict(),
    }  # fmt: skip


def pictures_of(shots: Sequence[Shot]) -> dict[str, bytes]:
    """Return the files of what is shown, by their SHA-256."""
    both = [one for shot in shots for one in (shot.picture, shot.motion) if one is not None]
    return {one.sha: one.load() for one in both}
