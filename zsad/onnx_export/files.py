"""ONNX files on disk: one file, or a graph and its weights side by side where protobuf's 2 GiB are too little."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zsad.card import CARD_KEY
from zsad.detector.text_file import TEXT_KEY
from zsad.errors import OccupiedError
from zsad.files import output_errors
from zsad.outputs import check_output, holds
from zsad.outside import printable

if TYPE_CHECKING:
    from onnxscript import ir

SPLIT_BYTES = 1_900_000_000
"""Weights above this go to a file of their own: protobuf ends at 2 GiB."""

_is_model = holds(CARD_KEY.encode(), TEXT_KEY.encode(), within=None)  # its metadata stand at the end


def save(model: ir.Model, path: Path, split: bool | None = None) -> None:
    """Write a model to a path that no open model reads from.

    Args:
        model: what to write.
        path: the ``.onnx`` file; its format version is the lowest that will do.
        split: whether weights go to ``PATH.data``; by default only where one file can't hold them.
    """
    from onnxscript import ir  # not where a graph is put together without torch

    model.ir_version = lowest_ir_version(model.opset_imports)
    if split is None:
        split = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value) > (
            SPLIT_BYTES
        )
    if split:
        ir.save(model, path, external_data=data_path(path).name)
    else:
        ir.save(ir.external_data.load_to_model(model), path)


def lowest_ir_version(opsets: Mapping[str, int]) -> int:
    """Return the lowest version of the file format that operator sets need, so that older runtimes load it.

    The exporter writes the newest that it knows, which says nothing about the graph: opset 18 needs 8, and 20 needs 9.
    """
    import onnx

    sets = [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return int(onnx.helper.find_min_ir_version_for(sets, ignore_unknown=True))


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


def check_place(path: Path, inputs: Sequence[str | Path] = ()) -> None:
    """Try a place before the work of minutes that is to be written there.

    Args:
        path: the ``.onnx`` file.
        inputs: files that are read meanwhile.

    Raises:
        OccupiedError: it holds something else than a model of zsad, or an input.
        OutputError: the place can't be written.
    """
    check_output(path, _is_model, "choose another --out", inputs)
    if data_path(path).exists() and not path.is_file():
        raise OccupiedError(f"{printable(data_path(path))}: was not written by zsad; choose another --out")
    with _folder_beside(path):
        pass


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path``, where a rename into place is atomic: within one file system."""
    with output_errors(path, "choose another place", "try again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            yield Path(folder)
