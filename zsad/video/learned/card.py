"""``card.json`` of a learned video model: what it reads, which classes it knows, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zsad.config import from_mapping
from zsad.documents import Limits, parse_json, read_json
from zsad.errors import ConfigError, ModelError
from zsad.outside import printable, shown
from zsad.video.learned.config import Config

FORMAT = 1
WEIGHTS, CARD, LOG = "model.safetensors", "card.json", "log.jsonl"
"""Files of a model's folder; the log is there where it was trained here."""
ONNX_KEY = "zsad_video_card"
"""Name of the card's entry in the metadata of an ONNX file."""
_LIMITS = Limits(size=4 << 20, entries=20_000, depth=6, text=10_000)
_KEYS = {"format", "kind", "config", "classes", "backbone", "every", "made_by"}
KIND = "zsad weakly supervised video model"
READING = "reading"
"""Key of ``made_by``: how the backbone read pictures whose features the model learned from."""


@dataclass(frozen=True)
class VideoCard:
    """What travels with the weights of a learned video model.

    Attributes:
        config: blocks and sizes.
        classes: names in the order of the scores; for aligned heads the first is normal. Empty where none are known.
        backbone: what gave the features, as ``zsad video extract --backbone`` takes it; ``""`` where nobody knows.
        every: frames from one row of features to the next.
        made_by: how it came to be, for people: plain texts and numbers.
    """

    config: Config
    classes: tuple[str, ...] = ()
    backbone: str = ""
    every: int = 16
    made_by: Mapping[str, Any] = field(default_factory=dict)

    @property
    def anomalous(self) -> tuple[str, ...]:
        """Names of the classes that are anomalies."""
        return self.classes[1:] if self.config.head.kind == "aligned" else self.classes

    def read_otherwise(self, reading: Mapping[str, Any]) -> str:
        """Return in what features differ from those that the model learned from; ``""`` if they do not.

        Args:
            reading: how a backbone reads pictures, as :class:`zsad.card.CardReading` has it.
        """
        wanted = self.made_by.get(READING)
        have = {key: list(value) if isinstance(value, tuple) else value for key, value in reading.items()}  # as in JSON
        if not isinstance(wanted, dict) or wanted.keys() != have.keys():  # nobody knows, or they were drawn
            return ""
        odd = next((key for key in have if have[key] != wanted[key]), None)
        return "" if odd is None else f"{odd} is {str(have[odd])[:40]}, the model learned with {str(wanted[odd])[:40]}"

    def to_json(self) -> str:
        """Return the file's text."""
        said = {
            "format": FORMAT,
            "kind": KIND,
            "config": asdict(self.config),
            "classes": list(self.classes),
            "backbone": self.backbone,
            "every": self.every,
            "made_by": dict(self.made_by),
        }
        return f"{json.dumps(said, indent=1)}\n"


def read_card(path: str | Path) -> VideoCard:
    """Read ``card.json``.

    Raises:
        ModelError: it is absent, damaged, or says something unknown.
    """
    return _card(read_json(path, ModelError, _LIMITS), printable(path))


def parse_card(text: str, where: str) -> VideoCard:
    """Read a card out of an ONNX file's metadata.

    Raises:
        ModelError: as :func:`read_card`.
    """
    return _card(parse_json(text, where, ModelError, _LIMITS), where)


def _card(data: Any, where: str) -> VideoCard:
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise ModelError(f"{where}: no card of a learned video model; give the folder of one")
    if data.get("format") != FORMAT or isinstance(data["format"], bool):
        raise ModelError(f"{where}: its format is {shown(data.get('format'))}, this zsad reads {FORMAT}; update zsad")
    odd = sorted(set(data) ^ _KEYS)
    if odd:
        raise ModelError(f"{where}: key {shown(odd[0])} is missing or unknown; train or import the model again")
    names, every = data["classes"], data["every"]
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ModelError(f"{where}: classes must be a list of names")
    if not isinstance(data["backbone"], str) or not isinstance(data["made_by"], dict):
        raise ModelError(f"{where}: backbone must be a text, made_by a mapping")
    if not isinstance(every, int) or isinstance(every, bool) or not 1 <= every <= 1_000_000:
        raise ModelError(f"{where}: every must be a whole number of at least 1, got {shown(every)}")
    try:
        config = from_mapping(Config, data["config"], where)
    except ConfigError as error:
        raise ModelError(str(error)) from None
    return VideoCard(config, tuple(names), data["backbone"], every, data["made_by"])
