"""Whether a video file ends earlier than its own header says: a copy that was interrupted, a recorder without power.

FFmpeg reads such a file to its end and says nothing, or only that its last packet is damaged. Sizes are told by the
boxes of MP4, the segment of Matroska, the chunk of RIFF, packets of fixed length and the last byte of GIF.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof", b"pnot", b"uuid"})
_MOST_BOXES = 1_000_000
_EBML, _SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
_PACKETS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet of MPEG-TS, and where its first byte G is."""


def cut_off(path: str | Path) -> str:
    """Return ``"it ends after N of M bytes"`` and the like, or ``""`` for a whole file and forms that don't tell."""
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(64)
        if head[4:8] in _BOXES:
            return _ends_early(size, _end_of_boxes(file, size))
        if head.startswith(_EBML):
            return _ends_early(size, _end_of_segment(file))
        if head[:4] == b"RIFF":
            return _ends_early(size, 8 + int.from_bytes(head[4:8], "little"))
        if head[:4] == b"GIF8":
            file.seek(max(0, size - 64))
            return "" if file.read().rstrip(b"\0").endswith(b";") else "it ends before its last byte"
        return _within_packet(file, size)


def _ends_early(size: int, end: int) -> str:
    return f"it ends after {size:,} of {end:,} bytes" if size < end else ""


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Walk the boxes of MP4 and MOV; the last one's end, which may lie past the file's."""
    end = 0
    for _ in range(_MOST_BOXES):
        file.seek(end)
        head = file.read(16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: up to the end of the file; else no box
            return size
        end += length
    return end


def _end_of_segment(file: BinaryIO) -> int:
    """Return the end that a Matroska file states for its one segment, 0 if it states none."""
    file.seek(len(_EBML))
    header, known = _length(file)
    file.seek(header, os.SEEK_CUR)
    if not known or file.read(4) != _SEGMENT:
        return 0
    length, known = _length(file)
    return file.tell() + length if known else 0


def _length(file: BinaryIO) -> tuple[int, bool]:
    """Read a number of EBML: its value, and whether it is one; all bits set mean that nobody knows."""
    first = file.read(1)
    if not first or not first[0]:
        return 0, False
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more), "big")
    return value, value != (1 << 7 * (more + 1)) - 1


def _within_packet(file: BinaryIO, size: int) -> str:
    for length, start in _PACKETS:
        file.seek(0)
        head = file.read(5 * length)
        marks = head[start::length]
        if len(marks) >= 4 and set(marks) == {ord("G")}:
            return "it ends within a packet" if size % length else ""
    return ""
