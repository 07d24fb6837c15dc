"""Drawn scenes and their faultless twins by index, kept in a cache file."""

from __future__ import annotations

import json
import os
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from zsad.errors import DatasetError, OutputError
from zsad.synthetic import GENERATOR_VERSION, Scene, pair_at, scene_at

T = TypeVar("T")

_HEAD = struct.Struct("<4sII")
_MAGIC = b"zsc1"
_FACTS = 1524
"""Bytes kept for a scene's words in the cache."""
_FAR = 1_000_000_007
"""Distance to the scene that replaces one that can't be drawn."""


class ScenePool:
    """Scenes by index, drawn once and then read from a cache file if there is a folder for one.

    Args:
        size: side S in pixels.
        seed: seed of the world.
        split: ``"train"`` or ``"valid"``.
        folder: where the cache file is kept, or None. The cache changes nothing but the time taken.
        twins: the faultless twins of the scenes instead.
    """

    def __init__(
        self, size: int, seed: int, split: str = "train", folder: Path | None = None, twins: bool = False
    ) -> None:
        self.size, self.seed, self.split, self.folder, self._twins = size, seed, split, folder, twins
        self._mask_bytes = (size * size + 7) // 8
        self._record = _HEAD.size + _FACTS + size * size * 3 + self._mask_bytes

    @property
    def path(self) -> Path | None:
        """The cache file; its name says everything that its content depends on."""
        kind = "twins" if self._twins else "scenes"
        name = f"world{GENERATOR_VERSION}-{self.split}-{self.size}px-seed{self.seed}.{kind}"
        return self.folder / name if self.folder else None

    def __getitem__(self, index: int) -> Scene:
        """Return scene ``index``.

        Raises:
            OutputError: the cache can't be written.
        """
        found = self._read(index)
        if found is None:
            found = self._drawn(index, pair_at)[1] if self._twins else self._drawn(index, scene_at)
            self._write(index, found)
        return found

    @cached_property
    def twins(self) -> ScenePool:
        """The faultless twins of this pool's scenes, by the same indices."""
        return ScenePool(self.size, self.seed, self.split, self.folder, twins=True)

    def couple(self, index: int) -> tuple[Scene, Scene]:
        """Return scene ``index`` and its twin; what has to be drawn is drawn once for both.

        Raises:
            OutputError: the cache can't be written.
        """
        scene, twin = self._read(index), self.twins._read(index)
        if scene is None or twin is None:
            scene, twin = self._drawn(index, pair_at)
            self._write(index, scene)
            self.twins._write(index, twin)
        return scene, twin

    def _drawn(self, index: int, draw: Callable[..., T]) -> T:
        """Draw scene ``index``, alone or with its twin; in place of one that fails, another, and say so."""
        for number in range(index, index + 3 * _FAR, _FAR):
            try:
                return draw(number, self.size, seed=self.seed, split=self.split)
            except (ValueError, IndexError, ArithmeticError) as error:
                sys.stderr.write(f"scene {number} can't be drawn ({error}); another takes its place\n")
        raise DatasetError(f"scene {index} of split {self.split!r} can't be drawn, nor two others; mend the generator")

    @cached_property
    def _file(self) -> int:
        # Positioned reads and writes instead of a memory map: a full disk is then an error, not a bus error.
        assert self.path is not None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(f"{self.path}: can't be written ({error.strerror}); choose another --cache") from None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_file", "twins")}

    def _read(self, index: int) -> Scene | None:
        """Return the cached record of ``index``; None if there is none or no cache."""
        return self._unpack(os.pread(self._file, self._record, index * self._record)) if self.folder else None

    def _write(self, index: int, scene: Scene) -> None:
        if self.folder is None:
            return
        facts = {f.name: getattr(scene, f.name) for f in fields(scene) if f.name not in ("image", "mask")}
        text = json.dumps(facts).encode()
        if len(text) > _FACTS:
            return  # drawn again each time: correct, only slower
        body = text.ljust(_FACTS) + scene.image.tobytes() + np.packbits(scene.mask).tobytes()
        record = _HEAD.pack(_MAGIC, zlib.crc32(body), len(text)) + body
        try:
            if os.pwrite(self._file, record, index * self._record) != len(record):
                raise OSError(28, "No space left on device")
        except OSError as error:
            raise OutputError(
                f"{self.path}: cache can't be written ({error.strerror}); free space or run without --cache"
            ) from None

    def _unpack(self, record: bytes) -> Scene | None:
        """Decode a record; None if it was never written, or not completely."""
        if len(record) < self._record or record[:4] != _MAGIC:
            return None
        _, crc, length = _HEAD.unpack_from(record)
        body = memoryview(record)[_HEAD.size :]
        if zlib.crc32(body) != crc:
            return None
        S = self.size
        facts: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(bytes(body[:length])).items()
        }
        image = np.frombuffer(body, np.uint8, S * S * 3, _FACTS).reshape(S, S, 3)
        bits = np.frombuffer(body, np.uint8, self._mask_bytes, _FACTS + S * S * 3)
        return Scene(image=image, mask=np.unpackbits(bits, count=S * S).reshape(S, S), **facts)
