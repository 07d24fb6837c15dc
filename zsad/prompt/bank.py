"""Prompt banks: the words for normal and anomalous, read from ``prompts/*.yaml``.

A file states its ``kind``: ``bank`` (states x templates) or ``learner`` (settings of trainable prompts).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from zsad import paths
from zsad.config import from_mapping, knob
from zsad.documents import read_yaml
from zsad.errors import ConfigError, PromptError
from zsad.outside import shown

MOST = 20_000
"""Sentences of a bank for normal, or for anomalous, at most; every one goes through the text tower."""
LONGEST = 1000
"""Characters of a state or a template, at most; a text tower reads some 77 tokens."""


@dataclass(frozen=True)
class PromptBank:
    """State x template ensembles; ``{}`` in a state is the noun, in a template the state.

    Attributes:
        noun: what the object is called where no noun is given.
        normal: states of a normal object, such as ``"flawless {}"``.
        anomalous: states of an anomalous one.
        templates: sentences around a state, such as ``"a photo of a {}."``.
        name: the file's name.
        description: what the bank is for.
    """

    noun: str
    normal: tuple[str, ...]
    anomalous: tuple[str, ...]
    templates: tuple[str, ...]
    name: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        for key in ("normal", "anomalous", "templates"):
            lines = getattr(self, key)
            if not lines or len(set(lines)) != len(lines):
                raise PromptError(f"{self.name}: {key} must be a list of different texts")
            for line in lines:
                if line.count("{}") != 1 or "{" in line.replace("{}", "") or not line.replace("{}", "x").strip():
                    raise PromptError(f"{self.name}: {key}: {shown(line)} needs exactly one {{}}")
                if len(line) > LONGEST:
                    raise PromptError(f"{self.name}: {key}: a text of more than {LONGEST} characters; shorten it")
        sentences = len(self.templates) * max(len(self.normal), len(self.anomalous))
        if sentences > MOST:
            raise PromptError(f"{self.name}: states times templates are {sentences:,} sentences; {MOST:,} are the most")

    def texts(self, noun: str | None = None) -> tuple[list[str], list[str]]:
        """Return every sentence for normal and for anomalous.

        Args:
            noun: what to call the object; the bank's own noun by default.

        >>> bank = PromptBank("object", ("{}",), ("broken {}",), ("a photo of a {}.",))
        >>> bank.texts("metal_nut")
        (['a photo of a metal nut.'], ['a photo of a broken metal nut.'])
        """
        word = self.noun if noun is None else noun.replace("_", " ").strip()
        if not word:
            raise PromptError("the object's noun is empty; leave it out, or say what the object is")
        normal, anomalous = (
            [template.replace("{}", state.replace("{}", word)) for template in self.templates for state in states]
            for states in (self.normal, self.anomalous)
        )
        return normal, anomalous


@dataclass(frozen=True)
class LearnerSettings:
    """Sizes and words of trainable prompts; the defaults are the published ones."""

    context: int = knob(12, "learned context tokens before the words", low=1, high=70)
    depth: int = knob(9, "text blocks, from the first, that read learned tokens: the context, then deep prompts", low=1)
    deep_length: int = knob(4, "tokens of a deep prompt, which replace the first context tokens", low=1)
    normal: str = knob("object.", "words after the context for normal")
    anomalous: str = knob("damaged object.", "words after the context for anomalous")
    name: str = knob("object_agnostic", "the file's name")
    description: str = knob("", "what the settings are for")


def load_bank(name: str) -> PromptBank:
    """Read a prompt bank by name or path.

    Raises:
        PromptError: no such bank, or a file with unknown, missing or wrong entries.
    """
    path = paths.find_prompt(name)
    return _build(PromptBank, path, _read(path, "bank"))


def load_learner(name: str = "object_agnostic") -> LearnerSettings:
    """Read the settings of trainable prompts by name or path.

    Raises:
        PromptError: no such settings, or a file with unknown or wrong entries.
    """
    path = paths.find_prompt(name)
    return _build(LearnerSettings, path, _read(path, "learner"))


_T = TypeVar("_T")


def _read(path: Path, kind: str) -> dict[str, Any]:
    data = read_yaml(path, PromptError)
    found = data.pop("kind", None) if isinstance(data, dict) else None
    if found != kind:
        raise PromptError(f"{path}: its kind is {shown(found)}, but a {kind} is needed here")
    return dict(data)


def _build(cls: type[_T], path: Path, data: dict[str, Any]) -> _T:
    try:
        return from_mapping(cls, {"name": path.stem} | data, str(path))
    except ConfigError as error:
        raise PromptError(str(error)) from None
