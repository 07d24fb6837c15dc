"""Which good images a model was fitted to, as hashes that travel with it: no promise may rest on these images."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from zsad.documents import LARGE, parse_json
from zsad.errors import ModelError

LEARNED_KEY = "zsad_good_images"
"""Name of the list's entry in the ONNX metadata."""
FITTED = ("memory", "fused")
"""Kinds of scorers, as cards name them, that are fitted to good images."""
_HASH = re.compile(r"[0-9a-f]{64}")


def listed(hashes: Iterable[str]) -> str:
    """Return hashes as they stand in the metadata: a JSON list of 64 hex digits each."""
    return json.dumps(sorted(hashes))


def from_list(text: str, where: str) -> frozenset[str]:
    """Read what :func:`listed` wrote; ``where`` names the file in errors.

    Raises:
        ModelError: it is something else.
    """
    found = parse_json(text, f"{where}: its list of good images", ModelError, LARGE)
    if not isinstance(found, list) or not all(isinstance(one, str) and _HASH.fullmatch(one) for one in found):
        raise ModelError(f"{where}: its list of good images is damaged; export the model again")
    return frozenset(found)
