"""The words of captions: materials, objects, defects, states and frames, by family; read from ``words.yaml``."""

from __future__ import annotations

from importlib import resources
from typing import Any

from zsad.documents import parse_yaml

Words = tuple[str, ...]


def read_tables(file: str) -> dict[str, Any]:
    """Read the tables of a YAML file of this folder, in its order, with tuples for lists."""
    text = (resources.files("zsad.synthetic") / file).read_text(encoding="utf-8")
    tables: dict[str, Any] = _frozen(parse_yaml(text, file))
    return tables


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(entry) for key, entry in value.items()}
    return tuple(value) if isinstance(value, list) else value


_TABLES = read_tables("words.yaml")

TEXTURE_MATERIALS: dict[str, Words] = _TABLES["texture_materials"]
"""Materials of surfaces by texture family."""
OBJECT_MATERIALS: dict[str, Words] = _TABLES["object_materials"]
"""Materials of objects by family; those of solid objects are keys of ``palette.MATERIALS``."""
MATERIAL_WORDS: dict[str, Words] = _TABLES["material_words"]
"""Other words for a material; a material without a row is called by its own name."""
GENERAL_WORDS: Words = _TABLES["general_words"]
SURFACE_WORDS: Words = _TABLES["surface_words"]
OBJECT_WORDS: dict[str, Words] = _TABLES["object_words"]
"""Nouns by object family; every held-out family has at least one noun that a training family uses too."""
DEFECT_WORDS: dict[str, Words] = _TABLES["defect_words"]
"""Nouns by defect family; every held-out family has at least two that training families use too."""
NORMAL_STATES: Words = _TABLES["normal_states"]
NORMAL_TAILS: Words = _TABLES["normal_tails"]
ANOMALOUS_STATES: Words = _TABLES["anomalous_states"]
ANOMALOUS_TAILS: Words = _TABLES["anomalous_tails"]
FRAMES: Words = _TABLES["frames"]
LOOK_WORDS: dict[str, Words] = _TABLES["look_words"]
UNCOUNTED: frozenset[str] = frozenset(_TABLES["uncounted"])
"""Defect words that take no article."""
