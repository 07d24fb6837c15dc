"""Prompts on disk: learned values or finished vectors as safetensors, with their card in the header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from zsad import paths
from zsad.card import CARD_KEY, ModelCard
from zsad.errors import PromptError, first_line
from zsad.files import output_errors, write_whole
from zsad.outputs import check_output, holds
from zsad.outside import shown
from zsad.prompt.bank import LearnerSettings
from zsad.prompt.words import DEFAULT, Words
from zsad.types import PromptVectors

Array = npt.NDArray[np.float32]

_IMAGE, _PIXEL = "vectors.image", "vectors.pixel"
_LEARNED = "learned."
FINGERPRINT = "backbone_fingerprint"
"""Entry of a card's details that names the exact weights a prompt was made for."""


@dataclass(frozen=True)
class StoredPrompt:
    """A prompt as it lies in a file.

    Attributes:
        card: what it was made for and on, its licence and source.
        vectors: the two text directions, or None if only learned values are stored.
        learned: values of a :class:`~zsad.prompt.learner.PromptLearner`, or empty.
    """

    card: ModelCard
    vectors: PromptVectors | None = None
    learned: dict[str, Array] = field(default_factory=dict)

    @property
    def settings(self) -> LearnerSettings:
        """The learner's sizes, read from the shapes, and its words, from the card.

        Raises:
            PromptError: no learned values.
        """
        if not self.learned:
            raise PromptError(f"{self.card.scoring.prompt or 'prompt'}: holds no learned values")
        deep = sorted(name for name in self.learned if name.startswith("deep."))
        context = int(self.learned["context_normal"].shape[0])
        defaults = LearnerSettings()
        return LearnerSettings(
            context=context,
            depth=1 + len(deep),
            deep_length=int(self.learned[deep[0]].shape[0]) if deep else min(defaults.deep_length, context),
            normal=self.card.provenance.details.get("words_normal", defaults.normal),
            anomalous=self.card.provenance.details.get("words_anomalous", defaults.anomalous),
            name=self.card.scoring.prompt or "prompt",
        )


is_prompt = holds(CARD_KEY.encode(), within=1_000_000)
"""Whether a file has the card of a prompt in its header."""


def save_prompt(path: str | Path, prompt: StoredPrompt) -> Path:
    """Write a prompt; the file appears complete or not at all.

    Raises:
        PromptError: nothing to store, or values that are not finite.
        OccupiedError: a file that is no prompt is there.
        OutputError: the place can't be written.
    """
    path = Path(path)
    check_output(path, is_prompt, "choose another place")
    tensors: dict[str, Array] = {_LEARNED + name: _float32(value) for name, value in prompt.learned.items()}
    if prompt.vectors is not None:
        tensors |= {_IMAGE: _float32(prompt.vectors.image), _PIXEL: _float32(prompt.vectors.pixel)}
    if not tensors:
        raise PromptError(f"{path}: the prompt has neither vectors nor learned values")
    for name, value in tensors.items():
        if not np.isfinite(value).all():
            raise PromptError(f"{path}: {name} holds NaN or infinite values; train again with a smaller step")
    data = save(tensors, metadata={CARD_KEY: prompt.card.to_json()})
    write_whole(path, data, output_errors(path, "choose another place", "try again"))
    return path


def load_prompt(path: str | Path) -> StoredPrompt:
    """Read a prompt file.

    Raises:
        PromptError: absent, damaged, not a prompt of zsad, or with values that do not fit each other.
        CardError: its card has unknown keys or wrong values.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError) as error:
        raise PromptError(f"{path}: not a readable safetensors file ({first_line(error)})") from None
    if CARD_KEY not in metadata:
        raise PromptError(f"{path}: no prompt of zsad (no card in its header); import it with `zsad import-prompt`")
    card = ModelCard.from_json(metadata[CARD_KEY], str(path))
    learned = {name.removeprefix(_LEARNED): v for name, v in tensors.items() if name.startswith(_LEARNED)}
    unknown = [name for name in tensors if not name.startswith(_LEARNED) and name not in (_IMAGE, _PIXEL)]
    if unknown or not tensors or any(v.dtype != np.float32 or not np.isfinite(v).all() for v in tensors.values()):
        what = f"unknown tensor {shown(unknown[0])}" if unknown else "no tensors, or values that are not finite float32"
        raise PromptError(f"{path}: {what}; import or train the prompt again")
    check_learned(path, learned)
    return StoredPrompt(card=card, vectors=_vectors(path, tensors, card.scoring.classes), learned=learned)


def trained_prompt(words: Words) -> StoredPrompt | None:
    """Return the trained prompt that is asked for, or None if it is words.

    Raises:
        PromptError: no such prompt, a damaged one, or an object noun for a prompt that has no place for it.
    """
    if words.texts:
        return None
    path = paths.find_prompt(words.prompt or DEFAULT)
    if path.suffix == ".yaml":
        return None
    if words.noun is not None:
        raise PromptError(f"{words.prompt}: is trained for every object and takes no noun; leave the object out")
    return load_prompt(path)


def _vectors(path: Path, tensors: dict[str, Any], names: tuple[str, ...]) -> PromptVectors | None:
    if _IMAGE not in tensors and _PIXEL not in tensors:
        return None
    try:
        vectors = PromptVectors(tensors[_IMAGE], tensors[_PIXEL], names)
    except (KeyError, ValueError) as error:
        raise PromptError(f"{path}: its vectors do not fit each other ({error}); train the prompt again") from None
    for pair in (vectors.image, vectors.pixel):
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(pair, axis=-1)
        if np.abs(lengths - 1.0).max() > 1e-3:
            raise PromptError(f"{path}: its vectors are not unit vectors; train the prompt again")
    return vectors


def check_learned(where: object, learned: Mapping[str, Array]) -> None:
    """Check learned values, as :meth:`PromptLearner.tensors` names them, against each other; none is fine.

    Raises:
        PromptError: one is missing or surplus, their widths differ, or they are not finite.
    """
    if not learned:
        return
    deep = [name for name in learned if name.startswith("deep.")]
    wanted = {"context_normal", "context_anomalous", *(f"deep.{i}" for i in range(len(deep)))}
    if set(learned) != wanted:
        odd = sorted(wanted ^ set(learned))[0]
        raise PromptError(f"{where}: learned value {shown(odd)} is missing or surplus; give a complete prompt")
    contexts = {learned[name].shape for name in wanted if name not in deep}
    shapes = contexts | {learned[name].shape for name in deep}
    widths = {shape[-1] for shape in shapes if shape}
    flat = any(len(shape) != 2 or 0 in shape for shape in shapes)
    if flat or len(widths) != 1 or len(contexts) != 1 or len(shapes - contexts) > 1:
        said = ", ".join(f"{name} {learned[name].shape}" for name in sorted(learned))
        raise PromptError(f"{where}: its tensors do not fit each other ({said[:160]})")
    if not all(np.isfinite(value).all() for value in learned.values()):
        raise PromptError(f"{where}: its learned values hold NaN or infinite numbers; give an undamaged prompt")


def _float32(value: Any) -> Array:
    return np.ascontiguousarray(value, dtype=np.float32)
