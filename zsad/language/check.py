"""What an endpoint can do: text, an image, several images, a JSON schema, sound; each is tried once."""

from __future__ import annotations

import math
import struct
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

from zsad.errors import EndpointError
from zsad.language.asking import Ask, Message, Part, Picture, Sampling, Sound
from zsad.language.endpoint import Endpoint, PassingError, RefusedError, Said
from zsad.language.parse import json_object
from zsad.language.pictures import to_jpeg
from zsad.language.retries import retrying
from zsad.outside import terminal

_COLOURS = {"red": (200, 30, 30), "green": (30, 170, 40), "blue": (30, 40, 200)}
_SCHEMA = {"type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"],
           "additionalProperties": False}  # fmt: skip
_SHOWN = 60
_TOKENS = 64


@dataclass(frozen=True)
class Finding:
    """What one trial showed.

    Attributes:
        what: was tried.
        works: whether there was an answer to it, and for the schema one of that form.
        note: the answer, or why there is none.
        seconds: that it took.
    """

    what: str
    works: bool
    note: str
    seconds: float


def check(endpoint: Endpoint) -> Iterator[Finding]:
    """Try everything in turn; each is sent once, and again only where the server is busy.

    Raises:
        EndpointError: nobody is there, the key is refused, or the model is unknown.
    """
    pictures = [_square(name) for name in _COLOURS]
    trials: list[tuple[str, tuple[Part, ...], Callable[[Said], tuple[bool, str]]]] = [
        ("text", ("Reply with the one word: ready",), _said),
        ("image", ("Which colour fills this picture? One word.", pictures[0]), _colours("red")),
        (
            "several images",
            ("Which colours fill these pictures, in order?", *pictures),
            _colours("red", "green", "blue"),
        ),
        ("schema", ('Reply with a JSON object that has the number 0.5 under "score".',), _scored),
        ("audio", ("What is heard? One sentence.", Sound.of(tone())), _said),
    ]
    for what, parts, judge in trials:
        begin = time.perf_counter()
        works, note = _tried(endpoint, what, parts, judge)
        yield Finding(what, works, note, round(time.perf_counter() - begin, 3))


def _tried(
    endpoint: Endpoint, what: str, parts: tuple[Part, ...], judge: Callable[[Said], tuple[bool, str]]
) -> tuple[bool, str]:
    schema = _SCHEMA if what == "schema" else None
    ask = Ask("check", what, (Message("user", parts),), Sampling(_TOKENS), schema=schema)
    try:
        return judge(retrying(lambda: endpoint.chat(ask), time.sleep, lambda: what != "text"))
    except RefusedError as error:
        return False, str(error)
    except PassingError as error:
        if what == "text" and not error.connected:
            raise EndpointError(
                f"{endpoint.where()}: no endpoint there ({error}); start one, or give another URL"
            ) from None
        return False, f"no answer ({error})"
    except EndpointError as error:
        if what == "text":
            raise
        return False, str(error)


def _said(said: Said) -> tuple[bool, str]:
    return bool(said.text.strip()), terminal(said.text.strip(), _SHOWN) or "an empty answer"


def _colours(*names: str) -> Callable[[Said], tuple[bool, str]]:
    def judge(said: Said) -> tuple[bool, str]:
        works, note = _said(said)
        seen = all(name in said.text.lower() for name in names)
        return works, note if seen or not works else f"{note} (not the colours that were sent: {', '.join(names)})"

    return judge


def _scored(said: Said) -> tuple[bool, str]:
    found = json_object(said.text).value
    works = isinstance(found, dict) and isinstance(found.get("score"), int | float)
    return works, _said(said)[1]


def _square(name: str) -> Picture:
    from PIL import Image

    return Picture.of(to_jpeg(Image.new("RGB", (64, 64), _COLOURS[name])))


def tone(seconds: float = 1.0, rate: int = 16_000, hertz: float = 440.0) -> bytes:
    """Return a tone as a WAV file: mono, 16 bits."""
    samples = [int(8000 * math.sin(2 * math.pi * hertz * i / rate)) for i in range(int(seconds * rate))]
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return buffer.getvalue()
