"""Parquet files that list images by their paths."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

from zsad.errors import InputError, MissingExtraError, UsageError, first_line
from zsad.images.files import check_file
from zsad.near import near
from zsad.outside import printable

_LARGEST_GROUP = 1 << 30
_LONGEST_PATH = 4096
_ROWS = 65_536


def arrow(module: str = "pyarrow") -> Any:
    """Return pyarrow, or one of its modules.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError("zsad batch", "batch") from None


def paths_of(file: str, column: str = "path") -> Iterator[str]:
    """Yield the paths that a Parquet file lists; relative ones are below its folder.

    Args:
        file: the list.
        column: of text, with one path a row; an empty row is passed over.

    Raises:
        UsageError: no Parquet file, no such column, one that is not text, or a path that is none.
    """
    parquet, types = arrow("pyarrow.parquet"), arrow().types
    try:
        check_file(file)
        with parquet.ParquetFile(file) as found:
            schema = found.schema_arrow
            if column not in schema.names:
                raise UsageError(
                    f"{printable(file)}: has no column {printable(column)}{near(column, schema.names)}; "
                    "name the one with paths by --column"
                )
            kind = schema.field(column).type
            text = kind.value_type if types.is_dictionary(kind) else kind
            if not (types.is_string(text) or types.is_large_string(text)):
                raise UsageError(f"{printable(file)}: column {printable(column)} is {kind}, not text")
            _check_groups(found.metadata, file)
            for batch in found.iter_batches(_ROWS, columns=[column]):
                yield from _paths(batch.column(0).to_pylist(), file)
    except InputError as error:
        raise UsageError(str(error)) from None
    except (OSError, ValueError, NotImplementedError, arrow().ArrowException) as error:
        raise UsageError(f"{printable(file)}: not a Parquet file that can be read ({_said(error)})") from None


def _paths(values: list[str | None], file: str) -> Iterator[str]:
    folder = os.path.dirname(file)  # noqa: PTH120
    for path in values:
        if path is None or not path:
            continue
        if len(path) > _LONGEST_PATH or "\0" in path:
            raise UsageError(f"{printable(file)}: {printable(path[:60])}... is no path")
        yield os.path.join(folder, path)  # noqa: PTH118 - an absolute path stays as it is


def _check_groups(metadata: Any, file: str) -> None:
    """Refuse what would unpack to more than a gigabyte at once."""
    for n in range(metadata.num_row_groups):
        group = metadata.row_group(n)
        if any(group.column(i).total_uncompressed_size > _LARGEST_GROUP for i in range(group.num_columns)):
            raise UsageError(f"{printable(file)}: row group {n} has more than 1 GB in a column; write smaller groups")


def _said(error: BaseException) -> str:
    return printable(first_line(error))
