"""The output of a batch: Parquet files with one row for each input, whole or not there, and what of it is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from zsad.batch.job import Done
from zsad.batch.lists import arrow
from zsad.batch.rows import path_of
from zsad.documents import parse_json
from zsad.errors import OccupiedError, OutputError, UsageError, first_line
from zsad.files import output_errors, sweep, write_whole
from zsad.outputs import LOCK, check_folder
from zsad.outside import printable
from zsad.stream.sinks.files import sole_writer

_NAME = re.compile(r"part-(\d{6,9})\.parquet")
_REMEDY = "choose another --out"


@dataclass
class Kept:
    """What an output folder has.

    Attributes:
        stamps: input -> stamp of its row.
        failed: inputs whose row is an error.
    """

    stamps: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


class OutFolder:
    """An output folder, held for one run at a time.

    Args:
        path: the folder; it is made.
        run: facts of the run; its files must be of the same.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self.path, self._run, self._next = path, run, 0

    def held(self) -> Any:
        """Hold the folder inside a block.

        Raises:
            OccupiedError: it has files that are not of a batch, or is a file.
            InUseError: another run writes there.
        """
        check_folder(self.path, _REMEDY)
        others = [name for name in self._names() if not _NAME.fullmatch(name) and not name.startswith(".")]
        if others:
            raise OccupiedError(
                f"{printable(self.path)}: has other files ({printable(sorted(others)[0])}); give a folder of its own, "
                f"such as --out {printable(self.path / 'batch')}"
            )
        return sole_writer(self.path, self.path / LOCK)

    def kept(self, holds: Callable[[str, str, bool], bool]) -> Kept:
        """Read what is done, and remove rows that do not hold; inside of :meth:`held`.

        Args:
            holds: of an input's name, its row's stamp, and whether that is an error.

        Raises:
            UsageError: rows of other settings.
            OutputError: a file that can't be read.
        """
        sweep(self.path)
        found = Kept()
        for file in self._files():
            self._next = int(_NAME.fullmatch(file.name).group(1)) + 1  # type: ignore[union-attr]
            stays: list[bool] = []
            for name, stamp, error in self._rows(file):
                good = holds(name, stamp, bool(error)) and name not in found.stamps
                stays.append(good)
                if good:
                    found.stamps[name] = stamp
                    if error:
                        found.failed.add(name)
            if not all(stays):
                self._rewrite(file, stays)
        return found

    def add(self, done: Done) -> None:
        """Give a chunk's file its name: from now on its rows are there.

        Raises:
            OutputError: it is not there, or can't be renamed.
        """
        with output_errors(self.path, _REMEDY, "run again"):
            try:
                (self.path / done.file).replace(self.path / f"part-{self._next:06d}.parquet")
            except FileNotFoundError:
                raise OutputError(
                    f"{printable(self.path)}: rows of a worker are not there; with --ray-address, --out must lie on a "
                    "disk that all machines share"
                ) from None
        self._next += 1

    def _names(self) -> list[str]:
        if not self.path.is_dir():
            return []
        with output_errors(self.path, _REMEDY):
            return [entry.name for entry in self.path.iterdir()]

    def _files(self) -> list[Path]:
        return [self.path / name for name in sorted(self._names(), key=lambda n: (len(n), n)) if _NAME.fullmatch(name)]

    def _rows(self, file: Path) -> Iterator[tuple[str, str, str | None]]:
        parquet = arrow("pyarrow.parquet")
        try:
            with parquet.ParquetFile(file) as found:
                self._check_same(found.schema_arrow.metadata or {}, file)
                for batch in found.iter_batches(columns=["path", "path_hex", "stamp", "error"]):
                    for path, path_hex, stamp, error in zip(*batch.to_pydict().values(), strict=True):
                        yield path_of(path, path_hex), stamp or "", error
        except (OSError, ValueError, KeyError, arrow().ArrowException) as error:
            raise OutputError(
                f"{printable(file)}: damaged ({printable(first_line(error))}); delete it and run again, its images are "
                "then scored again"
            ) from None

    def _check_same(self, metadata: Mapping[bytes, bytes], file: Path) -> None:
        said = parse_json(metadata.get(b"zsad", b"{}"), printable(file), OutputError)
        if not isinstance(said, dict) or not said:
            raise OccupiedError(f"{printable(file)}: was not written by zsad; {_REMEDY}")
        if said.get("run") != self._run["run"]:
            raise UsageError(
                f"{printable(self.path)}: its rows are of model {printable(said.get('model'))} with other settings or "
                f"thresholds; use the same ones, or {_REMEDY}"
            )

    def _rewrite(self, file: Path, stays: list[bool]) -> None:
        parquet = arrow("pyarrow.parquet")
        with output_errors(file, _REMEDY):
            if not any(stays):
                file.unlink()
                return
            table, buffer = parquet.read_table(file), BytesIO()
            parquet.write_table(table.filter(arrow().array(stays)), buffer, compression="zstd")
            write_whole(file, buffer.getbuffer(), synced=True)
