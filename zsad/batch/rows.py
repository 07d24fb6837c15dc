"""Rows of a batch as Parquet has them: what ``zsad detect`` writes of an image, and its map in small.

==================  =======================================================================================
``path``            the input as printable text, as it was given; a member of a shard is ``shard.tar::member``
``path_hex``        its exact bytes in hexadecimal, only where ``path`` has escapes
``stamp``           size and times of change, by which a later run notices that it was replaced
``error``           why there is no result; the columns below are then null
``score``           how anomalous the image is, 0 to 1
``verdict``         ``anomalous``, ``normal``, or null while no threshold is given
``fired``           what made it anomalous: ``score``, ``region``
``peak``            the highest pixel threshold at which it still has a region
``width height``    in pixels
``regions``         up to 100, highest first: ``box`` [x0, y0, x1, y1], ``area``, ``score``, ``centroid``
``region_count``    how many there are
``area``            fraction of the image that they cover
``notes``           what was done to read it
``map``             ``map_height`` x ``map_width`` bytes, row by row: the highest value of each cell, times 255
``ms``              milliseconds of decoding and scoring
==================  =======================================================================================

The file's metadata ``zsad`` is JSON with the run's fingerprint, model and thresholds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zsad.batch.lists import arrow
from zsad.facts import facts_of, named, plain
from zsad.outside import printable
from zsad.types import FloatArray, Result

SMALL = 32
"""Cells along each side of a small map, at most."""
_COPIED = ("score", "verdict", "fired", "peak", "width", "height", "regions", "region_count", "area", "notes")


def schema(run: Mapping[str, Any]) -> Any:
    """Return the Arrow schema, with a run's facts in its metadata."""
    pa = arrow()
    region = pa.struct([("box", pa.list_(pa.int32())), ("area", pa.int64()), ("score", pa.float64()),
                        ("centroid", pa.list_(pa.float64()))])  # fmt: skip
    columns = [("path", pa.string()), ("path_hex", pa.string()), ("stamp", pa.string()), ("error", pa.string()),
               ("score", pa.float64()), ("verdict", pa.string()), ("fired", pa.list_(pa.string())),
               ("peak", pa.float64()), ("width", pa.int32()), ("height", pa.int32()), ("regions", pa.list_(region)),
               ("region_count", pa.int64()), ("area", pa.float64()), ("notes", pa.list_(pa.string())),
               ("map", pa.binary()), ("map_height", pa.int16()), ("map_width", pa.int16()),
               ("ms", pa.float64())]  # fmt: skip
    return pa.schema(columns, metadata={"zsad": json.dumps(run, sort_keys=True, default=str)})


def row_of(path: str, stamp: str, result: Result, ms: float) -> dict[str, Any]:
    """Return the row of a result: its numbers are those of the line that ``zsad detect`` writes."""
    facts = plain(facts_of(result))
    small = small_map(result.map)
    row = _begun(path, stamp) | {name: facts[name] for name in _COPIED}
    row["notes"] = [printable(note) for note in row["notes"]]
    return row | {
        "map": np.round(small * 255).astype(np.uint8).tobytes(), "map_height": small.shape[0],
        "map_width": small.shape[1], "ms": round(ms, 2),
    }  # fmt: skip


def failed_row(path: str, stamp: str, error: str) -> dict[str, Any]:
    """Return the row of an input without a result."""
    return _begun(path, stamp) | {"error": printable(error)}


def _begun(path: str, stamp: str) -> dict[str, Any]:
    name = named(path)
    return {"path": name["file"], "path_hex": name.get("file_hex"), "stamp": stamp}


def path_of(path: str, path_hex: str | None) -> str:
    """Return an input's own name out of its row."""
    return os.fsdecode(bytes.fromhex(path_hex)) if path_hex else path


def small_map(values: FloatArray, side: int = SMALL) -> FloatArray:
    """Return a map in small: the highest value of each cell, so that a small defect stays to be seen.

    Args:
        values: ``(H, W)`` in [0, 1].
        side: cells along each side; a smaller map keeps its own size.

    Returns:
        float32 ``(min(H, side), min(W, side))``.
    """
    for axis in (0, 1):
        count = values.shape[axis]
        starts = np.arange(min(count, side)) * count // min(count, side)
        values = np.maximum.reduceat(values, starts, axis=axis)
    return values


def table_of(rows: Sequence[Mapping[str, Any]], run: Mapping[str, Any]) -> Any:
    """Return rows as an Arrow table; what a row lacks is null."""
    return arrow().Table.from_pylist(list(rows), schema=schema(run))
