"""The five benchmarks by name, what can be set, and what a run will need before anything is sent."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsad.errors import DatasetError
from zsad.language.asking import Ask
from zsad.language.bench import causation, cuva, ecva, hawk, hivau, vane
from zsad.language.bench.frames import QUARTERS
from zsad.language.bench.items import Data, Question
from zsad.language.bench.places import Places
from zsad.language.bench.texts import ASPECTS
from zsad.language.embedding import Embedder
from zsad.language.gateway import MAX_IMAGES
from zsad.language.prompts import PromptSet, load_prompts
from zsad.language.spending import PICTURE_TOKENS
from zsad.outside import printable

Make = Callable[..., Ask]


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: of it, and of its prompts.
        frames: of a question, unless said otherwise.
        slots: what its prompts must have.
        ask: makes the question to the model.
        judged: whether a judge is asked unless said otherwise; None where there is no judge.
    """

    name: str
    frames: int
    slots: Mapping[str, Sequence[str]]
    ask: Make
    judged: bool | None


BENCHMARKS = {
    one.name: one
    for one in (
        Benchmark("vane", vane.FRAMES, vane.SLOTS, vane.ask, None),
        Benchmark("cuva", cuva.FRAMES, cuva.SLOTS, cuva.ask, True),
        Benchmark("ecva", ecva.FRAMES, ecva.SLOTS, cuva.ask, True),
        Benchmark("hawk", hawk.FRAMES, hawk.SLOTS, hawk.ask, True),
        Benchmark("hivau", hivau.FRAMES, hivau.SLOTS, hivau.ask, False),
    )
}
BY_VIDEO = ("cuva", "ecva")
"""Those with several tasks about one video, with moments and key sentences."""


@dataclass(frozen=True)
class Options:
    """What a run is asked for.

    Attributes:
        benchmark: which.
        data: file or folder of the questions.
        videos: folder of the videos; None is that of the data.
        answers: files of answers; without any, a model is asked.
        frames: of each question, at most.
        limit: videos, at most; None takes all.
        seed: of the choice of videos, and of frames where some are drawn.
        sampling: how frames are chosen, see :mod:`zsad.language.bench.frames`.
        judged: whether a judge is asked.
        folder_fps: frames per second of folders of pictures.
        max_tokens: of an answer; None is what the prompts say.
        embedder: gives the importance curve; None goes without it.
        motion: whether what moves is shown beside each frame.
    """

    benchmark: Benchmark
    data: Path
    videos: Path | None = None
    answers: tuple[Path, ...] = ()
    frames: int = 0
    limit: int | None = None
    seed: int = 8
    sampling: str = "uniform"
    judged: bool = False
    folder_fps: float = 0.0
    max_tokens: int | None = None
    embedder: Embedder | None = None
    motion: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what tells figures of this run from others'."""
        return {
            "frames": self.frames, "limit": self.limit, "seed": self.seed, "sampling": self.sampling,
            "judged": self.judged, "max_tokens": self.max_tokens, "motion": self.motion, "folder_fps": self.folder_fps,
            "importance": None if self.embedder is None else self.embedder.name,
            "answers": [printable(path.name) for path in self.answers],
        }  # fmt: skip


def prompts_of(benchmark: Benchmark) -> PromptSet:
    """Return the prompts of a benchmark, the user's own before those that are shipped.

    Raises:
        PromptError: a template or a slot is missing.
    """
    return load_prompts(benchmark.name, benchmark.slots)


def read_data(options: Options) -> Data:
    """Read the questions of a benchmark, and choose videos where there is a limit.

    Raises:
        DatasetError: its data can't be read, or has no question.
    """
    name = options.benchmark.name
    if name == "vane":
        data = vane.read(options.data)
    else:
        root = options.videos or (options.data if options.data.is_dir() else options.data.parent)
        if not root.is_dir():
            raise DatasetError(f"{printable(root)}: no such folder; give the folder of the videos")
        places = Places(root)
        if name in BY_VIDEO:
            data = causation.read(options.data, places, ecva.TASKS if name == "ecva" else causation.TASKS)
        else:
            data = hawk.read(options.data, places) if name == "hawk" else hivau.read(options.data, places)
    if not data.questions:
        why = f" ({data.left_out[0]})" if data.left_out else ""
        raise DatasetError(f"{printable(options.data)}: no question in it{why}; give the data of {name}")
    return data


def chosen(data: Data, options: Options) -> Data:
    """Return the questions about so many videos, drawn by the seed and in the order of the data."""
    videos = list(dict.fromkeys(_about(question) for question in data.questions))
    if options.limit is None or options.limit >= len(videos):
        return data
    kept = set(random.Random(options.seed).sample(videos, options.limit))
    return Data(tuple(one for one in data.questions if _about(one) in kept), data.left_out, data.notes)


def _about(question: Question) -> tuple[str, str]:
    return question.group, question.video


def steps(
    options: Options, questions: Sequence[Question], prompts: PromptSet, max_images: int = MAX_IMAGES
) -> dict[str, tuple[int, int]]:
    """Return step -> calls and tokens, at most and estimated; nothing is sent.

    Args:
        options: of the run.
        questions: those that will be asked.
        prompts: of the benchmark.
        max_images: of one message.
    """
    calls: Counter[str] = Counter()
    tokens: Counter[str] = Counter()

    def add(template: str, count: int, pictures: int, letters: int = 0) -> None:
        one = prompts[template]
        sent = min(pictures, max_images)  # more go onto contact sheets
        length = len(one.text) + letters
        calls[one.name] += count
        tokens[one.name] += count * (length // 4 + sent * PICTURE_TOKENS + one.max_tokens)

    asked = [question for question in questions if question.path is not None]
    if not options.answers:
        for question in asked:
            shown = options.frames * (2 if options.motion else 1)
            add(_template(options.benchmark.name, question), 1, shown, len(question.text))
        if options.sampling == "ranked":
            videos = len({question.path for question in asked})
            add("caption", QUARTERS * videos, options.frames // QUARTERS)
            add("rank", videos, 0, 400 * QUARTERS)
    if options.judged:
        for question in questions if options.answers else asked:
            _add_judge(options, question, add)
        if options.benchmark.name == "ecva" and not options.answers:
            for task in causation.FREE:
                add(task.lower(), 1, options.frames)
                add("hallucination", 1, 0, 400)
    return {name: (count, tokens[name]) for name, count in calls.items()}


def _add_judge(options: Options, question: Question, add: Callable[..., None]) -> None:
    name, letters = options.benchmark.name, len(question.gold) + len(question.text) + 400
    if name in BY_VIDEO and question.task not in causation.FREE:
        return
    if name == "cuva" and question.path is not None:
        add("mmeval", 1, options.frames, letters)
    elif name == "ecva":
        for template in ("match", "logic", *(["keyinfo"] if question.sentences else [])):
            add(template, 1, 0, letters)
    elif name in ("hawk", "hivau"):
        add("judge", len(ASPECTS), 0, letters)


def _template(name: str, question: Question) -> str:
    if name in BY_VIDEO:
        return question.task.lower()
    return {"vane": "question", "hivau": "ask"}.get(name) or (
        "describe" if question.task == "description" else "answer"
    )
