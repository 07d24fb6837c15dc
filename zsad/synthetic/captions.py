"""Captions: sentences that say what materials, objects, states and defects a scene shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zsad.synthetic import vocabulary
from zsad.synthetic.noise import chance


def article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    vowel = phrase[:1] in "aeiou" and not phrase.startswith(("uni", "use", "eu", "one"))
    return ("an " if vowel or phrase.startswith("x-ray") else "a ") + phrase


def pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One of the words."""
    return words[int(rng.integers(len(words)))]


def material_word(rng: np.random.Generator, material: str) -> str:
    """A word for a material."""
    return pick(rng, vocabulary.MATERIAL_WORDS.get(material, (material,)))


def _thing(rng: np.random.Generator, family: str, material: str, state: str) -> str:
    """State, material and noun; at times only one of the last two, or a general noun."""
    noun = pick(rng, vocabulary.SURFACE_WORDS if family == "surface" else vocabulary.OBJECT_WORDS[family])
    kind = rng.random()
    if kind < 0.1:
        words = pick(rng, vocabulary.GENERAL_WORDS)
    elif kind < 0.18 or material in noun:
        words = noun
    elif noun in material or (kind < 0.24 and family == "surface"):
        words = material
    else:
        words = f"{material} {noun}"
    return f"{state} {words}".strip()


def normal_caption(rng: np.random.Generator, family: str, material: str, look: str = "colour") -> str:
    """A caption of a faultless scene.

    Args:
        rng: the source of chance.
        family: object family, or "surface".
        material: the word for the material.
        look: key of ``LOOK_WORDS``.

    Returns:
        For example "a photo of a flawless steel screw".
    """
    kind = rng.random()
    if kind < 0.55:
        phrase = article(_thing(rng, family, material, pick(rng, vocabulary.NORMAL_STATES)))
    elif kind < 0.85:
        phrase = f"{article(_thing(rng, family, material, ''))} {pick(rng, vocabulary.NORMAL_TAILS)}"
    else:
        phrase = article(_thing(rng, family, material, ""))
    return _framed(rng, phrase, look)


def anomalous_caption(
    rng: np.random.Generator,
    family: str,
    material: str,
    defects: Sequence[str],
    nouns: Sequence[str] = (),
    look: str = "colour",
    size: str = "",
) -> str:
    """A caption of a faulty scene.

    Args:
        rng: the source of chance.
        family: object family, or "surface".
        material: the word for the material.
        defects: defect families that are visible.
        nouns: for each defect the word for the faulty part, "" for none.
        look: key of ``LOOK_WORDS``.
        size: word for how large or faint it is, "" for none.

    Returns:
        For example "a picture of a wood panel with a small scratch".
    """
    words = [defect_phrase(rng, name, nouns[k] if k < len(nouns) else "", size) for k, name in enumerate(defects)]
    what = " and ".join(dict.fromkeys(words))
    kind = rng.random()
    state = pick(rng, vocabulary.ANOMALOUS_STATES) if kind < 0.35 else ""
    thing = article(_thing(rng, family, material, state))
    if kind < 0.08:
        phrase = f"{thing} {pick(rng, vocabulary.ANOMALOUS_TAILS)}"
    elif kind < 0.88:
        phrase = f"{thing} {pick(rng, ('with', 'with', 'with', 'showing', 'that has'))} {what}"
    else:
        phrase = f"{what} on {thing}"
    return _framed(rng, phrase, look)


def defect_phrase(rng: np.random.Generator, family: str, noun: str = "", size: str = "") -> str:
    """A defect with its article: "a small scratch", "a missing pin"."""
    word = pick(rng, vocabulary.DEFECT_WORDS[family])
    if noun and chance(rng, 0.6):
        if "part" in word:
            word = word.replace("part", noun)
        elif family == "bent":
            word = f"bent {noun}"
    if size and chance(rng, 0.4):
        word = f"{size} {word}"
    plural = word.endswith("s") and not word.endswith("ss")
    return word if plural or word.split()[-1] in vocabulary.UNCOUNTED else article(word)


def _framed(rng: np.random.Generator, phrase: str, look: str) -> str:
    text = pick(rng, vocabulary.FRAMES).format(phrase)
    extra = pick(rng, vocabulary.LOOK_WORDS.get(look, ("",)))
    for noun in ("photo", "picture", "image"):
        if extra and noun in text:
            return text.replace(f"a {noun}", article(extra + noun), 1).replace(f"an {noun}", article(extra + noun), 1)
    return text
