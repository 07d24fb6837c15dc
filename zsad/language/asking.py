"""What is asked: messages of text, pictures and sound, how to answer, and the key that stands for all of it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Load = Callable[[], bytes]
SEED = 8


@dataclass(frozen=True)
class Picture:
    """An image of a message.

    Attributes:
        sha: SHA-256 of its JPEG file, in hexadecimal.
        load: gives the JPEG file; called only when the message is sent.
    """

    sha: str
    load: Load = field(compare=False, repr=False)

    @classmethod
    def of(cls, data: bytes) -> Picture:
        """Make one of a JPEG file."""
        return cls(hashlib.sha256(data).hexdigest(), lambda: data)


@dataclass(frozen=True)
class Sound:
    """A piece of sound of a message.

    Attributes:
        sha: SHA-256 of its WAV file, in hexadecimal.
        load: gives the WAV file.
    """

    sha: str
    load: Load = field(compare=False, repr=False)

    @classmethod
    def of(cls, data: bytes) -> Sound:
        """Make one of a WAV file."""
        return cls(hashlib.sha256(data).hexdigest(), lambda: data)


Part = str | Picture | Sound


@dataclass(frozen=True)
class Message:
    """One turn of a talk.

    Attributes:
        role: ``"system"``, ``"user"`` or ``"assistant"``.
        parts: texts, pictures and sounds, in order.
    """

    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn.

    Attributes:
        max_tokens: of the answer, at most.
        temperature: 0 takes the likeliest.
        top_p: share of the likeliest words that are drawn from.
        seed: for servers that have one.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = SEED

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a request has them."""
        return {"max_tokens": self.max_tokens, "temperature": self.temperature, "top_p": self.top_p, "seed": self.seed}


@dataclass(frozen=True)
class Ask:
    """One question to a language model.

    Attributes:
        step: template that it was made of, such as ``"lavad.summary"``.
        item: which window, video or question it belongs to, for people.
        messages: the talk so far; the last one is the user's.
        sampling: how the answer is drawn.
        prompts: name and version of the prompt set.
        schema: JSON schema that the answer should have, or None.
        sheet: pictures that go into one contact sheet; 1 sends each by itself.
        attempt: 0, or how often the wanted form was asked for again.
    """

    step: str
    item: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    prompts: str = ""
    schema: Mapping[str, Any] | None = None
    sheet: int = 1
    attempt: int = 0

    def pictures(self) -> list[Picture]:
        """Return its pictures, in order."""
        return [part for message in self.messages for part in message.parts if isinstance(part, Picture)]

    @property
    def n_pictures(self) -> int:
        """How many pictures it has; counted once."""
        count: int | None = self.__dict__.get("_n_pictures")
        if count is None:
            count = self.__dict__.setdefault("_n_pictures", len(self.pictures()))
        return count

    def again(self, reply: str, wanted: str) -> Ask:
        """Return the question that asks for the wanted form, after a reply that had another."""
        more = (Message("assistant", (reply or "(no answer)",)), Message("user", (wanted,)))
        return replace(self, messages=self.messages + more, attempt=self.attempt + 1)


def key_of(ask: Ask, model: str) -> str:
    """Return the SHA-256 that stands for a question to a model.

    Pictures and sounds count by the SHA-256 of their files. Address, key, time-outs and concurrency are not in it.

    >>> one = Ask("ask.window", "a", (Message("user", ("What is odd?",)),))
    >>> key_of(one, "m") == key_of(replace(one, item="b"), "m"), key_of(one, "m") == key_of(one, "n")
    (True, False)
    """
    kept: dict[str, str] = ask.__dict__.setdefault("_keys", {})  # a question is looked up several times
    if model not in kept:
        kept[model] = _key(ask, model)
    return kept[model]


def _key(ask: Ask, model: str) -> str:
    said = [[message.role, [_named(part) for part in message.parts]] for message in ask.messages]
    whole = {
        "model": model,
        "messages": said,
        "sampling": ask.sampling.to_dict(),
        "prompts": ask.prompts,
        "attempt": ask.attempt,
    }
    if ask.schema is not None:
        whole["schema"] = ask.schema
    if ask.sheet > 1:
        whole["sheet"] = ask.sheet
    text = json.dumps(whole, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _named(part: Part) -> Any:
    if isinstance(part, str):
        return part
    return {"image" if isinstance(part, Picture) else "audio": part.sha}


def wire(messages: tuple[Message, ...], sheet: int = 1) -> list[dict[str, Any]]:
    """Return messages as a request has them; pictures become data URLs, several to a contact sheet where wanted.

    Args:
        messages: the talk.
        sheet: pictures of a run of pictures that go into one contact sheet.
    """
    return [{"role": message.role, "content": _content(message.parts, sheet)} for message in messages]


def _content(parts: tuple[Part, ...], sheet: int) -> str | list[dict[str, Any]]:
    if all(isinstance(part, str) for part in parts):
        return "\n".join(str(part) for part in parts)
    found: list[dict[str, Any]] = []
    run: list[Picture] = []
    labels: list[str] = []
    for part in parts:
        if isinstance(part, Picture) and sheet > 1:
            run.append(part)
            if len(run) == sheet:
                found += _sheet(run)
                run = []
        elif isinstance(part, Picture):
            found.append(_image(part.load()))
        elif isinstance(part, Sound):
            data = base64.b64encode(part.load()).decode()
            found.append({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
        elif sheet > 1 and run:
            labels.append(part)  # a label between pictures of one sheet stands after it
        else:
            found.append({"type": "text", "text": part})
        if not run and labels:
            found += [{"type": "text", "text": label} for label in labels]
            labels = []
    if run:
        found += _sheet(run)
    return found + [{"type": "text", "text": label} for label in labels]


def _image(data: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"}}


def _sheet(run: list[Picture]) -> list[dict[str, Any]]:
    from zsad.language.pictures import contact_sheet

    said = f"A contact sheet of {len(run)} pictures, row by row:"
    return [{"type": "text", "text": said}, _image(contact_sheet([picture.load() for picture in run]))]
