"""Maps of an evaluation on disk: float32 ``.npy`` below a folder, and a line for each in ``scores.jsonl``."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from zsad.errors import OccupiedError
from zsad.evaluation.looks import key_of
from zsad.files import output_errors, write_whole
from zsad.outputs import begins, check_folder, check_output
from zsad.outside import printable
from zsad.stream.sinks.files import LineFile
from zsad.types import FloatArray, Sample

LINES = "scores.jsonl"
_OTHER = "choose another folder for the maps"
_is_lines = begins(b'{"map": "')


class MapFolder:
    """Writes the map of each sample.

    Args:
        folder: where they go; what an earlier evaluation has left there is replaced.
        samples: all that may be written.

    Raises:
        OccupiedError: a file in the way that zsad did not write; nothing is changed then.
        OutputError: the folder can't be written.
    """

    def __init__(self, folder: Path, samples: Iterable[Sample]) -> None:
        self._folder = folder
        check_folder(folder, _OTHER)
        check_output(folder / LINES, _is_lines, _OTHER)
        if folder.is_dir() and not (folder / LINES).is_file():
            for path in map(self._path, samples):
                if path.exists():
                    raise OccupiedError(f"{printable(path)}: was not written by zsad and is not replaced; {_OTHER}")
        self._lines = LineFile(folder / LINES)

    def write(self, sample: Sample, values: FloatArray, score: float) -> None:
        """Write the map of a sample, and its line.

        Raises:
            OutputError: no space, or not allowed to write.
        """
        path, buffer = self._path(sample), io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        write_whole(path, buffer.getbuffer(), output_errors(path, _OTHER, "run it again"))
        line = {"map": path.relative_to(self._folder).as_posix(), "image": str(sample.image),
                "label": int(sample.label or 0), "score": score}  # fmt: skip
        self._lines.write(json.dumps(line).encode("ascii") + b"\n")

    def close(self) -> None:
        """Close the file of lines."""
        self._lines.close()

    def _path(self, sample: Sample) -> Path:
        """Where a map goes: ``dataset/class/key.npy``."""
        key = PurePosixPath(key_of(sample).replace("\\", "/"))
        parts = [part for part in key.parts if part not in ("/", "..", ".")]
        path = self._folder.joinpath(
            _safe(sample.dataset or "data"), _safe(sample.class_name or "all"), *map(_safe, parts)
        )
        return path.with_name(path.name + ".npy")


def _safe(name: str) -> str:
    return "".join("_" if char in '<>:"/\\|?*' or ord(char) < 32 else char for char in name) or "_"
