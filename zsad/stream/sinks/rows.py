"""One JSON line per image: what a run writes, and what ``--resume`` reads back.

A line is an object with these keys, UTF-8, without NaN:

================  =========================================================================================
``file``          the input as printable text; bytes that are not UTF-8 are escapes
``file_hex``      the exact bytes of the path in hexadecimal, only where ``file`` has escapes
``stamp``         size and times of change of the file before it was opened, by which ``--resume`` notices
                  that it was replaced
``run``           fingerprint of model, prompt, thresholds and options: equal lines are comparable
``model``         name on the model's card
``error``         why there is no result; the keys below are then absent
``score``         how anomalous the image is, 0 to 1
``verdict``       ``"anomalous"``, ``"normal"``, or null while no threshold is given
``fired``         what made it anomalous: ``"score"``, ``"region"``, both or none; only what the rule looks at
``peak``          the highest pixel threshold at which the image still has a region of the smallest area
``width height``  of the image in pixels
``regions``       from ``outline`` on; up to 100, highest first: ``box`` [x0, y0, x1, y1] (ends exclusive), ``area``
                  in pixels, ``score``, ``centroid`` [x, y]
``region_count``  how many there are
``area``          fraction of the image that they cover
``thresholds``    ``image`` and ``pixel`` (0 to 1, ``"never"``, or null where not given), ``min_area`` (fraction of the
                  image), ``rule`` (``"either"``, ``"score"`` or ``"region"``), ``source`` (where they come from)
``outline``       map value from which regions are drawn: the pixel threshold, or, where none is given, the model's
                  own, as a hint that makes no verdict; null for never
``notes``         what was done to read the image
``ms``            milliseconds from file to result
``files``         what was written: ``overlay``, ``heatmap``, ``map``; paths below the output folder
================  =========================================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zsad.errors import UsageError, printable
from zsad.regions import find_regions
from zsad.types import Fired, Region, Result, Thresholds, Verdict, shown

MAX_REGIONS = 100


@dataclass(frozen=True)
class Row:
    """What became of one input; see the module's table for the meaning of each field."""

    file: str
    run: str = ""
    model: str = ""
    stamp: str = ""
    error: str = ""
    score: float = 0.0
    verdict: Verdict | None = None
    fired: tuple[Fired, ...] = ()
    peak: float = 0.0
    width: int = 0
    height: int = 0
    regions: tuple[Region, ...] = ()
    region_count: int = 0
    area: float = 0.0
    thresholds: Thresholds = field(default_factory=Thresholds)
    outline: float | None = None
    notes: tuple[str, ...] = ()
    ms: float = 0.0
    files: dict[str, str] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """Return the row as one line of JSON."""
        name = {"file": printable(self.file)}
        if name["file"] != self.file:
            name["file_hex"] = os.fsencode(self.file).hex()
        data: dict[str, Any] = {**name, "stamp": self.stamp, "run": self.run, "model": self.model}
        if self.error:
            data["error"] = self.error
        else:
            data |= {
                "score": round(self.score, 6),
                "verdict": self.verdict,
                "fired": list(self.fired),
                "peak": round(self.peak, 6),
                "width": self.width,
                "height": self.height,
                "regions": [_region(region) for region in self.regions],
                "region_count": self.region_count,
                "area": round(self.area, 6),
                "thresholds": asdict(self.thresholds) | {"rule": self.thresholds.rule or "either"},
                "outline": self.outline,
                "notes": list(self.notes),
                "ms": round(self.ms, 1),
                "files": self.files,
            }
        # ASCII only: readable by whatever reads the file, and no surrogate can slip through unescaped.
        return json.dumps(data, allow_nan=False).encode("ascii") + b"\n"


def _region(region: Region) -> dict[str, Any]:
    return {
        "box": list(region.box),
        "area": region.area,
        "score": round(region.score, 6),
        "centroid": [round(x, 2) for x in region.centroid],
    }


def row_of(file: str, result: Result, *, stamp: str = "", run: str = "", model: str = "", ms: float = 0.0) -> Row:
    """Describe a result; finds its regions if nobody has yet."""
    return Row(
        file=file,
        run=run,
        model=model,
        stamp=stamp,
        score=result.score,
        verdict=result.verdict,
        fired=result.fired,
        peak=peak_of(result),
        width=result.map.shape[1],
        height=result.map.shape[0],
        regions=result.regions[:MAX_REGIONS],
        region_count=len(result.regions),
        area=result.regions.area / result.map.size,
        thresholds=result.thresholds,
        outline=result.level,
        notes=result.notes,
        ms=ms,
    )


def from_line(line: bytes) -> Row | None:
    """Read a row back; None if the line is cut off or not one of ours."""
    try:
        data = json.loads(line)
        hexed = data.pop("file_hex", None)
        if hexed is not None:
            data["file"] = os.fsdecode(bytes.fromhex(hexed))
        regions = tuple(
            Region(tuple(r["box"]), r["area"], r["score"], tuple(r["centroid"])) for r in data.pop("regions", ())
        )
        thresholds = Thresholds(**data.pop("thresholds", {}))
        notes, fired = tuple(data.pop("notes", ())), tuple(data.pop("fired", ()))
        row = Row(**data, regions=regions, thresholds=thresholds, notes=notes, fired=fired)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError):
        return None
    return row if isinstance(row.file, str) and isinstance(row.run, str) else None


def is_old(line: bytes) -> bool:
    """Whether a line is a row of zsad 0.1, which had ``anomalous`` in place of ``verdict`` and ``fired``."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "verdict" not in data and isinstance(data.get("anomalous"), bool)


def read_rows(path: Path) -> Iterator[Row]:
    """Read the rows of a file, leaving out lines that are damaged; nothing if there is no file.

    Raises:
        UsageError: the rows are those of zsad 0.1.
    """
    return (row for _, row in read_places(path))


def read_places(path: Path) -> Iterator[tuple[int, Row]]:
    """Read the rows of a file as :func:`read_rows`, each with the position of its line.

    Raises:
        UsageError: the rows are those of zsad 0.1.
    """
    place = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                row = from_line(line)
                if row is not None:
                    yield place, row
                elif is_old(line):
                    raise UsageError(
                        f"{printable(path)}: has rows of zsad 0.1 (`anomalous` in place of `verdict` and `fired`), "
                        "which can't be gone on with; give another file or --out, or leave out --resume"
                    )
                place += len(line)
    except FileNotFoundError:
        return


def peak_of(result: Result) -> float:
    """Return the highest pixel threshold at which an image still has a region of the smallest area.

    With a smallest area of one pixel that is the map's maximum. Otherwise it is searched to 1/256 on a map
    of at most 256 px, and kept on the side of its verdict at the present threshold.
    """
    smallest = result.thresholds.min_area or 0.0
    if smallest * result.map.size <= 1:
        return float(result.map.max())
    step = max(1, -(-max(result.map.shape) // 256))
    small = np.ascontiguousarray(result.map[::step, ::step])
    low, high = 0.0, float(small.max())
    for _ in range(8):
        middle = (low + high) / 2
        if find_regions(small, small >= middle, smallest):
            low = middle
        else:
            high = middle
    level = result.level
    if level is None:
        return low
    return max(low, level) if result.regions else min(low, float(np.nextafter(level, 0)))


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that change whenever a setting does."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def check_same_run(row: Row, run: str, model: str, thresholds: Thresholds, where: Path) -> None:
    """Refuse to go on with results of other settings.

    Raises:
        UsageError: the row was made by another model, with other thresholds or other options.
    """
    if row.run == run:
        return
    if row.model != model:
        what = f"model {printable(row.model) or '(unnamed)'}, now it is {printable(model) or '(unnamed)'}"
    elif not row.error and _values(row.thresholds) != _values(thresholds):
        what = f"other thresholds: {_told(row.thresholds)}; now {_told(thresholds)}"
    else:
        what = "another model file, prompt or other options"
    raise UsageError(
        f"{where}: can't resume, its results were made with {what}; use the same settings, or another --out"
    )


def _values(thresholds: Thresholds) -> Thresholds:
    """Return what decides on verdicts, without the words on where it comes from."""
    return replace(thresholds, rule=thresholds.rule or "either", source=None)


def _told(thresholds: Thresholds) -> str:
    values = [f"image {shown(thresholds.image)}", f"pixel {shown(thresholds.pixel)}"]
    values += [f"min_area {thresholds.min_area:g}"] if thresholds.min_area else []
    return ", ".join([*values, f"rule {thresholds.rule or 'either'}"])
