"""Tar shards: where each image lies in the archive. Nothing is unpacked, and no member's name is used as a path."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from zsad.batch.input import Input
from zsad.errors import InputError, first_line
from zsad.images.files import check_file, is_clutter
from zsad.outside import printable
from zsad.stream.item import stamp_of
from zsad.stream.left_out import is_image_name

PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""How names of archives end that can't be read at a place."""
MOST_MEMBERS = 10_000_000
"""Entries of one shard, at most."""
LARGEST_MEMBER = 1 << 30
"""Bytes of one image, at most."""
_LARGEST_HEADER = 1 << 20
_LONGEST_NAME = 4096


def members(shard: str) -> Iterator[Input]:
    """Yield the images of a shard in order, as ``shard.tar::member``; of a name that comes again, with ``#2``.

    Members are files whose names end as images' do; links, devices and folders are passed over. What is wrong with the
    shard, or with one member, is an entry with its error.
    """
    try:
        check_file(shard)
        if shard.lower().endswith(PACKED):
            raise InputError(
                f"{printable(shard)}: a compressed archive can't be read at a place; unpack it to a plain .tar "
                "(images are compressed already)"
            )
    except (InputError, OSError) as error:
        yield Input(shard, shard, error=str(error))
        return
    stamp, seen = stamp_of(shard), dict[str, int]()
    size = Path(shard).stat().st_size
    try:
        with Path(shard).open("rb") as file, tarfile.open(fileobj=_Headers(file), mode="r:") as archive:
            for count, member in enumerate(archive):
                if count >= MOST_MEMBERS:
                    raise InputError(f"{printable(shard)}: more than {MOST_MEMBERS:,} entries; give several shards")
                archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
                base = member.name.rpartition("/")[2]
                if not member.isreg() or member.sparse is not None or is_clutter(base) or not is_image_name(base):
                    continue
                name = member.name[:_LONGEST_NAME]
                seen[name] = seen.get(name, 0) + 1
                again = f"#{seen[name]}" if seen[name] > 1 else ""
                yield Input(f"{shard}::{name}{again}", shard, member.offset_data, member.size, stamp,
                            _why_not(member, size))  # fmt: skip
    except InputError as error:
        yield Input(f"{shard}::", shard, error=str(error))
    except Exception as error:  # tarfile raises its own errors, ValueError, UnicodeError, OverflowError
        yield Input(
            f"{shard}::", shard,
            error=f"{printable(shard)}: damaged archive ({printable(first_line(error))}); the rest of it is not read",
        )  # fmt: skip


def _why_not(member: tarfile.TarInfo, size: int) -> str:
    if member.size > LARGEST_MEMBER:
        return f"larger than {LARGEST_MEMBER >> 30} GB; give it as a file of its own"
    if member.offset_data + member.size > size:
        return "the archive ends within it; copy the shard again"
    return "empty file" if member.size == 0 else ""


class _Headers:
    """The file of an archive while only its headers are read: one that claims to be huge is refused, not read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close
        self.name = ""

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= _LARGEST_HEADER:
            raise InputError(f"an entry's header has {count:,} bytes; this is no archive of images")
        return self._file.read(count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
