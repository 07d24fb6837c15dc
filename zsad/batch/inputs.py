"""What a batch scores: files of folders, of patterns and of Parquet lists, and members of tar shards, each once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from zsad.batch.input import Input
from zsad.batch.lists import paths_of
from zsad.batch.shards import PACKED, members
from zsad.stream.sources import find_images, glob_images

Say = Callable[[str], None]
SHARD, LIST = ".tar", ".parquet"
"""How names of shards and lists end."""


def listed(
    sources: Sequence[str], *, recursive: bool = False, masks: bool = False, column: str = "path", say: Say
) -> list[Input]:
    """List what is to be scored, in order, each once.

    Args:
        sources: folders, image files, patterns of the shell, tar shards and Parquet lists.
        recursive: descend into sub-folders.
        masks: whether masks in folders are read like images.
        column: of Parquet lists, the one with paths.
        say: told in one line each what was not read.

    Returns:
        What can't be listed (a folder without an image, a damaged shard) is an entry with its error.

    Raises:
        UsageError: a list without that column.
        MissingExtraError: pyarrow is not installed.
    """
    found: dict[str, Input] = {}
    for one in _each(sources, recursive, masks, column, say):
        # The same file by two names is one: its rows would be counted twice.
        key = one.id if one.offset >= 0 else os.path.normcase(os.path.abspath(one.file))  # noqa: PTH100
        found.setdefault(key, one)
    return list(found.values())


def _each(sources: Sequence[str], recursive: bool, masks: bool, column: str, say: Say) -> Iterator[Input]:
    for source in sources:
        there = os.path.lexists(source)
        if not there and any(mark in source for mark in "*?["):
            matches = glob_images(source)
            if matches[0].error:
                yield Input(source, source, error=matches[0].error)
                continue
            yield from _of_files([item.id for item in matches], column)
        elif there and not Path(source).is_dir():
            yield from _of_files([source], column)
        else:
            items = find_images([source], recursive=recursive, masks=masks, say=say)
            yield from (Input(item.id, item.id, error=item.error) for item in items)


def _of_files(files: Iterable[str], column: str) -> Iterator[Input]:
    for file in files:
        name = file.lower()
        if name.endswith((SHARD, *PACKED)):
            yield from members(file)
        elif name.endswith(LIST):
            yield from (Input(path, path) for path in paths_of(file, column))
        else:
            yield Input(file, file)
