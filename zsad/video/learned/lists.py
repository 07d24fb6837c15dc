"""Lists of training videos: VadCLIP's, UMIL's, and a plain CSV; and the classes that their labels name.

``csv:PATH`` has a header ``video,label``; several labels of a video stand with ``;`` between, ``normal`` is none.
``vadclip:PATH`` has rows ``path/NAME__C.npy,label``, of XD-Violence ``B1-B2-0``. ``umil:PATH`` has rows
``path 0 frames label`` or ``path frames class start end ...``, with 0 for normal. A path alone is read by its ending.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from zsad.data.text_files import read_text
from zsad.errors import DatasetError
from zsad.near import near
from zsad.outside import printable, shown
from zsad.video.learned.clips import annotated
from zsad.video.learned.stored import without_ending

FORMS = ("csv", "vadclip", "umil")
XD_CODES = {"b1": "fighting", "b2": "shooting", "b4": "riot", "b5": "abuse", "b6": "car accident", "g": "explosion"}
NORMAL = {"", "normal", "a", "0"}


@dataclass(frozen=True)
class Listed:
    """A training video: its name, and what occurs in it; nothing where it is normal."""

    name: str
    labels: tuple[str, ...]


def read_list(spec: str) -> list[Listed]:
    """Read a list.

    Args:
        spec: ``FORM:PATH``, or a path that ends in ``.csv`` or ``.txt`` (UMIL).

    Raises:
        DatasetError: it can't be read, is empty, or has a row that is none.
    """
    form, colon, rest = spec.partition(":")
    if not colon or form not in FORMS:
        form, rest = ("umil" if spec.lower().endswith(".txt") else "csv"), spec
    where = printable(rest)
    text = read_text(Path(rest))
    found = [_umil(line, where) for line in text.splitlines() if line.strip()] if form == "umil" else _csv(text, where)
    if not found:
        raise DatasetError(f"{where}: lists no video; write a row for each")
    return found


def _csv(text: str, where: str) -> list[Listed]:
    found = []
    for number, row in enumerate(csv.reader(StringIO(text)), start=1):
        if not row or (
            number == 1 and [field.strip().lower() for field in row] in (["video", "label"], ["path", "label"])
        ):
            continue
        if len(row) != 2 or not row[0].strip():
            raise DatasetError(f"{where}: line {number} is not `video,label`")
        name = row[0].strip().replace("\\", "/").rpartition("/")[2]
        found.append(Listed(name.removesuffix(".npy"), _labels(row[1])))
    return found


def _labels(text: str) -> tuple[str, ...]:
    """Split labels: at ``;``, and XD-Violence's codes at ``-``."""
    parts = [part.strip() for part in text.split(";")]
    if len(parts) == 1 and all(code.lower() in XD_CODES or code in ("0", "A") for code in text.split("-")):
        parts = [XD_CODES.get(code.lower(), "") for code in text.split("-")]
    return tuple(part for part in parts if part.lower() not in NORMAL)


def _umil(line: str, where: str) -> Listed:
    fields = line.split()
    if len(fields) == 4 and fields[1] == "0":  # `path 0 frames label`, as training lists have it
        line = " ".join((fields[0], fields[2], fields[3]))
    row = annotated(line, where)
    name = row.path.replace("\\", "/").rpartition("/")[2]
    return Listed(without_ending(name), (str(row.label),) if row.label else ())


def class_of(label: str, classes: Sequence[str], where: str) -> int:
    """Return the index of a label's class; case and spaces do not matter.

    A number counts the anomalous classes from 1, as UMIL's lists do; 0 is normal, whether or not it is among the names.

    Raises:
        DatasetError: it is none of the classes.

    >>> class_of("2", ["normal", "fire", "fall"], ""), class_of("2", ["fire", "fall"], "")
    (2, 1)
    """
    plain = ["".join(name.lower().split()) for name in classes]
    key = "".join(label.lower().split())
    if key in plain:
        return plain.index(key)
    first = 0 if plain[:1] == ["normal"] else 1
    if is_number(key) and 0 < int(key) < len(classes) + first:
        return int(key) - first
    raise DatasetError(f"{where}: label {shown(label)} is none of the classes{near(label, classes)}; name it as one")


def is_number(label: str) -> bool:
    """Whether a label is the number of a class."""
    return label.strip().isascii() and label.strip().isdecimal()
