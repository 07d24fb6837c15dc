"""Phrases of scenes and of actions, normal and of given classes, written by a language model for OVVAD's training.

Source: OVVAD (CVPR 2024), semantic knowledge injection: noun and verb phrases from a language model, read by CLIP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zsad.errors import InputError
from zsad.files import write_whole
from zsad.language.asking import Ask
from zsad.language.gateway import Gateway
from zsad.language.parse import Parsed
from zsad.language.parse.questions import numbered
from zsad.language.prompts import PromptSet, load_prompts
from zsad.outputs import begins, check_output

HEAD = b"kind: phrases\n"
TEMPLATES = ("scenes", "actions")
TOKENS = 500
"""Of a question and its answer, estimated."""
_WORDS = 12
_NORMAL = "an ordinary day, on which nothing unusual happens"


@dataclass(frozen=True)
class Phrases:
    """What came of it.

    Attributes:
        normal: phrases of normal life.
        abnormal: phrases of all classes, those of one class together.
        lacking: questions without a phrase, such as ``"scenes of arson"``.
    """

    normal: tuple[str, ...]
    abnormal: tuple[str, ...]
    lacking: tuple[str, ...] = ()


def phrases(reply: str, most: int) -> Parsed[list[str]]:
    r"""Read phrases: lines of a list, without repeats, sentences' ends and what is too long to be a phrase.

    >>> phrases("Sure:\n1. A burning car.\n2) a burning car\n- smoke", 5)
    Parsed(value=['A burning car', 'smoke'], reason='ok')
    """
    read = numbered(reply, 200)
    if read.value is None:
        return Parsed(None, read.reason)
    short = [text for line in read.value if (text := line.strip(" .;,\"'")) and len(text.split()) <= _WORDS]
    distinct = list({text.lower(): text for text in reversed(short)}.values())[::-1]
    return Parsed(distinct[:most], "ok") if distinct else Parsed(None, "no_phrase")


def calls_of(classes: Sequence[str]) -> int:
    """Return how many questions are put: scenes and actions, of normal life and of each class."""
    return len(TEMPLATES) * (1 + len(classes))


def write_phrases(
    gateway: Gateway, classes: Sequence[str], count: int = 20, prompts: PromptSet | None = None
) -> Phrases:
    """Let a language model write phrases.

    Args:
        gateway: the way to it.
        classes: of anomalies, in words.
        count: phrases of each question.
        prompts: the set; the shipped one by default.

    Raises:
        InputError: not one phrase of normal life, or none of any class.
        BudgetError: the budget ended before.
        EndpointError: the endpoint takes no question at all.
    """
    found = prompts or load_prompts("ovvad", {name: ["kind", "count"] for name in TEMPLATES})
    kinds = [("normal life", _NORMAL), *((name, f"an incident: {name}") for name in classes)]
    lists: dict[str, list[str]] = {name: [] for name, _ in kinds}
    lacking: list[str] = []
    for name in TEMPLATES:
        template = found[name]
        asks: list[Ask] = [template.ask(kind, kind=said, count=str(count)) for kind, said in kinds]
        reads = gateway.read_all(asks, lambda reply: phrases(reply, count), template.wanted)
        for (kind, _), read in zip(kinds, reads, strict=True):
            lists[kind] += read.value or []
            if read.value is None:
                lacking.append(f"{name} of {kind}")
    normal = tuple(dict.fromkeys(lists["normal life"]))
    abnormal = tuple(dict.fromkeys(text for name in classes for text in lists[name] if text not in normal))
    for kind, texts in (("normal life", normal), ("any class", abnormal)):
        if not texts:
            raise InputError(
                f"no phrase of {kind} could be read from the answers; choose another model with --llm NAME"
            )
    return Phrases(normal, abnormal, tuple(lacking))


def save_phrases(path: Path, made: Phrases, classes: Sequence[str], model: str) -> None:
    """Write phrases as ``zsad video train --phrases`` reads them, whole or not at all.

    Raises:
        OutputError: no space, not allowed, or something else is there.
    """
    check_output(path, begins(HEAD), "choose another --out")
    data: dict[str, Any] = {"kind": "phrases", "model": model, "classes": list(classes),
                            "normal": list(made.normal), "abnormal": list(made.abnormal)}  # fmt: skip
    write_whole(path, yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000).encode())
