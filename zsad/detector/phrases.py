"""Text vectors that were stored in an ONNX file, so that prompts can be exchanged without a text tower."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zsad.documents import LARGE, parse_json
from zsad.errors import ModelError, PromptError
from zsad.outside import shown, terminal
from zsad.prompt.words import DEFAULT, Words
from zsad.types import FloatArray

PHRASES_KEY = "zsad_phrases"
"""Name of the phrase book's entry in the ONNX metadata."""

_SHOWN = 6


@dataclass(frozen=True)
class PhraseBook:
    """Words and their unit vectors, stored as float16.

    Attributes:
        texts: phrase -> float32 ``(D,)`` unit vector.
        pairs: prompt name -> object noun (``""`` for none) -> float32 ``(2, D)``, normal then anomalous.
    """

    texts: Mapping[str, FloatArray] = field(default_factory=dict)
    pairs: Mapping[str, Mapping[str, FloatArray]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.texts or self.pairs)

    def to_json(self) -> str:
        """Return the book as JSON with base64 vectors, for the ONNX metadata."""
        return json.dumps(
            {
                "texts": {text: _pack(vector) for text, vector in self.texts.items()},
                "pairs": {
                    name: {noun: _pack(pair) for noun, pair in nouns.items()} for name, nouns in self.pairs.items()
                },
            },
            sort_keys=True,
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str, embed_dim: int, where: str) -> PhraseBook:
        """Read a book from ONNX metadata.

        Args:
            text: the JSON.
            embed_dim: D, that every vector must have.
            where: name of the file in errors.

        Raises:
            ModelError: not a phrase book, or vectors of another width.
        """
        try:
            data = parse_json(text, where, ModelError, LARGE)
            texts = {str(k): _unpack(v, (embed_dim,)) for k, v in data["texts"].items()}
            pairs = {
                str(name): {str(noun): _unpack(pair, (2, embed_dim)) for noun, pair in nouns.items()}
                for name, nouns in data["pairs"].items()
            }
        except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
            why = terminal(error, 100)
            raise ModelError(f"{where}: its stored phrases are damaged ({why}); export the model again") from None
        return cls(texts, pairs)

    def pair(self, prompt: str, noun: str | None = None) -> FloatArray:
        """Return the ``(2, D)`` vectors of a stored prompt, for an object if one is named.

        Raises:
            PromptError: no such prompt or object is stored.
        """
        nouns = self.pairs.get(prompt)
        if nouns is None:
            raise PromptError(_not_stored(f"prompt {shown(prompt)}", sorted(self.pairs), "prompts"))
        found = nouns.get(noun or "")
        if found is None:
            stored = [name or "(no object)" for name in sorted(nouns)]
            raise PromptError(_not_stored(f"object {shown(noun or '')} of prompt {shown(prompt)}", stored, "objects"))
        return found

    def text(self, phrase: str) -> FloatArray:
        """Return the ``(D,)`` vector of a stored phrase.

        Raises:
            PromptError: the phrase is not stored.
        """
        found = self.texts.get(phrase)
        if found is None:
            raise PromptError(_not_stored(shown(phrase), sorted(self.texts), "phrases"))
        return found

    def choose(self, words: Words, default: str = "") -> tuple[FloatArray, str]:
        """Look up the vectors of whatever was asked for.

        Args:
            words: the name of a stored prompt with a stored object, or two stored phrases.
            default: the prompt that an object noun alone belongs to, if it is stored.

        Returns:
            The ``(2, D)`` vectors and their name.

        Raises:
            PromptError: not stored.
        """
        if words.texts:
            return np.stack([self.text(phrase) for phrase in words.texts]), words.label()
        name = words.prompt or (default if default in self.pairs else DEFAULT)
        return self.pair(name, words.noun), words.label(name)


def _not_stored(what: str, stored: list[str], kind: str) -> str:
    names = ", ".join(shown(name, 30) for name in stored[:_SHOWN]) + (", ..." if len(stored) > _SHOWN else "")
    rest = f" or one of the stored {kind}: {names}" if stored else f"; this file stores no {kind}"
    return f"{what}: text prompts need the torch extra (pip install 'zsad[torch]'){rest}"


def _pack(vector: FloatArray) -> str:
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f2").tobytes()).decode("ascii")


def _unpack(text: Any, shape: tuple[int, ...]) -> FloatArray:
    half = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float32).reshape(shape)
    length = np.linalg.norm(half, axis=-1, keepdims=True)
    if not np.isfinite(half).all() or (length < 0.5).any():
        raise ValueError("not unit vectors")
    unit: FloatArray = half / length
    return unit
