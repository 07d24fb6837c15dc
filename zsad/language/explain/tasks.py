"""The questions that explain a video: Holmes-VAD's, CUVA's, and HAWK's with motion frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from zsad.errors import UsageError
from zsad.language.align import Claim
from zsad.language.asking import Picture
from zsad.language.explain.answers import Question
from zsad.language.explain.shots import Shot
from zsad.language.parse import CATEGORIES, category, judgement, prose, time_spans
from zsad.language.prompts import load_prompts
from zsad.language.prompts import numbered as listed
from zsad.language.spending import PICTURE_TOKENS
from zsad.near import near
from zsad.outside import printable

SET = "explain"
"""The prompt set of explanations."""


@dataclass(frozen=True)
class Task:
    """One question of an explanation.

    Attributes:
        name: as ``--tasks`` has it, and of its template.
        title: for people.
        slots: that the template must have.
    """

    name: str
    title: str
    slots: tuple[str, ...] = ("frames",)


TASKS = {
    task.name: task
    for task in (
        Task("judgement", "Is it out of the ordinary?"),
        Task("description", "What can be seen"),
        Task("analysis", "What speaks for it, what against"),
        Task("what", "What happens"),
        Task("why", "Why it happens"),
        Task("how", "How it ends, and what it changes"),
        Task("when", "When it happens", ("frames", "duration")),
        Task("which", "Which kind of event", ("frames", "categories")),
        Task("motion", "What moves", ("frames", "motion_frames")),
    )
}
"""Name -> task, in the order of the page."""


def chosen_tasks(names: str | None) -> list[Task]:
    """Read names with commas between; None for all.

    Raises:
        UsageError: there is none of such a name.
    """
    if names is None:
        return list(TASKS.values())
    given = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in given:
        if name not in TASKS:
            raise UsageError(f"--tasks {printable(name):.40}: there is none{near(name, TASKS)}; known: "
                             f"{', '.join(TASKS)}")  # fmt: skip
    if not given:
        raise UsageError(f"--tasks is empty; known: {', '.join(TASKS)}")
    return [task for name, task in TASKS.items() if name in given]


def steps_of(tasks: Sequence[Task], frames: int, max_images: int) -> dict[str, tuple[int, int]]:
    """Return step -> (calls, tokens of each, estimated)."""
    found, prompts = {}, load_prompts(SET)
    for task in tasks:
        pictures = 2 * min(frames, max(1, max_images // 2)) if task.name == "motion" else frames
        answer = prompts[task.name].max_tokens
        found[f"{SET}.{task.name}"] = (1, 100 + 12 * frames + PICTURE_TOKENS * pictures + answer)
    return found


def questions(
    tasks: Sequence[Task],
    shots: Sequence[Shot],
    item: str,
    *,
    duration: float,
    classes: Sequence[str] = (),
    anomaly: str = "",
    found: str = "",
    max_images: int = 16,
) -> list[Question]:
    """Return the questions about a video.

    Args:
        tasks: which.
        shots: frames that are shown; with motion frames if ``motion`` is among the tasks.
        item: what the video is called in records.
        duration: its seconds.
        classes: names of the detector's classes; CUVA's where it has none.
        anomaly: what is out of the ordinary, in the user's words.
        found: what a detector found, to be told; ``""`` tells nothing.
        max_images: of one message.
    """
    names = tuple(classes) or CATEGORIES
    made, prompts = [], load_prompts(SET, {task.name: task.slots for task in tasks})
    for task in tasks:
        template = prompts[task.name]
        shown = fewer(shots, max(1, max_images // 2)) if task.name == "motion" else list(shots)
        more: dict[str, Any] = {"anomaly": anomaly or None, "found": found or None}
        if task.name == "motion":
            more["motion_frames"] = labelled(shown, motion=True)
        if task.name == "when":
            more["duration"] = f"{duration:.1f}"
        if task.name == "which":
            more["categories"] = listed(names)
        ask = template.ask(item, frames=labelled(shown), **more)
        frames = tuple(one.index for one in shown)
        form = _form(task, duration, names)
        made.append(Question(task.name, task.title, ask, wanted=template.wanted, frames=frames, **form))
    return made


def fewer(shots: Sequence[Shot], most: int) -> list[Shot]:
    """Return at most so many shots, evenly, both ends among them where there are two or more."""
    if len(shots) <= most:
        return list(shots)
    return [shots[k * (len(shots) - 1) // max(1, most - 1)] for k in range(most)]


def labelled(shots: Sequence[Shot], *, motion: bool = False) -> list[str | Picture]:
    """Return pictures with what is said before each."""
    parts: list[str | Picture] = []
    for shot in shots:
        picture = shot.motion if motion else shot.picture
        assert picture is not None
        parts += [f"\n{shot.label}", picture]
    return parts


def _form(task: Task, duration: float, names: tuple[str, ...]) -> dict[str, Any]:
    """Return how the answer is read, and what its form claims."""
    if task.name == "judgement":
        return {"parser": judgement, "makes": presence}
    if task.name == "when":
        return {"parser": partial(time_spans, duration=duration), "makes": _times, "plain": _spans}
    if task.name == "which":
        return {
            "parser": partial(category, names=names),
            "plain": lambda number: {"number": number, "name": names[number - 1]},
            "makes": lambda number, text: [
                Claim("class", (("label", names[number - 1]), ("negated", False)), text=text)
            ],
        }
    return {"parser": prose}


def presence(value: bool, text: str) -> list[Claim]:
    """Return the claim that something is out of the ordinary, or not."""
    return [Claim("presence", (("anomaly", value),), text=text)]


def _times(value: Sequence[tuple[float, float]], text: str) -> list[Claim]:
    return [Claim("time", (("start", start), ("end", end)), text=text) for start, end in value]


def _spans(value: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[start, end] for start, end in value]
