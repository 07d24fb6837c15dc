"""A video as language methods see it: how long it is, pictures of its frames, vectors of them; all kept for next time.

What is kept is known by the video's content, so that scoring again opens no video.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsad.documents import LARGE, parse_json
from zsad.errors import InputError
from zsad.language.asking import Picture
from zsad.language.cache import Cache
from zsad.language.pictures import FORM, to_jpeg
from zsad.outside import printable
from zsad.stream.item import stamp_of
from zsad.video.source import open_video

if TYPE_CHECKING:
    from zsad.language.embedding import Embedder
    from zsad.video.frames import Frame

_BATCH = 16
OnFrame = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Facts:
    """What is known of a video once it was read.

    Attributes:
        n_frames: that could be read.
        fps: frames per second, on average.
        timestamps: (n_frames,) seconds of each frame.
        fault: why reading broke off, or ``""``.
    """

    n_frames: int
    fps: float
    timestamps: NDArray[np.float64]
    fault: str


class Footage:
    """One video, with what is kept of it.

    Args:
        source: a video file, or a folder of numbered frames.
        cache: where things are kept.
        folder_fps: frames per second of a folder.
        on_frame: told of progress of readings.
    """

    def __init__(
        self, source: str | Path, cache: Cache, folder_fps: float = 0.0, on_frame: OnFrame = lambda done, total: None
    ) -> None:
        self.source, self._cache, self._fps, self._on_frame = source, cache, folder_fps, on_frame

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the content; of a file that has not changed since, the one that was taken then."""
        path = Path(os.path.abspath(self.source))  # noqa: PTH100 - links stay
        files = _files(path)
        stamp = hashlib.sha256(repr([(name, stamp_of(file)) for name, file in files]).encode()).hexdigest()
        known = self._json(f"stamp:{path}")
        if isinstance(known, list) and known[:1] == [stamp]:
            return str(known[1])
        whole = hashlib.sha256(repr(self._fps).encode() if path.is_dir() else b"")
        for name, file in files:
            whole.update(name.encode("utf-8", "surrogateescape") if path.is_dir() else b"")
            with file.open("rb") as opened:
                whole.update(hashlib.file_digest(opened, "sha256").digest())
        self._cache.keep_all({f"stamp:{path}": json.dumps([stamp, whole.hexdigest()]).encode()})
        return whole.hexdigest()

    @cached_property
    def facts(self) -> Facts:
        """How many frames there are, and when; reads the video to its end the first time.

        Raises:
            InputError: it has no frame.
        """
        kept = self._json(f"facts:{self.identity}")
        if isinstance(kept, dict):
            return Facts(kept["n_frames"], kept["fps"], np.asarray(kept["timestamps"], np.float64), kept["fault"])
        times: list[float] = []
        with open_video(self.source, fps=self._fps) as video:
            for frame in video.frames():
                times.append(frame.timestamp)
                self._on_frame(len(times), video.n_frames)
            fps, fault = float(video.fps), video.fault
        if not fps and len(times) > 1 and times[-1] > 0:
            fps = (len(times) - 1) / times[-1]
        found = Facts(len(times), fps or 25.0, np.asarray(times, np.float64), fault)
        plain = {"n_frames": found.n_frames, "fps": found.fps, "timestamps": times, "fault": fault}
        self._cache.keep_all({f"facts:{self.identity}": json.dumps(plain).encode()})
        return found

    def pictures(
        self, groups: Sequence[Sequence[int]], is_known: Callable[[int, list[Picture]], bool]
    ) -> Iterator[tuple[int, list[Picture]]]:
        """Yield each group of frames as pictures, in order; the video is read once, and only for groups that need it.

        Args:
            groups: frames of each group; their last frames ascend.
            is_known: whether a group's answer is there already, so that its pictures are not needed.
        """
        shas = self._shas()
        needed = []
        for i, frames in enumerate(groups):
            if not (all(f in shas for f in frames) and is_known(i, [self._later(f, shas[f]) for f in frames])):
                needed.append(i)
        read = self._read_groups({i: groups[i] for i in needed}, shas)
        waiting = set(needed)
        for i, frames in enumerate(groups):
            yield (i, next(read)) if i in waiting else (i, [self._later(f, shas[f]) for f in frames])
        for _ in read:
            pass

    def vectors(self, frames: Iterable[int], embedder: Embedder) -> dict[int, NDArray[np.float32]]:
        """Return the embedding of each frame; those that are not kept are made in one reading."""
        name = f"vectors:{self.identity}:{embedder.name}"
        kept = self._cache.fact(name)
        found: dict[int, NDArray[np.float32]] = {}
        if kept is not None:
            with np.load(BytesIO(kept), allow_pickle=False) as data:
                found = dict(zip(data["frames"].tolist(), data["vectors"], strict=True))
        wanted = set(frames) - set(found)
        if wanted:
            waiting: list[Frame] = []
            for frame in self._frames(wanted):
                waiting.append(frame)
                if len(waiting) == _BATCH:
                    _embed(waiting, embedder, found)
                    waiting = []
            _embed(waiting, embedder, found)
            order = sorted(found)
            buffer = BytesIO()
            np.savez(buffer, frames=np.array(order, np.int64), vectors=np.stack([found[i] for i in order]))
            self._cache.keep_all({name: buffer.getvalue()})
        return found

    def kept(self, name: str) -> bytes | None:
        """Return what is kept of this video under a name, or None."""
        return self._cache.fact(f"{name}:{self.identity}")

    def keep(self, name: str, value: bytes) -> None:
        """Keep something of this video under a name."""
        self._cache.keep_all({f"{name}:{self.identity}": value})

    def _frames(self, wanted: set[int]) -> Iterator[Frame]:
        last = max(wanted)
        with open_video(self.source, fps=self._fps) as video:
            frames = video.frames()
            for frame in frames:
                self._on_frame(frame.index + 1, video.n_frames)
                if frame.index in wanted:
                    yield frame
                if frame.index >= last:
                    break
            frames.close()

    def _read_groups(self, groups: dict[int, Sequence[int]], shas: dict[int, str]) -> Iterator[list[Picture]]:
        """Yield the pictures of groups in order, holding no more files than groups to come need."""
        if not groups:
            return
        order = list(groups)
        uses: dict[int, int] = {}
        for frames in groups.values():
            for index in set(frames):
                uses[index] = uses.get(index, 0) + 1
        held: dict[int, Picture] = {}
        at = 0
        for frame in self._frames(set(uses)):
            picture = Picture.of(to_jpeg(frame.image))
            held[frame.index], shas[frame.index] = picture, picture.sha
            while at < len(order) and all(index in held for index in groups[order[at]]):
                frames = groups[order[at]]
                yield [held[index] for index in frames]
                for index in set(frames):
                    uses[index] -= 1
                    if not uses[index]:
                        del held[index]
                at += 1
        self._cache.keep_all({f"pictures:{self.identity}:{FORM}": json.dumps(shas).encode()})
        if at < len(order):
            raise InputError(f"{printable(self.source)}: changed while it was read; run again")

    def _later(self, index: int, sha: str) -> Picture:
        """Return a picture that is made only if it is sent after all."""

        def load() -> bytes:
            return to_jpeg(next(self._frames({index})).image)

        return Picture(sha, load)

    def _shas(self) -> dict[int, str]:
        kept = self._json(f"pictures:{self.identity}:{FORM}")
        return {int(index): str(sha) for index, sha in kept.items()} if isinstance(kept, dict) else {}

    def _json(self, name: str) -> Any:
        kept = self._cache.fact(name)
        return None if kept is None else parse_json(kept, "cache", InputError, LARGE)


def _embed(frames: Sequence[Frame], embedder: Embedder, into: dict[int, NDArray[np.float32]]) -> None:
    if frames:
        made = embedder.images([frame.image for frame in frames])
        into.update({frame.index: np.asarray(row, np.float32) for frame, row in zip(frames, made, strict=True)})


def _files(path: Path) -> list[tuple[str, Path]]:
    if not path.exists():
        raise InputError(f"{printable(path)}: no such file or folder")
    if path.is_dir():
        return [(file.name, file) for file in sorted(path.iterdir()) if file.is_file()]
    return [(path.name, path)]
