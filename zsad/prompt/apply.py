"""A prompt by name, file or words, for one backbone: its vectors, and what the card says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zsad.backbone import Backbone, BackboneInfo
from zsad.card import ModelCard
from zsad.errors import PromptError
from zsad.prompt.bank import load_bank
from zsad.prompt.ensemble import bank_vectors, text_vectors
from zsad.prompt.learner import PromptLearner
from zsad.prompt.store import FINGERPRINT, StoredPrompt
from zsad.prompt.words import DEFAULT, Words
from zsad.types import PromptVectors

_READING = ("image_size", "vv_blocks", "layers", "pos_interp", "pos_antialias", "class_norm")
_JUDGING = (
    "layer_weights",
    "temperature",
    "reduction",
    "classes",
    "sigma",
    "score_rule",
    "head",
    "image_threshold",
    "pixel_threshold",
    "min_area",
    "verdict_rule",
    "calibrated",
    "training_data",
    "licence",
    "source",
    "description",
)


@dataclass(frozen=True)
class Applied:
    """A prompt made ready for one backbone.

    Attributes:
        vectors: its two directions.
        card: fields of the card that it decides.
    """

    vectors: PromptVectors
    card: dict[str, Any] = field(default_factory=dict)


def reading_of(prompt: StoredPrompt) -> dict[str, Any]:
    """Return how a trained prompt wants its backbone read, as changes for ``Backbone.configured``."""
    return {name: value for name, value in prompt.card.flat().items() if name in _READING}


def apply_words(words: Words, backbone: Backbone) -> Applied:
    """Encode a bank or free texts.

    Raises:
        ModelError: the backbone has no text tower.
        PromptError: no such bank, or texts that can't be encoded.
    """
    if words.texts:
        return Applied(text_vectors(backbone, *words.texts), {"prompt": words.label()})
    bank = load_bank(words.prompt or DEFAULT)
    return Applied(bank_vectors(backbone, bank, words.noun), {"prompt": words.label(bank.name)})


def apply_stored(prompt: StoredPrompt, backbone: Backbone) -> Applied:
    """Return the vectors of a trained prompt for the backbone it was made for.

    Raises:
        PromptError: it was made for another one.
        ModelError: its vectors are not stored, and the backbone lacks the text tower that makes them.
    """
    name = prompt.card.scoring.prompt or prompt.card.provenance.name or "prompt"
    check_backbone(prompt, backbone.info)
    card = {key: value for key, value in prompt.card.flat().items() if key in _JUDGING} | {"prompt": name}
    layers = len(backbone.layers)
    want = (layers, 1 + len(prompt.card.scoring.classes), backbone.info.embed_dim)
    if prompt.vectors is not None and prompt.vectors.pixel.shape == want:
        return Applied(prompt.vectors, card)  # as they were trained, and no text tower is needed
    if prompt.learned:
        learner = PromptLearner(backbone.text_tower(), prompt.settings).load(prompt.learned, name)
        return Applied(learner.vectors(layers), card)
    assert prompt.vectors is not None  # load_prompt refuses a file without either
    raise PromptError(f"{name}: its vectors are {prompt.vectors.pixel.shape}, {backbone.info.id} needs {want}")


def check_backbone(prompt: StoredPrompt, info: BackboneInfo) -> None:
    """Check that a trained prompt was made for a backbone.

    Raises:
        PromptError: it was made for another one.
    """
    problem = mismatch(prompt.card, info)
    if problem:
        name = prompt.card.scoring.prompt or prompt.card.provenance.name or "prompt"
        raise PromptError(f"{name}: {problem}; use the backbone it was made for, or train one for this")


def mismatch(card: ModelCard, info: BackboneInfo) -> str:
    """Say why a prompt's card does not fit a backbone, or return an empty string.

    The fingerprint decides where the card has one. Otherwise two names of open_clip must be the same; a file
    or folder, whose name says nothing, must have the same sizes.
    """
    maker = card.provenance.backbone
    stated = card.provenance.details.get(FINGERPRINT)
    if stated is not None:
        return "" if stated == info.fingerprint else f"was made for {maker}, whose weights are not {info.id}'s"
    if not maker:
        return ""
    if _plain(maker) == _plain(info.id):
        return ""
    if not _says_nothing(info.id) and not _says_nothing(maker):
        return f"was made for {maker}, not for {info.id}"
    sizes = {
        "embed_dim": (card.reading.embed_dim, info.embed_dim),
        "patch size": (card.reading.patch_size, info.patch_size),
    }
    for key, have in (("native_size", info.native_size), ("depth", info.depth)):
        if key in card.provenance.details:
            sizes[key.replace("_", " ")] = (int(card.provenance.details[key]), have)
    for what, (want, have) in sizes.items():
        if want != have:
            return f"was made for {maker} with {what} {want}, {info.id} has {have}"
    return ""


def _plain(name: str) -> str:
    """Return an id without the suffix that only states the activation."""
    return name.replace("-quickgelu/", "/")


def _says_nothing(name: str) -> bool:
    """Tell whether an id is a place or random weights rather than open_clip's NAME/TAG."""
    return ":" in name or name.startswith(("/", ".")) or name.endswith((".pt", ".pth", ".bin", ".safetensors"))
