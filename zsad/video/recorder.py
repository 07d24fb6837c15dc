"""Clips around events: what came shortly before one, the event, and what came after, while the stream goes on.

Frames wait as JPEG, so that seconds of them fit into memory; a thread of its own writes clips.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zsad.errors import OutputError
from zsad.files import PART, output_errors
from zsad.video.containers import pyav
from zsad.video.frames import Frame

_SLACK = 5.0
"""Seconds of frames that are kept beyond the pre-roll: an event is known only after its shortest length."""
_MOST_WAITING = 1000
_MOST_BYTES = 256_000_000
_TICK = 1000
Deliver = Callable[[Path | None], None]
"""Told where a clip is, in the writer's thread; None where it could not be written."""


@dataclass(frozen=True)
class _Kept:
    seconds: float
    jpeg: bytes = field(repr=False)


@dataclass
class _Clip:
    """A clip that is being written."""

    path: Path
    until: float = float("inf")  # seconds of its last frame
    deliver: Deliver | None = None  # set once the event is over


class Recorder:
    """Keeps the last seconds of a stream, and writes clips around events: WebM, VP9.

    Args:
        folder: where clips go.
        name: what their names begin with.
        before: seconds before an event.
        after: seconds after it.
        longest: seconds of a clip, at most.
        say: told in one line what could not be written.

    Attributes:
        lost: frames that the writer had no time for.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        before: float = 5.0,
        after: float = 3.0,
        longest: float = 120.0,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._folder, self._name, self._say = folder, name, say
        self._before, self._after, self._longest = before, after, longest
        self._kept_for = before + _SLACK
        self._ring: deque[_Kept] = deque()
        self._held = 0
        self._clip: _Clip | None = None
        self._lock = threading.Lock()
        self._taken: deque[Path] = deque(maxlen=_MOST_WAITING)  # of clips that may not be there yet
        self._jobs: queue.Queue[tuple[_Clip, _Kept | None] | None] = queue.Queue(_MOST_WAITING)
        self.lost = 0
        pyav()  # what is absent is said before the stream begins
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write, name="zsad-recorder", daemon=True)
        self._thread.start()

    def wait_for(self, late: float) -> None:
        """Keep frames for an event that is told so many seconds after its frame, besides its shortest length."""
        self._kept_for = self._before + late + _SLACK

    def tap(self, frame: Frame) -> None:
        """Take a frame as it comes, in the thread that reads."""
        buffer = BytesIO()
        frame.image.save(buffer, "JPEG", quality=88)
        kept = _Kept(frame.timestamp, buffer.getvalue())
        with self._lock:
            self._ring.append(kept)
            self._held += len(kept.jpeg)
            oldest = kept.seconds - self._kept_for
            while self._ring[0].seconds < oldest or (self._held > _MOST_BYTES and len(self._ring) > 1):
                self._held -= len(self._ring.popleft().jpeg)
            if self._clip is not None:
                if kept.seconds <= self._clip.until:
                    self._put(self._clip, kept)
                elif self._clip.deliver is not None:  # else it is as long as it may be, and its event goes on
                    self._finish()

    def begin(self, seconds: float) -> None:
        """Begin a clip of an event that began at ``seconds`` of the stream; one that is not over yet ends here."""
        with self._lock:
            self._finish()
            stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
            self._clip = _Clip(self._free(f"{self._name}_{stamp}"), seconds + self._longest)
            for kept in self._ring:
                if kept.seconds >= seconds - self._before:
                    self._put(self._clip, kept)

    def end(self, start: float, end: float, deliver: Deliver) -> None:
        """Say when the event is over; the clip ends some seconds later, and ``deliver`` is told then."""
        if self._clip is None:
            self.begin(start)
        with self._lock:
            assert self._clip is not None
            self._clip.deliver = deliver
            self._clip.until = min(self._clip.until, end + self._after)
            if self._ring and self._ring[-1].seconds > self._clip.until:
                self._finish()

    def close(self) -> None:
        """Finish what is being written, and wait for it."""
        with self._lock:
            self._finish()
        self._jobs.put(None)
        self._thread.join()

    def _free(self, name: str) -> Path:
        """Return a place that no clip has, nor will have."""
        path, number = self._folder / f"{name}.webm", 1
        while path.exists() or path in self._taken:
            number += 1
            path = self._folder / f"{name}_{number}.webm"
        self._taken.append(path)
        return path

    def _finish(self) -> None:
        clip, self._clip = self._clip, None
        if clip is not None:
            self._jobs.put((clip, None))

    def _put(self, clip: _Clip, kept: _Kept) -> None:
        try:
            self._jobs.put_nowait((clip, kept))
        except queue.Full:
            self.lost += 1

    def _write(self) -> None:
        encoder: _Encoder | None = None
        while (job := self._jobs.get()) is not None:
            clip, kept = job
            try:
                if kept is not None:
                    encoder = encoder or _Encoder(clip.path)
                    encoder.add(kept)
                    continue
                done = encoder is not None and encoder.close()
            except Exception as error:  # a full disk must not end the watch
                self._say(str(error) if isinstance(error, OutputError) else f"{clip.path}: can't be written ({error})")
                done = False
                if kept is not None:
                    continue
            encoder = None
            try:
                if clip.deliver is not None:
                    clip.deliver(clip.path if done else None)
            except Exception as error:  # nobody reads what is told, say
                self._say(f"{clip.path}: can't be told of ({error})")


class _Encoder:
    """One clip: opened with its first frame, in its place when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f".{path.name}{PART}")
        self._container: Any = None
        self._stream: Any = None
        self._first, self._last = 0.0, -1

    def add(self, kept: _Kept) -> None:
        """Encode a frame."""
        pixels = np.asarray(Image.open(BytesIO(kept.jpeg)).convert("RGB"))
        height, width = (side // 2 * 2 for side in pixels.shape[:2])  # VP9 has half of the colours
        with output_errors(self._path):
            if self._container is None:
                self._open(width, height, kept.seconds)
            frame = pyav().VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
            self._last = frame.pts = max(self._last + 1, round((kept.seconds - self._first) * _TICK))
            frame.time_base = Fraction(1, _TICK)
            self._container.mux(self._stream.encode(frame))

    def close(self) -> bool:
        """Finish the file; return whether there is one."""
        if self._container is None:
            return False
        with output_errors(self._path):
            self._container.mux(self._stream.encode())
            self._container.close()
            self._part.replace(self._path)
        return True

    def _open(self, width: int, height: int, seconds: float) -> None:
        self._container = pyav().open(str(self._part), "w", format="webm")
        self._first = seconds
        self._stream = self._container.add_stream("libvpx-vp9", rate=25)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICK)
        self._stream.options = {"deadline": "realtime", "cpu-used": "8", "crf": "34", "b": "0", "row-mt": "1"}
