"""PNG files with more text or a larger colour profile than PIL unpacks: read without those."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST = 1 << 20
"""Bytes that PIL unpacks of one note; a longer one is an error there, as a bomb might be."""
_ALL = 64 * _LARGEST
"""Bytes that PIL keeps of all notes."""
_NOTES = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def without_large_notes(file: BinaryIO) -> BinaryIO:
    """Return a PNG file as PIL can read it; any other file, and nearly every PNG, is returned as it is.

    Args:
        file: open for reading, at its beginning.

    Returns:
        The file at its beginning, or a copy in memory without the notes that are too large.
    """
    dropped = _large_notes(file) if file.read(len(SIGNATURE)) == SIGNATURE else []
    file.seek(0)
    if not dropped:
        return file
    kept, at = BytesIO(), 0
    for start, end in dropped:
        kept.write(file.read(start - at))
        file.seek(end)
        at = end
    kept.write(file.read())
    kept.seek(0)
    return kept


def _large_notes(file: BinaryIO) -> list[tuple[int, int]]:
    """Return where the notes that are too large begin and end; damage is left for the decoder to name."""
    found, total, at = [], 0, len(SIGNATURE)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        end = at + 12 + length
        if kind in _NOTES:
            size = _unpacked(kind, file.read(min(length, _ALL)))
            total += size
            if size > _LARGEST or total > _ALL:
                found.append((at, end))
                total -= size
        at = end
        file.seek(at)
    return found


def _unpacked(kind: bytes, data: bytes) -> int:
    """Return the bytes of a note when unpacked, counted no further than one beyond the largest."""
    if kind == b"tEXt":
        return min(len(data), _LARGEST)  # PIL limits it only together with the others
    rest = data.partition(b"\0")[2]
    if kind == b"iTXt":
        if rest[:1] != b"\1":
            return min(len(data), _LARGEST)
        packed = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        packed = rest[1:]
    try:
        return len(zlib.decompressobj().decompress(packed, _LARGEST + 1))
    except zlib.error:
        return 0
