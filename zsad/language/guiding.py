"""Guiding questions learned on labelled videos by two roles of a language model, and their file ``questions.yaml``.

Source: VERA (CVPR 2025); the loop itself is ``learning.py``, the prompts are our own words.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zsad.documents import Entries, is_whole, read_yaml
from zsad.errors import EndpointError, InputError, PromptError
from zsad.files import write_whole
from zsad.language import learning
from zsad.language.asking import Ask, Picture
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway, Read
from zsad.language.learning import Best, Labelled, Questions, Report
from zsad.language.parse import Parsed, guiding_questions, learner_output
from zsad.language.prompts import PromptSet, load_prompts, numbered
from zsad.language.scorers.base import Setting, over_windows
from zsad.language.scorers.vera import FRAMES, SLOTS, ask_learner
from zsad.language.windows import even
from zsad.outputs import begins, check_output
from zsad.outside import printable, shown

KIND = "questions"
HEAD = b"kind: questions\n"
"""How the file begins."""
_LONGEST, _MOST_ROWS = 500, 100_000


@dataclass
class Learning:
    """Both roles on real videos.

    Attributes:
        gateway: the way to the model.
        setting: what every method takes.
        prompts: VERA's set.
        most: questions, at most.
    """

    gateway: Gateway
    setting: Setting
    prompts: PromptSet
    most: int = 5

    def learner(self, videos: Sequence[str], questions: Questions) -> list[Parsed[int]]:
        """Answer videos with questions, several at once."""
        template = self.prompts["learner"]

        def asks() -> Iterator[Ask]:
            for video in videos:
                footage = self._footage(video)

                def make(i: int, pictures: list[Picture], footage: Footage = footage) -> Ask:
                    return ask_learner(template, footage.identity[:12], pictures, questions, self.setting)

                yield from over_windows(self.gateway, footage, [self._frames(footage)], make)

        reads = self.gateway.read_all(asks(), learner_output, template.wanted)
        _check_answered(reads, videos)
        return [Parsed(read.value, read.reason) for read in reads]

    def optimiser(
        self, videos: Sequence[str], questions: Questions, predictions: Sequence[int | None], targets: Sequence[int]
    ) -> Parsed[list[str]]:
        """Rewrite the questions, with the frames of a batch before its eyes."""
        parts: list[str | Picture] = []
        for i, video in enumerate(videos, 1):
            footage = self._footage(video)
            ((_, pictures),) = list(footage.pictures([self._frames(footage)], lambda ready: ()))
            parts += [f"\nVideo {i}:", *pictures]
        ask = self.prompts["optimizer"].ask(
            f"batch of {len(videos)}", frames=parts, questions=numbered(questions),
            predictions=_listed(predictions), targets=_listed(targets), max_questions=str(self.most),
            anomaly=self.setting.anomaly or None,
        )  # fmt: skip
        (read,) = self.gateway.read_all([ask], lambda reply: guiding_questions(reply, self.most))
        _check_answered([read], [f"{videos[0]} and its batch"])
        return Parsed(read.value, read.reason)

    def _footage(self, video: str) -> Footage:
        return Footage(video, self.gateway.cache, self.setting.folder_fps)

    def _frames(self, footage: Footage) -> list[int]:
        return even(0, footage.facts.n_frames, FRAMES)


def learn_questions(
    gateway: Gateway,
    train: Sequence[Labelled],
    val: Sequence[Labelled],
    settings: learning.Settings,
    *,
    start: Sequence[str] = (),
    setting: Setting | None = None,
    report: Report = lambda event: None,
) -> Best:
    """Learn guiding questions on labelled videos and return the best.

    Args:
        gateway: the way to the model.
        train: videos with labels, for learning.
        val: videos with labels, for choosing.
        settings: epochs, batches, how often it is validated.
        start: first questions; those of the prompt set by default.
        setting: what every method takes.
        report: told of each answer, each rewriting and each validation.

    Raises:
        BudgetError: the budget ended before; a second run goes on.
        EndpointError: a call was not answered, which is no wrong answer; a second run goes on.
        InputError: a video can't be read.
    """
    prompts = load_prompts("vera", SLOTS)
    roles = Learning(gateway, setting or Setting(), prompts, settings.most)
    first = tuple(start) or prompts.questions
    plan = learning.batches(train, settings)
    return learning.learn(plan, val, first, roles.learner, roles.optimiser, settings, report)


def _check_answered(reads: Sequence[Read[Any]], names: Sequence[str]) -> None:
    lost = [(name, read.reply.remedy) for name, read in zip(names, reads, strict=True) if read.reply.failed]
    if lost:
        name, why = lost[0]
        why = why or "not in the record; --endpoint URL beside --replay asks for what is missing"
        raise EndpointError(
            f"{printable(name)}: {len(lost)} of {len(reads)} calls were not answered ({why}); "
            "run again, or without it: what was answered is kept"
        )


def read_labelled(path: str | Path) -> list[Labelled]:
    """Read a list of videos: CSV with the columns ``video`` and ``label`` (0 or 1); paths from the list's folder.

    Raises:
        InputError: it can't be read, lacks a column, or a label is neither 0 nor 1.
    """
    where = printable(path)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row, _ in zip(csv.DictReader(file), range(_MOST_ROWS), strict=False)]
    except FileNotFoundError:
        raise InputError(f"{where}: no such file") from None
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{where}: can't be read as CSV ({error})") from None
    found = []
    for i, row in enumerate(rows, 2):
        video, label = row.get("video"), row.get("label")
        if not video or label is None or label.strip() not in ("0", "1"):
            raise InputError(f"{where}, line {i}: needs the columns video and label, and a label of 0 or 1")
        found.append(Labelled(str(Path(path).parent / video), int(label)))
    if not found:
        raise InputError(f"{where}: no video in it; add lines with video,label")
    return found


def write_questions(path: str | Path, best: Best, model: str, history: Sequence[dict[str, Any]] = ()) -> None:
    """Write ``questions.yaml``, whole or not at all.

    Raises:
        OutputError: no space, not allowed, or something else is there.
    """
    check_output(Path(path), begins(HEAD), "choose another --out")
    data = {"kind": KIND, "questions": list(best.questions), "accuracy": best.accuracy, "step": best.step,
            "model": model, "validations": list(history)}  # fmt: skip
    write_whole(Path(path), yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000).encode())


def read_questions(path: str | Path) -> tuple[str, ...]:
    """Read the questions of ``questions.yaml``, whoever wrote it.

    Raises:
        PromptError: it can't be read, or has no questions.
    """
    entries = Entries.of(read_yaml(path, PromptError), printable(path), PromptError)
    questions = entries.items("questions", 50)
    if not questions or not all(isinstance(one, str) and one.strip() and len(one) <= _LONGEST for one in questions):
        raise PromptError(f"{printable(path)}: questions are {shown(questions)}, they must be texts, one at least")
    return tuple(questions)


def _listed(values: Sequence[int | None]) -> str:
    return ", ".join("no answer" if value is None or not is_whole(value, 0, 1) else str(value) for value in values)
