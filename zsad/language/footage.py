"""A video as language methods see it: how long it is, pictures of its frames, vectors of them; all kept for next time.

What is kept is known by the video's content, so that scoring again opens no video.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
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
from zsad.language.retrieval import unit
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
        kept, stamps = self._json(f"video:{self.identity}"), self.kept("timestamps")
        if isinstance(kept, dict) and stamps is not None:
            return Facts(kept["n_frames"], kept["fps"], np.frombuffer(stamps, "<f8"), kept["fault"])
        times: list[float] = []
        with open_video(self.source, fps=self._fps) as video:
            for frame in video.frames():
                times.append(frame.timestamp)
                self._on_frame(len(times), video.n_frames)
            fps, fault = float(video.fps), video.fault
        if not fps and len(times) > 1 and times[-1] > 0:
            fps = (len(times) - 1) / times[-1]
        found = Facts(len(times), fps or 25.0, np.asarray(times, np.float64), fault)
        plain = {"n_frames": found.n_frames, "fps": found.fps, "fault": fault}
        stamps = found.timestamps.astype("<f8").tobytes()
        names = f"video:{self.identity}", f"timestamps:{self.identity}"
        self._cache.keep_all({names[0]: json.dumps(plain).encode(), names[1]: stamps})
        return found

    def pictures(
        self, groups: Sequence[Sequence[int]], known: Callable[[Mapping[int, list[Picture]]], Container[int]]
    ) -> Iterator[tuple[int, list[Picture]]]:
        """Yield each group of frames as pictures, in order; the video is read once, and only for groups that need it.

        Args:
            groups: frames of each group; their last frames ascend.
            known: told of the groups whose pictures are known by their content, returns those whose answers are there
                already, so that nobody has to read their pictures.
        """
        shas = self._shas()
        later = {
            index: self._later(index, shas[index]) for index in {f for frames in groups for f in frames} & set(shas)
        }
        ready = {i: [later[f] for f in frames] for i, frames in enumerate(groups) if all(f in later for f in frames)}
        there = known(ready)
        waiting = {i: frames for i, frames in enumerate(groups) if i not in ready or i not in there}
        read = self._read_groups(waiting, shas)
        for i in range(len(groups)):
            yield (i, next(read)) if i in waiting else (i, ready[i])
        for _ in read:
            pass

    def vectors(self, frames: Iterable[int], embedder: Embedder) -> dict[int, NDArray[np.float32]]:
        """Return the embedding of each frame; those that are not kept are made in one reading."""
        name = f"vectors:{self.identity}:{embedder.name}"
        found: dict[int, NDArray[np.float32]] = dict(zip(*self._arrays(name, "frames", "vectors"), strict=True))
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
            self._keep_arrays(name, frames=np.array(order, np.int64), vectors=np.stack([found[i] for i in order]))
        return found

    def windows(self, groups: Sequence[Sequence[int]], embedder: Embedder) -> NDArray[np.float64]:
        """Return an embedding per group of frames: the mean of its frames' ones, of length 1 each and as a whole."""
        vectors = self.vectors({frame for frames in groups for frame in frames}, embedder)
        order = np.array(sorted(vectors))
        whole = unit(np.stack([vectors[int(i)] for i in order]))
        return unit(np.stack([whole[np.searchsorted(order, frames)].mean(axis=0) for frames in groups]))

    def text_vectors(self, texts: Sequence[str], embedder: Embedder) -> NDArray[np.float32]:
        """Return the embedding of each text said of this video, (N, D); those that are not kept are made at once."""
        name = f"texts:{self.identity}:{embedder.name}"
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        shas, kept = self._arrays(name, "shas", "vectors")
        found = dict(zip((bytes(sha) for sha in shas), kept, strict=True))
        lacking = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if lacking:
            found.update(zip(lacking, np.asarray(embedder.texts(list(lacking.values())), np.float32), strict=True))
            self._keep_arrays(
                name, shas=np.frombuffer(b"".join(found), np.uint8).reshape(-1, 32), vectors=np.stack([*found.values()])
            )
        return np.stack([found[key] for key in keys])

    def frames(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """Yield some frames, in order; the video is read up to the last of them."""
        return self._frames(set(wanted))

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
        known = np.frombuffer(bytes.fromhex("".join(shas.values())), np.uint8).reshape(-1, 32)
        self._keep_arrays(f"shas:{self.identity}:{FORM}", frames=np.array([*shas], np.int64), shas=known)
        if at < len(order):
            raise InputError(f"{printable(self.source)}: changed while it was read; run again")

    def _later(self, index: int, sha: str) -> Picture:
        """Return a picture that is made only if it is sent after all."""

        def load() -> bytes:
            return to_jpeg(next(self._frames({index})).image)

        return Picture(sha, load)

    def _shas(self) -> dict[int, str]:
        frames, shas = self._arrays(f"shas:{self.identity}:{FORM}", "frames", "shas")
        return {int(index): bytes(sha).hex() for index, sha in zip(frames, shas, strict=True)}

    def _arrays(self, name: str, *parts: str) -> tuple[NDArray[Any], ...]:
        """Return arrays that are kept under a name; empty ones where there are none."""
        kept = self._cache.fact(name)
        if kept is None:
            return tuple(np.empty(0) for _ in parts)
        with np.load(BytesIO(kept), allow_pickle=False) as data:
            return tuple(data[part] for part in parts)

    def _keep_arrays(self, name: str, **parts: NDArray[Any]) -> None:
        buffer = BytesIO()
        whole: Any = parts  # numpy declares an argument besides, which none of these is
        np.savez(buffer, **whole)
        self._cache.keep_all({name: buffer.getvalue()})

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
