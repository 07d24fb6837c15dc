"""What a step reads beside captions: normal and anomalous paraphrases, and single words in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from zsad.prompt.bank import PromptBank, load_bank
from zsad.synthetic import HELD_OUT, Scene, captions, vocabulary

TEMPLATES = (
    "{}",
    "{}.",
    "a photo of {}",
    "a photo of {}.",
    "a close-up photo of {}",
    "a cropped photo of {}",
    "a blurry photo of {}",
    "a bright photo of {}",
    "a dark photo of {}",
    "a black and white photo of {}",
    "there is {} in the picture",
    "an image of {} for inspection",
)
"""What a phrase stands in; the anomalous and the normal phrase of a pair share one."""

NORMAL = (
    "{}",
    "a {}",
    "a normal {}",
    "a flawless {}",
    "a perfect {}",
    "an intact {}",
    "an undamaged {}",
    "an unblemished {}",
    "a clean {}",
    "a good {}",
    "a {} without defect",
    "a {} without flaw",
    "a {} without damage",
    "a {} in good condition",
    "a healthy {}",
)
ANOMALOUS = (
    "damaged {}",
    "a damaged {}",
    "an abnormal {}",
    "a defective {}",
    "an imperfect {}",
    "a broken {}",
    "a faulty {}",
    "a blemished {}",
    "a dirty {}",
    "a bad {}",
    "a {} with a defect",
    "a {} with a flaw",
    "a {} with damage",
    "a {} in bad condition",
    "an anomalous {}",
)
GENERIC = ("object", "object", "surface", "part", "item", "product", "thing", "sample", "texture", "material")

INDUSTRIAL, MEDICAL = "industrial", "medical"
"""Shipped prompt banks whose words the text tower learns as well."""
ORGANS = ("skin", "tissue")
"""Textures that the medical bank speaks of."""

Pair: TypeAlias = tuple[str, str]
Row: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Words:
    """The single words that captions name, and which of them fit a scene.

    Attributes:
        defects: words for kinds of defect.
        materials: words for materials.
    """

    defects: tuple[str, ...]
    materials: tuple[str, ...]

    @classmethod
    def of_world(cls, held_out: bool = True) -> Words:
        """Return the procedural world's words, sorted.

        Args:
            held_out: also those that only left-out families have. Training asks without them: a word that never fits
                would be pushed away from everything.
        """

        def shown(kind: str, rows: Mapping[str, tuple[str, ...]]) -> set[str]:
            return {word for key, words in rows.items() if held_out or key not in HELD_OUT[kind] for word in words}

        keys = shown("texture", vocabulary.TEXTURE_MATERIALS) | shown("object", vocabulary.OBJECT_MATERIALS)
        materials = {word for key in keys for word in material_words(key)}
        return cls(tuple(sorted(shown("defect", vocabulary.DEFECT_WORDS))), tuple(sorted(materials)))

    def fitting_defects(self, scene: Scene) -> Row:
        """Return which defect words fit, bool ``(V,)``: those of its only kind of defect, or none."""
        kinds = set(scene.defects)
        fitting = vocabulary.DEFECT_WORDS[kinds.pop()] if len(kinds) == 1 else ()
        return np.array([word in fitting for word in self.defects])

    def fitting_materials(self, scene: Scene) -> Row:
        """Return which material words fit, bool ``(V,)``: all words for what the scene's material may be."""
        surface = scene.object == "surface"
        keys = vocabulary.TEXTURE_MATERIALS[scene.texture] if surface else vocabulary.OBJECT_MATERIALS[scene.object]
        groups = [material_words(key) for key in keys]
        # The scene states one word; every material of its family that is called so is a right answer.
        fitting = {word for words in groups if surface or scene.material in words for word in words}
        return np.array([word in fitting for word in self.materials])


def material_words(key: str) -> tuple[str, ...]:
    """Return the words for one of the world's materials."""
    return vocabulary.MATERIAL_WORDS.get(key, (key,))


@lru_cache
def _bank(name: str) -> PromptBank:
    return load_bank(name)


class TextSampler:
    """Draws the texts of one step.

    Args:
        words: the world's words.
        rng: its only source of chance.
    """

    def __init__(self, words: Words, rng: np.random.Generator) -> None:
        self.all, self.rng = words, rng

    def _one(self, options: Sequence[str]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def pair(self, scene: Scene) -> Pair:
        """Return a normal and an anomalous text; about half the time object-agnostic, else with the scene's nouns."""
        noun, chance = self.noun(scene), self.rng.random()
        if chance < 0.3:
            medical = scene.texture in ORGANS or scene.object.endswith("scan")
            bank = _bank(MEDICAL if medical else INDUSTRIAL)
            template = self._one(bank.templates)
            return tuple(template.format(self._one(states).format(noun)) for states in (bank.normal, bank.anomalous))  # type: ignore[return-value]
        template = self._one(TEMPLATES)
        normal, anomalous = self._one(NORMAL).format(noun), self._one(ANOMALOUS).format(noun)
        if scene.defects and chance < 0.45:
            anomalous = f"a {noun} with {captions.defect_phrase(self.rng, self._one(scene.defects))}"
        return template.format(normal), template.format(anomalous)

    def noun(self, scene: Scene) -> str:
        """Return what the pair speaks of."""
        kind = self.rng.random()
        if kind < 0.5:
            return self._one(GENERIC)
        nouns = vocabulary.SURFACE_WORDS if scene.object == "surface" else vocabulary.OBJECT_WORDS[scene.object]
        noun = self._one(nouns)
        return noun if kind < 0.7 else f"{scene.material} {noun}"

    def words(self) -> list[str]:
        """Return one sentence for every defect word, then one for every material word."""
        defect = self._one(("{}", "a {}", "a photo of a {}", "an object with a {}", "a surface with a {}"))
        material = self._one(("{}", "a {} object", "a photo of {}", "a {} surface", "something made of {}"))
        return [defect.format(w) for w in self.all.defects] + [material.format(w) for w in self.all.materials]


def pair_texts() -> tuple[list[str], list[str]]:
    """Return the object-agnostic ensemble: every normal and every anomalous phrase about generic nouns."""
    nouns = ("object", "surface", "part")
    sides = [[phrase.format(noun) for phrase in side for noun in nouns] for side in (NORMAL, ANOMALOUS)]
    return sides[0], sides[1]


def word_texts(words: Words) -> tuple[list[str], list[str]]:
    """Return one sentence for each defect word and one for each material word, as in the word tests."""
    return [f"a photo of a {word}" for word in words.defects], [f"a photo of {word}" for word in words.materials]


def stored_phrases() -> tuple[str, ...]:
    """Return phrases about an object whose vectors are worth storing where there is no text tower."""
    defects = sorted({words[0] for words in vocabulary.DEFECT_WORDS.values()})
    states = [phrase.format("object") for phrase in (*NORMAL, *ANOMALOUS)]
    return (*states, *(f"an object with {captions.article(word)}" for word in defects))
