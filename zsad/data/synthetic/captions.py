"""Words: what materials, objects, states and defects are called, and captions made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zsad.data.synthetic.noise import chance

TEXTURE_MATERIALS: dict[str, tuple[str, ...]] = {
    "woven": ("fabric", "cloth", "textile", "cotton", "linen", "canvas"),
    "knit": ("fabric", "textile", "wool", "cotton"),
    "mesh": ("wire mesh", "metal grid", "net", "grating"),
    "tiled": ("tile", "brick", "ceramic", "stone"),
    "printed": ("paper", "printed paper", "wallpaper", "fabric"),
    "perforated": ("sheet metal", "steel", "plastic", "perforated metal"),
    "ribbed": ("rubber", "plastic", "sheet metal", "cardboard"),
    "treadplate": ("steel", "sheet metal", "rubber"),
    "honeycomb": ("honeycomb", "plastic", "ceramic"),
    "legend": ("paper", "printed paper", "label"),
    "scales": ("plastic", "leather", "stone"),
    "brushed": ("steel", "brushed metal", "aluminium", "metal"),
    "ground": ("magnetic tile", "ceramic", "ground metal", "metal", "steel"),
    "granular": ("granite", "sand", "asphalt", "stone", "cast iron"),
    "concrete": ("concrete", "pavement", "asphalt", "plaster", "cement"),
    "marble": ("marble", "stone"),
    "terrazzo": ("stone", "granite"),
    "hammered": ("metal", "steel", "sheet metal"),
    "cast": ("painted metal", "cast iron", "plastic", "leather"),
    "plain": ("plastic", "paper", "painted metal", "glass", "rubber"),
    "foam": ("foam", "sponge", "cork"),
    "speckled": ("laminate", "stone", "plastic", "paper"),
    "wood": ("wood", "oak", "timber", "plywood"),
    "leather": ("leather", "vinyl"),
    "skin": ("skin",),
    "tissue": ("tissue",),
    "carpet": ("carpet", "felt", "fleece", "wool"),
    "fibrous": ("cardboard", "chipboard", "fibre mat", "paper"),
    "crumb": ("bread", "dough", "cork", "biscuit"),
    "camouflage": ("fabric", "vinyl", "stone"),
    "speckle": ("tissue",),
}
"""Materials of surfaces by texture family."""

OBJECT_MATERIALS: dict[str, tuple[str, ...]] = {
    "screw": ("steel", "steel", "brass", "iron"),
    "nut": ("steel", "brass", "iron", "plastic", "copper"),
    "gear": ("steel", "brass", "plastic", "iron"),
    "bracket": ("steel", "aluminium", "iron", "plastic", "copper"),
    "spring": ("steel", "brass", "copper"),
    "chain": ("steel", "brass", "iron"),
    "tool": ("steel", "brass", "iron"),
    "bearing": ("steel", "brass"),
    "riveted": ("aluminium", "steel", "copper", "iron"),
    "fan": ("plastic", "aluminium", "steel"),
    "slab": (
        "ceramic",
        "steel",
        "stone",
        "wood",
        "rubber",
        "foam",
        "leather",
        "iron",
        "aluminium",
        "fabric",
        "cardboard",
        "glass",
        "wax",
    ),
    "ring": ("rubber", "steel", "plastic", "copper"),
    "nail": ("steel", "plastic", "wood", "brass"),
    "casting": ("iron", "aluminium", "plastic", "wax", "stone"),
    "connector": ("plastic", "plastic", "ceramic"),
    "chip": ("plastic",),
    "board": ("fibreglass",),
    "cable": ("rubber", "plastic"),
    "transistor": ("plastic",),
    "panel": ("plastic", "aluminium", "steel"),
    "dial": ("steel", "plastic", "brass"),
    "fins": ("aluminium", "copper", "plastic"),
    "cookie": ("dough",),
    "bottle": ("glass", "plastic"),
    "jar": ("aluminium", "glass", "steel", "ceramic"),
    "capsule": ("plastic", "wax", "ceramic"),
    "blister": ("aluminium", "plastic"),
    "zipper": ("brass", "steel", "plastic"),
    "brush": ("plastic", "wood"),
    "kernel": ("nutshell", "wood", "stone"),
    "package": ("cardboard", "paper", "plastic"),
    "card": ("paper", "plastic", "aluminium", "brass"),
    "tray": ("wax", "dough", "plastic", "steel"),
    "pipe": ("copper", "steel", "plastic", "rubber", "glass"),
    "brain_scan": ("tissue",),
    "chest_scan": ("tissue", "bone"),
    "endoscopy": ("tissue",),
    "ultrasound": ("tissue",),
    "dermoscopy": ("skin",),
    "retina": ("tissue",),
}
"""Materials of objects by family; those of solid objects are keys of ``palette.MATERIALS``."""

MATERIAL_WORDS: dict[str, tuple[str, ...]] = {
    "steel": ("steel", "steel", "metal", "stainless steel"),
    "iron": ("iron", "cast iron", "metal"),
    "aluminium": ("aluminium", "aluminium", "metal", "aluminum"),
    "brass": ("brass", "brass", "metal"),
    "copper": ("copper", "copper", "metal"),
    "fibreglass": ("fibreglass", "fiberglass", "circuit board"),
    "dough": ("dough", "baked", "biscuit"),
    "nutshell": ("nutshell", "shell"),
    "stone": ("stone", "stone", "granite"),
    "fabric": ("fabric", "cloth", "textile"),
    "plastic": ("plastic", "plastic", "polymer"),
    "tile": ("tile", "tiled"),
    "tissue": ("tissue", "body tissue", "organ"),
}
"""Other words for a material; a material without a row is called by its own name."""

GENERAL_WORDS = ("object", "object", "object", "product", "item", "part", "thing")
SURFACE_WORDS = ("surface", "surface", "texture", "sheet", "panel", "material", "sample", "close-up")

OBJECT_WORDS: dict[str, tuple[str, ...]] = {
    "screw": ("screw", "screw", "bolt", "threaded screw"),
    "nut": ("nut", "washer", "ring"),
    "gear": ("gear", "cog", "gear wheel", "sprocket"),
    "bracket": ("bracket", "plate", "flange", "metal plate"),
    "spring": ("spring", "coil spring"),
    "chain": ("chain", "link chain"),
    "tool": ("tool", "key", "wrench", "spanner"),
    "bearing": ("bearing", "ring", "wheel"),
    "riveted": ("panel", "riveted panel", "sheet with rivets", "plate"),
    "fan": ("fan", "impeller", "wheel"),
    "slab": ("tile", "slab", "block", "plate", "bar"),
    "ring": ("ring", "seal", "o-ring", "gasket"),
    "nail": ("nail", "pin", "pen", "rod", "needle", "tool"),
    "casting": ("casting", "moulded part", "part", "housing"),
    "connector": ("connector", "plug", "socket", "header"),
    "chip": ("chip", "integrated circuit", "electronic component"),
    "board": ("circuit board", "pcb", "printed circuit board", "electronic board"),
    "cable": ("cable", "wire", "cable cross section"),
    "transistor": ("transistor", "electronic component", "component"),
    "panel": ("control panel", "keypad", "keyboard", "panel"),
    "dial": ("gauge", "dial", "clock", "meter"),
    "fins": ("heat sink", "comb", "radiator"),
    "cookie": ("cookie", "biscuit", "cracker", "bread"),
    "bottle": ("bottle", "vial", "juice bottle", "flask", "jar"),
    "jar": ("can", "jar", "lid", "bottle top"),
    "capsule": ("pill", "capsule", "tablet"),
    "blister": ("blister pack", "pill pack", "tray of pills"),
    "zipper": ("zipper", "zip"),
    "brush": ("toothbrush", "brush"),
    "kernel": ("nut", "hazelnut", "fruit", "bean", "seed"),
    "package": ("box", "package", "carton", "packaging"),
    "card": ("label", "name plate", "card", "sticker"),
    "tray": ("tray", "box of parts", "assortment", "set of pieces"),
    "pipe": ("pipe", "tube", "hose", "rod"),
    "brain_scan": ("brain scan", "brain mri", "head scan"),
    "chest_scan": ("chest x-ray", "lung scan", "chest radiograph"),
    "endoscopy": ("endoscopy image", "medical image", "colon", "intestine", "bowel"),
    "ultrasound": ("ultrasound scan", "ultrasound image", "medical image"),
    "dermoscopy": ("skin", "skin close-up", "dermoscopy image"),
    "retina": ("retina", "eye", "fundus image", "medical image"),
}
"""Nouns by object family; every held-out family has at least one noun that a training family uses too."""

DEFECT_WORDS: dict[str, tuple[str, ...]] = {
    "scratch": ("scratch", "scratches", "scratch mark"),
    "scuff": ("scuff", "abrasion", "scratches", "scrape"),
    "crack": ("crack", "fracture", "fissure", "cracks"),
    "crazing": ("crack", "fine cracks", "cracks", "crazing"),
    "cut": ("cut", "tear", "slit", "rip"),
    "fibre": ("fibre", "hair", "thread", "foreign fiber", "contamination"),
    "crease": ("fold", "wrinkle", "crease", "deformation"),
    "thread": ("missing thread", "pulled thread", "loose thread", "thread damage"),
    "gouge": ("scratch", "gouge", "dent", "scrape"),
    "dent": ("dent", "dimple", "dented spot", "deformation"),
    "bump": ("bump", "bulge", "lump", "swelling"),
    "blister": ("bump", "bubble", "blister", "swelling"),
    "hole": ("hole", "puncture", "gap"),
    "pits": ("pit", "pores", "blowhole", "holes", "pitting"),
    "stain": ("stain", "spot", "mark", "dirt"),
    "smear": ("stain", "smear", "dirt", "smudge"),
    "drip": ("drop", "liquid", "oil", "glue", "splash"),
    "contamination": ("contamination", "foreign object", "particle", "dirt", "debris"),
    "discoloration": ("discoloration", "colour defect", "color fault", "fading"),
    "burn": ("burn", "burn mark", "scorch"),
    "corrosion": ("corrosion", "rust", "mould", "oxidation"),
    "blotch": ("blotch", "uneven area", "dark area", "discoloration"),
    "lesion": ("lesion", "tumor", "spot", "growth"),
    "polyp": ("lump", "growth", "swelling", "bump"),
    "mole": ("lesion", "spot", "growth", "dark area"),
    "patch": ("patch", "wrong piece", "misplaced piece", "irregular area"),
    "distortion": ("distortion", "deformation", "warp", "twist"),
    "worn": ("wear", "worn spot", "rubbed area", "fading"),
    "misprint": ("misprint", "print error", "smudge", "ghost print"),
    "absence": ("missing piece", "missing part", "blank area", "gap"),
    "chip": ("chip", "broken edge", "chipped edge", "broken corner"),
    "fray": ("frayed edge", "fraying", "ragged edge", "rough edge", "edge damage"),
    "missing_part": ("missing part", "missing piece", "lost part"),
    "misplaced_part": ("misplaced part", "shifted part", "wrong position", "misaligned part"),
    "turned_part": ("misplaced part", "rotated part", "flipped part", "misaligned part"),
    "wrong_part": ("wrong part", "wrong piece", "colour defect", "swapped part"),
    "extra_part": ("extra part", "loose part", "foreign object", "surplus part"),
    "bent": ("bend", "bent part", "deformation", "twist"),
    "broken": ("break", "broken part", "broken piece", "fracture", "broken corner"),
    "deformed": ("deformation", "dent", "bulge", "crushed edge"),
    "burr": ("burr", "rough edge", "excess material", "flash"),
    "notch": ("nick", "notch", "edge damage", "thread damage", "chipped edge"),
    "wrong_level": ("missing part", "incomplete part", "wrong level", "wrong fill"),
}
"""Nouns by defect family; every held-out family has at least two that training families use too."""

NORMAL_STATES = (
    "flawless",
    "perfect",
    "intact",
    "undamaged",
    "good",
    "clean",
    "normal",
    "unblemished",
    "faultless",
    "regular",
)
NORMAL_TAILS = (
    "without defect",
    "without flaw",
    "without damage",
    "with no defect",
    "in good condition",
    "as it should be",
    "free of defects",
)
ANOMALOUS_STATES = ("damaged", "defective", "faulty", "flawed", "abnormal", "anomalous", "imperfect", "broken", "bad")
ANOMALOUS_TAILS = ("with a defect", "with a flaw", "with damage", "with a fault", "with an anomaly", "in bad condition")
SIZE_WORDS = ("small", "large", "tiny", "big", "faint", "clear")
FRAMES = (
    "a photo of {}", "a picture of {}", "an image of {}", "a close-up photo of {}", "a cropped photo of {}", "{}", "{}",
    "a photo of {} for inspection", "there is {} in the scene", "a view of {}",
)  # fmt: skip
LOOK_WORDS = {
    "colour": ("", "", "", "", "bright ", "colour "),
    "grey": ("grey ", "black and white ", "grayscale ", ""),
    "infrared": ("infrared ", "near infrared "),
    "xray": ("x-ray ", "radiograph "),
    "thermal": ("thermal ", "false colour "),
}


def article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    vowel = phrase[:1] in "aeiou" and not phrase.startswith(("uni", "use", "eu", "one"))
    return ("an " if vowel or phrase.startswith("x-ray") else "a ") + phrase


def pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One of the words."""
    return words[int(rng.integers(len(words)))]


def material_word(rng: np.random.Generator, material: str) -> str:
    """A word for a material."""
    return pick(rng, MATERIAL_WORDS.get(material, (material,)))


def _thing(rng: np.random.Generator, family: str, material: str, state: str) -> str:
    """State, material and noun; at times only one of the last two, or a general noun."""
    noun = pick(rng, SURFACE_WORDS if family == "surface" else OBJECT_WORDS[family])
    kind = rng.random()
    if kind < 0.1:
        words = pick(rng, GENERAL_WORDS)
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
        phrase = article(_thing(rng, family, material, pick(rng, NORMAL_STATES)))
    elif kind < 0.85:
        phrase = f"{article(_thing(rng, family, material, ''))} {pick(rng, NORMAL_TAILS)}"
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
    state = pick(rng, ANOMALOUS_STATES) if kind < 0.35 else ""
    thing = article(_thing(rng, family, material, state))
    if kind < 0.08:
        phrase = f"{thing} {pick(rng, ANOMALOUS_TAILS)}"
    elif kind < 0.88:
        phrase = f"{thing} {pick(rng, ('with', 'with', 'with', 'showing', 'that has'))} {what}"
    else:
        phrase = f"{what} on {thing}"
    return _framed(rng, phrase, look)


def defect_phrase(rng: np.random.Generator, family: str, noun: str = "", size: str = "") -> str:
    """A defect with its article: "a small scratch", "a missing pin"."""
    word = pick(rng, DEFECT_WORDS[family])
    if noun and chance(rng, 0.6):
        if "part" in word:
            word = word.replace("part", noun)
        elif family == "bent":
            word = f"bent {noun}"
    if size and chance(rng, 0.4):
        word = f"{size} {word}"
    plural = word.endswith("s") and not word.endswith("ss")
    return word if plural or word.split()[-1] in _UNCOUNTED else article(word)


_UNCOUNTED = frozenset(
    {
        "abrasion",
        "contamination",
        "corrosion",
        "crazing",
        "damage",
        "debris",
        "dirt",
        "discoloration",
        "fading",
        "flash",
        "fraying",
        "glue",
        "liquid",
        "material",
        "mould",
        "oil",
        "oxidation",
        "pitting",
        "rust",
        "wear",
    }
)


def _framed(rng: np.random.Generator, phrase: str, look: str) -> str:
    text = pick(rng, FRAMES).format(phrase)
    extra = pick(rng, LOOK_WORDS.get(look, ("",)))
    for noun in ("photo", "picture", "image"):
        if extra and noun in text:
            return text.replace(f"a {noun}", article(extra + noun), 1).replace(f"an {noun}", article(extra + noun), 1)
    return text
