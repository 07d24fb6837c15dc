"""Files of labels, read and refused in one way: one line that names the file, the video and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsad.data.text_files import read_text
from zsad.documents import LARGE, read_json
from zsad.errors import DatasetError
from zsad.files import is_file, is_folder
from zsad.metrics.metric import checked_truth
from zsad.near import near_path
from zsad.outside import printable, shown
from zsad.video.labels.label import Truth

SLACK = 2
"""Frames that a published span may end after its video: counts of decoders differ by that. It is cut and said."""
_ENDINGS = re.compile(r"(?:__\d+)?\.npy$|\.(?:mp4|avi|mkv)$", re.IGNORECASE)
_LONGEST_NAME = 200


class Source:
    """The folder of labels, and what was read from it.

    Args:
        folder: laid out as the published repositories are.
        needed_by: names the dataset in errors.
    """

    def __init__(self, folder: Path, needed_by: str) -> None:
        if not is_folder(folder):
            raise DatasetError(f"{printable(folder)}: no such folder of labels{near_path(folder)}")
        self.folder, self.needed_by = folder, needed_by
        self.notes: list[str] = []

    def file(self, *names: str) -> Path:
        """Return the first of these files that is there.

        Raises:
            DatasetError: none is.
        """
        for name in names:
            if is_file(self.folder / name):
                return self.folder / name
        others = f" (nor {', '.join(names[1:])})" if names[1:] else ""
        raise DatasetError(f"{printable(self.folder)}: no {names[0]} in it{others}, which {self.needed_by} needs; "
                           "is it the folder that holds VadCLIP, VERA, RTFM and the like?")  # fmt: skip

    def has(self, name: str) -> bool:
        """Whether a file or folder is there."""
        return (self.folder / name).exists()

    def lines(self, *names: str) -> tuple[Path, list[tuple[int, list[str]]]]:
        """Return the first of these text files, and ``(line, words)`` of each line that is not empty."""
        path = self.file(*names)
        rows = [(i, line.split()) for i, line in enumerate(read_text(path).splitlines(), 1)]
        return path, [(i, words) for i, words in rows if words]

    def flags(self, name: str, size: int | None = None) -> Truth:
        """Return a ``.npy`` file of 0 and 1 as flags, ``(n,)``; see :func:`read_flags`."""
        return read_flags(self.file(name), size)

    def records(self, name: str) -> tuple[Path, list[dict[str, Any]]]:
        """Return a JSON file that holds a list of mappings."""
        path = self.file(name)
        data = read_json(path, DatasetError, LARGE)
        if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
            raise DatasetError(f"{printable(path)}: must be a list of mappings, one per video")
        return path, data

    def cut_spans(self, where: str, spans: Sequence[tuple[int, int]], frames: int) -> tuple[tuple[int, int], ...]:
        """Return spans within a video's frames; what ends a frame or two late is cut, which is noted.

        Raises:
            DatasetError: a span is no span, or lies past the end.
        """
        found = []
        for start, end in spans:
            check_span(where, start, end)
            if start >= frames or end > frames + SLACK:
                raise DatasetError(f"{where}: the span {start:,} to {end:,} lies past the video's {frames:,} frames")
            if end > frames:
                self.notes.append(
                    f"{Path(where).name}: the span {start:,} to {end:,} is cut at the video's {frames:,} frames"
                )
            found.append((start, min(end, frames)))
        return tuple(found)


def check_span(where: str, start: float, end: float) -> None:
    """Refuse what is no span.

    Raises:
        DatasetError: it begins before 0, or does not end after its beginning.
    """
    if start < 0 or end <= start:
        raise DatasetError(f"{where}: {start:g} to {end:g} is no span; it must begin at 0 or later and end after that")


def read_flags(path: Path, size: int | None = None) -> Truth:
    """Read a ``.npy`` file of 0 and 1, of any numeric type, as flags ``(n,)``; an axis of length 1 is dropped.

    Raises:
        DatasetError: it can't be read, holds objects (which are never unpickled) or other values, or not ``size``.
    """
    array = read_array(path)
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    try:
        flags = checked_truth(array, printable(path))
    except Exception as error:
        raise DatasetError(str(error)) from None
    if flags.ndim != 1 or (size is not None and len(flags) != size):
        wanted = "one label per frame" if size is None else f"{size:,} labels, one per frame of the test set"
        raise DatasetError(f"{printable(path)}: holds {' x '.join(map(str, array.shape))} values; it must be {wanted}")
    return flags


def read_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file of numbers.

    Raises:
        DatasetError: absent, damaged, or with Python objects inside, which are not unpickled.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DatasetError(f"{printable(path)}: no such file{near_path(path)}") from None
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{printable(path)}: can't be read as a .npy file of numbers ({first(error)})") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiub":
        raise DatasetError(f"{printable(path)}: must be one array of numbers")
    return found


def first(error: BaseException) -> str:
    """Return what a library says of a file, in short."""
    return printable((str(error).splitlines() or [type(error).__name__])[0])[:100]


def video_name(text: str, where: object) -> str:
    """Return a video's name as labels say it: without folders, and without ``.mp4`` or ``__5.npy`` at its end.

    Names hold dots, so that nothing else is taken off.

    Raises:
        DatasetError: what is left can't be the name of a file.

    >>> video_name("frames/Abuse/Abuse028_x264.mp4", "x"), video_name("A.B.2001__#00-25_label_A__0.npy", "x")
    ('Abuse028_x264', 'A.B.2001__#00-25_label_A')
    """
    name = _ENDINGS.sub("", text.replace("\\", "/").rsplit("/", 1)[-1])
    if not name or name in (".", "..") or "\0" in name or len(name.encode(errors="replace")) > _LONGEST_NAME:
        raise DatasetError(f"{printable(where)}: {shown(text)} is no name of a video")
    return name


def whole(words: Sequence[object], where: str) -> list[int]:
    """Return words as whole numbers.

    Raises:
        DatasetError: one is none.
    """
    found = []
    for word in words:
        try:
            value = int(str(word)) if not isinstance(word, bool) else None
        except ValueError:
            value = None
        if value is None or abs(value) > 1 << 40:
            raise DatasetError(f"{where}: {shown(word)} is no whole number")
        found.append(value)
    return found


def pairs(numbers: Sequence[int], where: str) -> list[tuple[int, int]]:
    """Return ``start end start end ...`` as spans; pairs of -1 stand for none.

    Raises:
        DatasetError: an odd count.
    """
    if len(numbers) % 2:
        raise DatasetError(f"{where}: {len(numbers)} numbers; spans are pairs of start and end")
    return [(s, e) for s, e in zip(numbers[::2], numbers[1::2], strict=True) if (s, e) != (-1, -1)]


def match(annotated: Iterable[str], known: Iterable[str], say: Callable[[str, int], str]) -> None:
    """Refuse annotations of videos that nobody knows.

    Args:
        annotated: names in the annotations.
        known: names in the list of videos.
        say: the error for the first unknown one and their number.

    Raises:
        DatasetError: there is one.
    """
    known = set(known)
    unknown = [name for name in annotated if name not in known]
    if unknown:
        raise DatasetError(say(printable(unknown[0]), len(unknown)))


def unique(names: Iterable[str], where: object) -> None:
    """Refuse a video that is listed twice.

    Raises:
        DatasetError: one is.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DatasetError(f"{printable(where)}: the video {printable(name)} is listed twice")
        seen.add(name)
