"""Prompt sets: templates with slots, one YAML file per set, versioned; a missing slot is an error when it is read.

A slot is filled once: what stands in braces inside of a caption stays as it is. Neither a person's nor a model's text
gets into the system message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from zsad import paths
from zsad.documents import Entries, read_yaml
from zsad.errors import PromptError
from zsad.language.asking import Ask, Message, Part, Picture, Sampling, Sound
from zsad.outside import shown, terminal

FORMAT, LONGEST_SLOT = "language", 12_000
_SLOT = re.compile(r"\{(\w+)\}")
Value = str | Picture | Sound | Sequence[str | Picture | Sound]


@dataclass(frozen=True)
class Template:
    """One question of a set.

    Attributes:
        name: of the step, such as ``"lavad.summary"``.
        text: with slots in braces.
        slots: those that must be filled.
        optional: slot -> text that is added where it is filled.
        system: the system message, or ``""``; it has no slots.
        wanted: one line that states the form of the answer, for asking again.
        max_tokens: of the answer.
        prompts: name and version of the set.
    """

    name: str
    text: str
    slots: tuple[str, ...]
    optional: Mapping[str, str] = field(default_factory=dict)
    system: str = ""
    wanted: str = ""
    max_tokens: int = 256
    prompts: str = ""

    def ask(self, item: str, *, sampling: Sampling | None = None, **values: Value | None) -> Ask:
        """Return the question with its slots filled.

        Args:
            item: which window or video it is for.
            sampling: how the answer is drawn; greedily by default.
            values: text, picture, sound, or a list of these, by slot; None and empty lists leave optional ones out.

        Raises:
            PromptError: a slot that must be filled is not.
        """
        text = self.text
        for name, addition in self.optional.items():
            if values.get(name):
                text += f"\n{addition}"
        given = {name: value for name, value in values.items() if value is not None}
        lacking = [name for name in self.slots if name not in given]
        if lacking:
            raise PromptError(f"{self.name}: slot {lacking[0]} is not filled")
        parts = _joined(_filled(text, given))
        system = (Message("system", (self.system,)),) if self.system else ()
        drawn = sampling or Sampling(self.max_tokens)
        return Ask(self.name, item, (*system, Message("user", parts)), drawn, self.prompts)


@dataclass(frozen=True)
class PromptSet:
    """A set of templates.

    Attributes:
        name: of the set.
        version: of its words.
        templates: by name.
        questions: guiding questions, where the set has some.
    """

    name: str
    version: int
    templates: Mapping[str, Template]
    questions: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Template:
        return self.templates[name]


def load_prompts(name: str, needed: Mapping[str, Sequence[str]] | None = None) -> PromptSet:
    """Read a set by path, or by name from the user's own folder or from those that are shipped.

    Args:
        name: such as ``"lavad"``.
        needed: template -> slots that it must have.

    Raises:
        PromptError: there is none, or it lacks a template or a slot.
    """
    folders = [paths.user_prompts() / "language", paths.shipped_prompts() / "language"]
    places = [Path(name), *(folder / f"{name}.yaml" for folder in folders)]
    path = next((place for place in places if place.suffix == ".yaml" and place.is_file()), None)
    if path is None:
        raise PromptError(f"{terminal(name, 100)}: no such set of language prompts")
    found = _read(path)
    for template, slots in (needed or {}).items():
        if template not in found.templates:
            raise PromptError(f"{path}: template {template} is missing; add it")
        has = found[template]
        lacking = [slot for slot in slots if slot not in has.slots]
        if lacking:
            raise PromptError(
                f"{path}: template {template} lacks the slot {lacking[0]}; add {{{lacking[0]}}} to its text"
            )
    return found


def _read(path: Path) -> PromptSet:
    entries = Entries.of(read_yaml(path, PromptError), path, PromptError)
    entries.only("kind", "name", "version", "templates", "questions")
    if entries.text("kind") != FORMAT:
        raise PromptError(f"{path}: kind is {shown(entries.text('kind'))}, it must be {FORMAT}")
    name, version = entries.text("name", 60), entries.whole("version", 1)
    below = entries.entries("templates")
    templates = {key: _template(below.entries(key), f"{name}.{key}", f"{name} {version}") for key in below.data}
    questions = entries.items("questions", 50, [])
    if not all(isinstance(question, str) for question in questions):
        raise PromptError(f"{path}: questions must be texts")
    return PromptSet(name, version, templates, tuple(questions))


def _template(entries: Entries, name: str, prompts: str) -> Template:
    entries.only("max_tokens", "slots", "text", "system", "optional", "wanted")
    text, slots = entries.text("text"), tuple(str(slot) for slot in entries.items("slots", 20))
    optional = {} if "optional" not in entries.data else entries.entries("optional").data
    absent = [slot for slot in slots if slot not in _SLOT.findall(text)]
    if absent:
        raise PromptError(f"{entries.where}: slot {absent[0]} does not stand in its text; add {{{absent[0]}}}")
    unknown = [slot for slot in _SLOT.findall(text) if slot not in slots]
    if unknown:
        raise PromptError(f"{entries.where}: {{{unknown[0]}}} is no slot; list it under slots")
    for slot, addition in optional.items():
        if not isinstance(addition, str) or set(_SLOT.findall(addition)) != {slot}:
            raise PromptError(f"{entries.where}: optional {slot} must be a text with {{{slot}}} and no other slot")
    return Template(name, text, slots, optional, entries.text("system", default=""), entries.text("wanted", default=""),
                    entries.whole("max_tokens", 1, 100_000, 256), prompts)  # fmt: skip


def cut(text: str, longest: int = LONGEST_SLOT) -> str:
    """Return text of at most ``longest`` characters, cut between words with a visible mark.

    >>> cut("one two three", 9)
    'one [cut]'
    """
    if len(text) <= longest:
        return text
    head = text[: longest - 6]
    return f"{head.rpartition(' ')[0] or head} [cut]"


def numbered(texts: Sequence[str]) -> str:
    """Return texts as a numbered list, one a line."""
    return "\n".join(f"{i}. {text}" for i, text in enumerate(texts, 1))


def _filled(text: str, values: Mapping[str, Value]) -> list[Part]:
    """Return text and what fills its slots, in order; nothing that was filled in is looked at again."""
    found: list[Part] = []
    for before, slot in _pieces(text):
        found.append(before)
        value = values.get(slot, "")
        if isinstance(value, str):
            found.append(cut(value))
        elif isinstance(value, Picture | Sound):
            found.append(value)
        else:
            found += [cut(one) if isinstance(one, str) else one for one in value]
    return found


@lru_cache(maxsize=256)
def _pieces(text: str) -> tuple[tuple[str, str], ...]:
    """Return the text before each slot and the slot's name, ``""`` after the last; one text is filled many times."""
    split = _SLOT.split(text)
    return tuple(zip(split[::2], [*split[1::2], ""], strict=True))


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return parts with neighbouring texts as one, without blank ones."""
    found: list[Part] = []
    texts: list[str] = []
    for part in [*parts, None]:
        if isinstance(part, str):
            texts.append(part)
            continue
        if texts and (whole := "".join(texts).strip("\n")).strip():
            found.append(whole)
        texts = []
        if part is not None:
            found.append(part)
    return tuple(found)
