"""One JSON line per image: what a run writes, and what ``--resume`` reads back.

A line is an object with these keys, UTF-8, without NaN:

================  =========================================================================================
``file``          the input as printable text; bytes that are not UTF-8 are escapes
``file_hex``      the exact bytes of the path in hexadecimal, only where ``file`` has escapes
``stamp``         size and times of change of the file before it was opened, by which ``--resume`` notices
                  that it was replaced
``run``           fingerprint of model, prompt, thresholds and options: equal lines are comparable
``model``         name on the model's card
``fingerprint``   of all that the score depends on: model, memory or words, tiles and bits
``error``         why there is no result; the keys below are then absent
``score``         how anomalous the image is, 0 to 1
``verdict``       ``"anomalous"``, ``"normal"``, or null while no threshold is given
``fired``         what made it anomalous: ``"score"``, ``"region"``, both or none; only what the rule looks at
``mutual``        whether other images of the batch or stream had a say in the score
``peak``          the highest pixel threshold at which the image still has a region of the smallest area
``width height``  of the image in pixels
``regions``       from ``outline`` on; up to 100, highest first: ``box`` [x0, y0, x1, y1] (ends exclusive), ``area``
                  in pixels, ``score``, ``centroid`` [x, y]
``region_count``  how many there are
``area``          fraction of the image that they cover
``thresholds``    ``image`` and ``pixel`` (0 to 1, ``"never"``, or null where not given), ``min_area`` (fraction of the
                  image), ``rule`` (``"either"``, ``"score"`` or ``"region"``), ``source`` (where they come from)
``roi``           fingerprint of the regions of interest, only where there are any
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
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from zsad.documents import Entries, Limits, is_number, is_whole, parse_json
from zsad.errors import DatasetError, UsageError
from zsad.facts import facts_of, named, plain
from zsad.outside import printable
from zsad.types import Fired, Region, Result, Thresholds, Verdict, shown


@dataclass(frozen=True)
class Row:
    """What became of one input; see the module's table for the meaning of each field."""

    file: str
    run: str = ""
    model: str = ""
    fingerprint: str = ""
    stamp: str = ""
    error: str = ""
    score: float = 0.0
    verdict: Verdict | None = None
    fired: tuple[Fired, ...] = ()
    mutual: bool = False
    peak: float = 0.0
    width: int = 0
    height: int = 0
    regions: tuple[Region, ...] = ()
    region_count: int = 0
    area: float = 0.0
    thresholds: Thresholds = field(default_factory=Thresholds)
    roi: str = ""
    outline: float | None = None
    notes: tuple[str, ...] = ()
    ms: float = 0.0
    files: dict[str, str] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """Return the row as one line of JSON."""
        data: dict[str, Any] = {**named(self.file), "stamp": self.stamp, "run": self.run, "model": self.model}
        data |= {"fingerprint": self.fingerprint} if self.fingerprint else {}
        if self.error:
            data["error"] = self.error
        else:
            said = plain({name: getattr(self, name) for name in _FACTS})
            data |= said | {"mutual": self.mutual, "ms": round(self.ms, 1), "files": self.files}
        # ASCII only: readable by whatever reads the file, and no surrogate can slip through unescaped.
        return json.dumps(data, allow_nan=False).encode("ascii") + b"\n"


def row_of(
    file: str,
    result: Result,
    *,
    stamp: str = "",
    run: str = "",
    model: str = "",
    fingerprint: str = "",
    ms: float = 0.0,
    mutual: bool = False,
) -> Row:
    """Describe a result; finds its regions if nobody has yet."""
    return Row(
        file=file, run=run, model=model, fingerprint=fingerprint, stamp=stamp, ms=ms, mutual=mutual, **facts_of(result)
    )


_FACTS = (
    *("score", "verdict", "fired", "peak", "width", "height", "regions", "region_count", "area"),
    *("thresholds", "roi", "outline", "notes"),
)


def from_line(line: bytes) -> Row | None:
    """Read a row back; None if the line is cut off or not one of ours."""
    data = _object(line)
    try:
        return None if data is None else _row(Entries(data, "row", DatasetError))
    except (DatasetError, UsageError, ValueError, TypeError):  # a value out of its range, or a key that is not ours
        return None


def is_old(line: bytes) -> bool:
    """Whether a line is a row of zsad 0.1, which had ``anomalous`` in place of ``verdict`` and ``fired``."""
    data = _object(line)
    return data is not None and "verdict" not in data and isinstance(data.get("anomalous"), bool)


_LIMITS = Limits(size=1 << 20, entries=20_000, depth=6)
_ENDLESS = 2**53
_KEYS = ("file_hex", *(entry.name for entry in fields(Row)))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        data = parse_json(line, "row", DatasetError, _LIMITS)
    except DatasetError:
        return None
    return data if isinstance(data, dict) else None


def _row(said: Entries) -> Row:
    said.only(*_KEYS)
    files = said.entries("files").data if "files" in said.data else {}
    name = os.fsdecode(bytes.fromhex(said.text("file_hex"))) if "file_hex" in said.data else said.text("file")
    texts = ("run", "model", "fingerprint", "stamp", "error", "roi")
    simple: dict[str, Any] = {key: said.text(key, default="") for key in texts}
    simple |= {key: said.number(key, 0, 1, default=0.0) for key in ("score", "peak", "area")}
    simple |= {key: said.whole(key, 0, _ENDLESS, default=0) for key in ("width", "height", "region_count")}
    return Row(
        name,
        **simple,
        verdict=_one_of(said.data.get("verdict"), (None, *get_args(Verdict))),
        fired=tuple(_one_of(one, get_args(Fired)) for one in said.items("fired", 2, default=[])),
        regions=tuple(_region(Entries.of(one, "region", DatasetError)) for one in said.items("regions", default=[])),
        thresholds=Thresholds(**said.entries("thresholds").data) if "thresholds" in said.data else Thresholds(),
        outline=None if said.data.get("outline") is None else said.number("outline", 0, 1),
        mutual=said.flag("mutual", default=False),
        notes=tuple(_text(note) for note in said.items("notes", default=[])),
        ms=said.number("ms", 0, default=0.0),
        files={kind: _below(_text(path)) for kind, path in files.items()},
    )


def _region(said: Entries) -> Region:
    box, centroid = said.items("box", 4), said.items("centroid", 2)
    if len(box) != 4 or len(centroid) != 2 or not all(is_whole(side, 0, _ENDLESS) for side in box):
        raise ValueError("not a region")
    if not all(is_number(place, 0) for place in centroid):
        raise ValueError("not a region")
    return Region(tuple(box), said.whole("area", 0, _ENDLESS), said.number("score", 0, 1), tuple(centroid))


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"{value!r:.40} is not one of {known}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _below(path: str) -> str:
    """Return a path that stays below the output folder: what a journal names is looked up there."""
    if "\0" in path or Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError("not a path below the output folder")
    return path


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
    return replace(thresholds, rule=thresholds.rule or "either", source=None, roi=None)


def _told(thresholds: Thresholds) -> str:
    values = [f"image {shown(thresholds.image)}", f"pixel {shown(thresholds.pixel)}"]
    values += [f"min_area {thresholds.min_area:g}"] if thresholds.min_area else []
    return ", ".join([*values, f"rule {thresholds.rule or 'either'}"])
