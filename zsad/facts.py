"""What is said of a result, as plain values: the keys that the rows of a run and ``Result.to_dict`` share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zsad.outside import printable
from zsad.regions import Region, find_regions

if TYPE_CHECKING:
    from zsad.types import FloatArray, Result

MAX_REGIONS = 100
"""Regions that are described one by one, the highest."""
SHOWN_REGIONS = 3
"""Regions that a result's text names."""


def facts_of(result: Result) -> dict[str, Any]:
    """Return what is said of a result, by the names of a row's fields; finds its regions if nobody has yet."""
    return {
        "score": result.score,
        "verdict": result.verdict,
        "fired": result.fired,
        "peak": peak_of(result),
        "width": result.map.shape[1],
        "height": result.map.shape[0],
        "regions": result.regions[:MAX_REGIONS],
        "region_count": len(result.regions),
        "area": result.regions.area / result.map.size,
        "thresholds": result.thresholds,
        "roi": "" if result.thresholds.roi is None else result.thresholds.roi.key,
        "outline": result.level,
        "notes": result.notes,
    }


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON has them: rounded, lists and dicts of numbers and texts."""
    judged = asdict(replace(facts["thresholds"], roi=None)) | {"rule": facts["thresholds"].rule or "either"}
    del judged["roi"]  # a key in its place: polygons in every row would be longer than the row
    return {
        **{name: fact for name, fact in facts.items() if name != "roi" or fact},
        "score": round(facts["score"], 6),
        "fired": list(facts["fired"]),
        "peak": round(facts["peak"], 6),
        "regions": [_region(region) for region in facts["regions"]],
        "area": round(facts["area"], 6),
        "thresholds": judged,
        "notes": list(facts["notes"]),
    }


def named(file: str) -> dict[str, str]:
    r"""Return a name as printable text, and its exact bytes beside it where they are something else.

    >>> named("a.png"), named("\udcff")
    ({'file': 'a.png'}, {'file': '\\udcff', 'file_hex': 'ff'})
    """
    shown = printable(file)
    return {"file": shown} if shown == file else {"file": shown, "file_hex": os.fsencode(file).hex()}


def said(result: Result) -> str:
    """Return a result as one line of text: name, verdict with what fired, score, size, and the highest regions."""
    height, width = result.map.shape
    verdict = result.verdict or "uncalibrated"
    fired = f" by {' and '.join(result.fired)}" if result.fired else ""
    regions = [f"{region.box} {region.score:.2f}" for region in result.regions[:SHOWN_REGIONS]]
    more = len(result.regions) - len(regions)
    regions += [f"{more:,} more"] if more else []
    kind = "regions" if result.thresholds.pixel is not None else "outlined"
    name = f"{printable(result.name)!r} " if result.name else ""
    return f"<Result {name}{verdict}{fired}, score {result.score:.3f}, {width} x {height} px, " + (
        f"{kind}: {', '.join(regions)}>" if regions else "no region>"
    )


def peak_of(result: Result) -> float:
    """Return the highest pixel threshold at which an image still has a region of the smallest area.

    With a smallest area of one pixel that is the map's maximum. Otherwise it is searched roughly, and kept on the side
    of its verdict at the present threshold.
    """
    rough, level = coarse_level(result.counted, result.thresholds.min_area or 0.0), result.level
    return rough if level is None else beside(rough, level, bool(result.regions))


def coarse_level(values: FloatArray, min_area: float) -> float:
    """Return about the highest pixel threshold at which a map still has a region of the smallest area.

    It is exact, the map's maximum, where that area is one pixel; otherwise it is searched to 1/256 on a map of at most
    256 px.
    """
    if min_area * values.size <= 1:
        return float(values.max())
    step = max(1, -(-max(values.shape) // 256))
    small = np.ascontiguousarray(values[::step, ::step])
    low, high = 0.0, float(small.max())
    for _ in range(8):
        middle = (low + high) / 2
        if find_regions(small, small >= middle, min_area):
            low = middle
        else:
            high = middle
    return low


def beside(rough: float, level: float, reaches: bool) -> float:
    """Return a rough level, on its true side of another one that it reaches, or not."""
    return max(rough, level) if reaches else min(rough, float(np.nextafter(level, 0)))


def _region(region: Region) -> dict[str, Any]:
    return {
        "box": list(region.box),
        "area": region.area,
        "score": round(region.score, 6),
        "centroid": [round(x, 2) for x in region.centroid],
    }
