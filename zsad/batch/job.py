"""What a worker does: it opens, decodes and scores a chunk of inputs, and writes their rows as one Parquet file."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from zsad.batch.input import Input
from zsad.batch.lists import arrow
from zsad.batch.rows import failed_row, row_of, table_of
from zsad.detector.base import Detector
from zsad.errors import InputError
from zsad.files import PART, write_whole
from zsad.images.preprocess import Decoded
from zsad.outside import printable
from zsad.stream.flow import failure_line
from zsad.stream.inspect import needed_bytes
from zsad.stream.item import Item, stamp_of
from zsad.stream.memory import check_fits, opening_bytes


@dataclass(frozen=True)
class Chunk:
    """Inputs that one worker takes at a time; their rows become one file.

    Attributes:
        inputs: in order.
        fatal: why nobody looks at them any more: their worker was killed each time.
    """

    inputs: tuple[Input, ...]
    fatal: str = ""


@dataclass(frozen=True)
class Done:
    """A chunk that is written, not yet under its own name.

    Attributes:
        file: name of its file in the output folder.
        count: its rows.
        failed: those without a result.
        anomalous: those with that verdict.
        process: id of the process that did it.
    """

    file: str
    count: int
    failed: int
    anomalous: int
    process: int


@dataclass(frozen=True)
class Job:
    """What every worker gets: the detector, and where its rows go.

    Attributes:
        detector: with one thread; it opens its own session where it arrives.
        out: the output folder, absolute; all workers must reach it.
        base: the folder that relative inputs are below, absolute.
        run: facts of the run, for the files' metadata.
    """

    detector: Detector
    out: str
    base: str
    run: Mapping[str, Any]

    def enter(self) -> None:
        """Go where relative paths begin; called once in each worker.

        Raises:
            InputError: that folder is not there.
        """
        try:
            os.chdir(self.base)
        except OSError:
            raise InputError(
                f"{printable(self.base)}: not on this machine; workers read the same paths as the command, "
                "so that they need the folder on a disk that all share"
            ) from None

    def do(self, chunk: Chunk) -> Done:
        """Score a chunk and write its rows; what fails is a row.

        Raises:
            OutputError: they can't be written.
            ModelError: the model failed.
        """
        rows = [failed_row(one.id, one.stamp(), chunk.fatal) if chunk.fatal else self._scored(one)
                for one in chunk.inputs]  # fmt: skip
        buffer = BytesIO()
        arrow("pyarrow.parquet").write_table(table_of(rows, self.run), buffer, compression="zstd")
        name = f".{uuid.uuid4().hex}{PART}"  # as zsad.files.sweep knows them, if nobody comes for it
        write_whole(Path(self.out) / name, buffer.getbuffer(), synced=True)
        failed = sum(bool(row.get("error")) for row in rows)
        anomalous = sum(row.get("verdict") == "anomalous" for row in rows)
        return Done(name, len(rows), failed, anomalous, os.getpid())

    def _scored(self, one: Input) -> dict[str, Any]:
        start, stamp = time.perf_counter(), ""
        item = Item(one.id, one.id, one.file, one.error)
        try:
            stamp = one.stamp()
            decoded = self._decoded(one, item)
            result = self.detector.batch([decoded])[0]
            row = row_of(one.id, stamp, result, (time.perf_counter() - start) * 1e3)
        except (InputError, MemoryError) as failure:
            return failed_row(one.id, stamp, failure_line(item, failure))
        if one.stamp(settled=True) != stamp:
            return failed_row(one.id, stamp, f"{printable(one.id)}: changed while it was read; run again")
        return row

    def _decoded(self, one: Input, item: Item) -> Decoded:
        if one.error:
            raise InputError(one.error)
        if one.offset < 0:
            opening_bytes(one.file)
            return self.detector.decode(item.open())
        try:
            decoded = self.detector.decode(_member(one))
        except InputError as failure:
            raise InputError(f"{printable(one.id)}: {str(failure).removeprefix('encoded image: ')}") from None
        check_fits(printable(one.id), needed_bytes(decoded))
        return decoded


def _member(one: Input) -> bytes:
    """Return a member's bytes, if its shard is still the one that was listed."""
    try:
        with Path(one.file).open("rb") as file:
            file.seek(one.offset)
            data = file.read(one.size)
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror or error})") from None
    if len(data) != one.size or stamp_of(one.file) != one.shard_stamp:
        raise InputError("the shard changed since it was listed; run again")
    return data


def chunks_of(inputs: Sequence[Input], workers: int) -> list[Chunk]:
    """Divide inputs, so that every worker has many chunks, and a kill loses few images."""
    size = min(_LARGEST, max(_SMALLEST, len(inputs) // (_EACH * workers)))
    return [Chunk(tuple(inputs[n : n + size])) for n in range(0, len(inputs), size)]


_SMALLEST, _LARGEST, _EACH = 8, 256, 16
