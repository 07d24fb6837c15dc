"""Vectors of sound in a space that texts have, too: an ONNX encoder of sound beside the text tower that belongs to it.

ImageBind, AudioCLIP and Wav2CLIP read texts by CLIP's tokens, so that their text towers can be such files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zsad.detector.providers import default_threads, name_of, open_session, resolve
from zsad.detector.text_file import TextFile
from zsad.documents import is_whole
from zsad.errors import ModelError
from zsad.outside import shown

SAMPLES, VECTORS, RATE_KEY = "samples", "vectors", "zsad_rate"
"""Names of the graph's input, (N, S) float32 in [-1, 1], of its output, (N, D) float32, and of its metadata's rate."""
_AT_ONCE = 16


class SoundEmbedder(Protocol):
    """Anything that gives vectors of sound, and of texts in the same space."""

    @property
    def name(self) -> str:
        """What tells its vectors from others'."""

    def sounds(self, clips: Sequence[NDArray[np.float32]], rate: int) -> NDArray[np.float32]:
        """Return one vector per clip, (N, D)."""

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, (N, D)."""


class AudioFile:
    """An ONNX encoder of sound, with a text tower.

    Args:
        path: a file with input ``samples`` (N, S) and output ``vectors`` (N, D); its metadata say ``zsad_rate``,
            samples per second, 16000 where they don't. Where S is fixed, clips are cut or filled with silence to it.
        text: the text tower of the same space.

    Raises:
        ModelError: absent, damaged, of other inputs, or of another width than the text tower.
    """

    def __init__(self, path: str | Path, text: TextFile) -> None:
        self._where, self._text = name_of(path), text
        self._session = open_session(path, resolve(None), default_threads())
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if [one.name for one in inputs] != [SAMPLES] or VECTORS not in [one.name for one in outputs]:
            found = shown([one.name for one in (*inputs, *outputs)])
            raise ModelError(f"{self._where}: has {found}; an encoder of sound has input samples and output vectors")
        said = self._session.get_modelmeta().custom_metadata_map.get(RATE_KEY, "16000")
        if not said.isascii() or not said.isdigit() or len(said) > 6 or not is_whole(int(said), 1, 400_000):
            raise ModelError(f"{self._where}: {RATE_KEY} is {shown(said)}, it must be samples per second")
        self.rate, length = int(said), inputs[0].shape[1]
        self._length: int | None = length if isinstance(length, int) else None

    @property
    def name(self) -> str:
        """Its file, and the text tower's weights."""
        return f"sound {self._where} {self._text.card.fingerprint}"

    def sounds(self, clips: Sequence[NDArray[np.float32]], rate: int) -> NDArray[np.float32]:
        """Return a vector per clip, (N, D) float32.

        Args:
            clips: samples in [-1, 1], one channel.
            rate: of the samples; it must be that of the file.

        Raises:
            ModelError: another rate, or the file gives something else than vectors of the text tower's width.
        """
        if rate != self.rate:
            raise ModelError(f"{self._where}: takes {self.rate} samples per second, not {rate}; export it for {rate}")
        width = self._text.card.embed_dim
        found = np.empty((len(clips), width), np.float32)
        for i in range(0, len(clips), _AT_ONCE):
            some = clips[i : i + _AT_ONCE]
            length = self._length or max(len(clip) for clip in some)
            batch = np.stack([np.pad(clip[:length], (0, length - len(clip[:length]))) for clip in some])
            made: Any = self._session.run([VECTORS], {SAMPLES: batch.astype(np.float32)})[0]
            if made.shape != (len(some), width) or not np.isfinite(made).all():
                found_shape, remedy = shown(list(made.shape)), "give the text tower that belongs to it"
                raise ModelError(f"{self._where}: gives {found_shape}, the text tower vectors of {width}; {remedy}")
            found[i : i + len(some)] = made
        return found

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector per text, (N, D) float32."""
        return self._text.texts(texts)
