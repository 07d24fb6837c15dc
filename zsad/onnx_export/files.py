"""ONNX files on disk: one file, or a graph and its weights side by side where protobuf's 2 GiB are too little."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnxscript import ir

from zsad.errors import OutputError
from zsad.files import output_errors

SPLIT_BYTES = 1_900_000_000
"""Weights above this go to a file of their own: protobuf ends at 2 GiB."""


def save(model: ir.Model, path: Path, split: bool | None = None) -> None:
    """Write a model to a path that no open model reads from.

    Args:
        model: what to write.
        path: the ``.onnx`` file.
        split: whether weights go to ``PATH.data``; by default only where one file can't hold them.
    """
    if split is None:
        split = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value) > (
            SPLIT_BYTES
        )
    if split:
        ir.save(model, path, external_data=data_path(path).name)
    else:
        ir.save(ir.external_data.load_to_model(model), path)


def data_path(path: Path) -> Path:
    """Return where the weights of ``path`` lie if they have a file of their own."""
    return path.with_name(path.name + ".data")


def size(path: Path) -> int:
    """Return the bytes of a file and of its weights file."""
    return sum(part.stat().st_size for part in (path, data_path(path)) if part.exists())


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Give a place to write ``path`` to; it is moved into place if the block ends well, else nothing is left.

    Raises:
        OutputError: the place can't be written.
    """
    with _folder_beside(path) as folder:
        part = folder / path.name
        yield part
        if data_path(part).exists():
            data_path(part).replace(data_path(path))
        else:
            data_path(path).unlink(missing_ok=True)
        part.replace(path)


def check_place(path: Path) -> None:
    """Try a place before the work of minutes that is to be written there.

    Raises:
        OutputError: the place can't be written.
    """
    with _folder_beside(path):
        pass


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path``, where a rename into place is atomic: within one file system."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file")
    with output_errors(path, "choose another place", "try again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            yield Path(folder)
