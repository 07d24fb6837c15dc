"""Videos of one file: whatever FFmpeg demuxes and decodes, through PyAV, in the order in which they are shown."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zsad.errors import InputError, MissingExtraError, first_line
from zsad.images.files import check_file
from zsad.images.preprocess import MAX_PIXELS
from zsad.outside import printable
from zsad.types import ByteArray
from zsad.video.cut_off import cut_off
from zsad.video.frames import Clock, Frame, Video, fitted

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,h264,hevc,av1,obu,ivf,m4v,mjpeg,flv,asf,ogg,gif,"
    "yuv4mpegpipe,mxf,dv,nut,rm,apng"
)
"""Demuxers that may be used: no playlist, which names other files and hosts, and no picture."""
# Given as `container_options`: `options` go to streams, too, and PyAV up to 16 crashes where FFmpeg finds streams late.
OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_FASTEST = 1000.0
"""Frames per second above which a stated rate is a unit of time, not a rate."""
_TOLERANCE = 0.5
"""Seconds by which a stated end may be off."""
_ATTACHED_PICTURE = 0x400
"""FFmpeg's mark of a stream that is one picture."""
_MOST_DAMAGED = 1000
"""Damaged packets after which a file is given up."""


def pyav() -> Any:
    """Return PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingExtraError("reading videos", "video") from None
    return av


class ContainerVideo(Video):
    """A video file. Its first frame is decoded at once, which tells its size and which way is up.

    Args:
        path: the file.
        name: what it is called.

    Raises:
        InputError: it is no video, holds none, or none that can be decoded.
    """

    def __init__(self, path: str | Path, name: str) -> None:
        super().__init__(path, name, "container")
        with _opened(path) as (container, stream):
            self._cut_off = cut_off(path)
            if container.format.name == "gif":
                self.kind = "gif"
            self.fps = rate_of(stream)
            self.n_frames = _count(container, stream, self.fps)
            first = self._first(container, stream)
            self._turns = quarter_turns(first)
            self._coded = (first.width, first.height)
            upright = self._coded[::-1] if self._turns % 2 else self._coded
            self.width, self.height = upright
            if first.interlaced_frame:
                self.notes += ("interlaced: a frame shows both of its fields",)
            if self._turns:
                self.notes += (f"turned by {360 - 90 * self._turns} degrees, as its file says",)

    def _first(self, container: InputContainer, stream: VideoStream) -> VideoFrame:
        """Return the first frame, whose size is sensible."""
        where = printable(self.path)
        for frame, damage in decoded(container, stream):
            if frame is None:
                self.fault = damage
                continue
            if frame.width * frame.height > MAX_PIXELS:
                raise InputError(f"{where}: frames of {frame.width} x {frame.height} pixels are too large")
            return frame
        why = self._cut_off or self.fault
        raise InputError(f"{where}: not one frame can be read{f': {why}' if why else ''}")

    def every(self) -> Generator[Frame, None, None]:
        """Yield each frame, in the order in which they are shown."""
        clock, said, lost = Clock(self.fps), _Faults(), ""
        with _opened(self.path) as (container, stream):
            end = _End(container, stream)
            for frame, damage in decoded(container, stream, end, keep_corrupt=not self._cut_off):
                if frame is None:
                    said.add(damage, self.read)
                    if said.count >= _MOST_DAMAGED:
                        break
                    continue
                if (frame.width, frame.height) != self._coded:
                    sizes = f"{frame.width} x {frame.height}, the first {self._coded[0]} x {self._coded[1]}"
                    said.add(f"frames of several sizes, {sizes},", self.read)
                    break
                index, self.read = self.read, self.read + 1
                yield frame_of(index, clock.at(frame.time), frame, self._turns)
            else:
                lost = "" if self._cut_off or said.count else end.lost()
        self.fault = f"cut off: {self._cut_off}" if self._cut_off else str(said) or lost


@dataclass
class _Faults:
    """What was wrong while a file was read: the first fault, and how many there were."""

    count: int = 0
    first: str = ""

    def add(self, fault: str, read: int) -> None:
        self.count += 1
        self.first = self.first or f"{fault} {f'after frame {read - 1}' if read else 'before the first frame'}"

    def __str__(self) -> str:
        if self.count >= _MOST_DAMAGED:
            return f"{self.first}, and so often that the rest was given up"
        return self.first + (f", and {self.count - 1:,} times more" if self.count > 1 else "")


class _End:
    """Compares where a Matroska file says that its video ends with where it does: FFmpeg skips what is damaged."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._stated = _stated_end(container, stream)
        self._reached = 0.0

    def pass_by(self, packet: Packet[Any]) -> None:
        """Note how far a packet reaches."""
        if packet.pts is not None and packet.time_base:
            self._reached = max(self._reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def lost(self) -> str:
        """Return what is absent at the end, or ``""``."""
        if self._reached + _TOLERANCE >= self._stated:
            return ""
        return f"damaged: it says that it lasts {self._stated:.1f} s, and ends at {self._reached:.1f} s"


def _stated_end(container: InputContainer, stream: VideoStream) -> float:
    """Return the end in seconds that the file itself states of its video, 0 if it states none."""
    if "matroska" not in container.format.name:
        return 0.0
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    return container.duration / 1e6 if container.duration and len(container.streams) == 1 else 0.0


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file at its video stream."""
    where, av = printable(path), pyav()
    container = _container(path, where, av)
    with container:
        pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not pictures:
            others = sorted({str(stream.type) for stream in container.streams} - {"video"})
            _refuse_cut_off(path)
            holds = f"only {' and '.join(others)}" if others else "nothing that is known"
            raise InputError(f"{where}: no video stream; it holds {holds}")
        stream = pictures[0]
        decoder: object = stream.codec_context
        if decoder is None:  # or the header of a file that is cut off is not whole
            _refuse_cut_off(path)
            raise InputError(f"{where}: unknown codec; convert the video to H.264 first")
        stream.thread_type = "AUTO"
        yield container, stream


def _container(path: str | Path, where: str, av: Any) -> InputContainer:
    try:
        check_file(path)
        found: InputContainer = av.open(str(path), container_options=dict(OPTIONS), metadata_errors="ignore")
        return found
    except FileNotFoundError:
        raise InputError(f"{where}: no such file or folder") from None
    except PermissionError:
        raise InputError(f"{where}: not allowed to read it; check its permissions") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        _refuse_cut_off(path)
        raise InputError(f"{where}: not a video that can be read ({said_of(error)})") from None


def decoded(
    container: InputContainer, stream: VideoStream, end: _End | None = None, *, keep_corrupt: bool = True
) -> Iterator[tuple[VideoFrame | None, str]]:
    """Yield frames, or None and what is wrong where a packet is damaged; the decoder is emptied at the end."""
    errors = pyav().error
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (errors.FFmpegError, OSError) as error:
            yield None, f"can't be read on ({said_of(error)})"
            return
        if packet is None:
            return
        if end is not None:
            end.pass_by(packet)
        if packet.is_corrupt:
            yield None, "damaged data"
            if not keep_corrupt:  # what a decoder makes of half a packet is no frame of the video
                continue
        try:
            for frame in packet.decode():
                yield frame, ""
        except (errors.EOFError, StopIteration):
            return
        except (errors.FFmpegError, OSError) as error:
            if not packet.is_corrupt:
                yield None, f"damaged data ({said_of(error)})"


def frame_of(index: int, timestamp: float, frame: VideoFrame, turns: int) -> Frame:
    """Return a decoded frame as ours.

    Args:
        index: which one.
        timestamp: its seconds.
        frame: as decoded.
        turns: quarter turns against the clock that make it upright.
    """

    def pixels() -> ByteArray:
        return _turned(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), turns)

    def grey(longest: int) -> ByteArray:
        width, height = fitted(frame.width, frame.height, longest)
        small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
        return _turned(np.asarray(small.to_ndarray(), np.uint8), turns)

    return Frame(index, timestamp, pixels, grey)


def _turned(pixels: ByteArray, turns: int) -> ByteArray:
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def quarter_turns(frame: VideoFrame) -> int:
    """Return how many quarter turns against the clock make a frame upright."""
    return round(frame.rotation / 90) % 4


def rate_of(stream: VideoStream) -> float:
    """Return a stream's frames per second on average, 0 where nobody knows."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= _FASTEST:
            return float(rate)
    return 0.0


def _count(container: InputContainer, stream: VideoStream, fps: float) -> int | None:
    if stream.frames > 0:
        return stream.frames
    if container.format.name == "mpeg":  # has no header of its own; what FFmpeg guesses may be a single frame
        return None
    seconds = 0.0
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration:
        seconds = container.duration / 1e6
    return max(1, round(seconds * fps)) if seconds > 0 and fps else None


def _is_cover(stream: VideoStream) -> bool:
    """Whether it is the picture on a record's sleeve."""
    return bool(stream.disposition.value & _ATTACHED_PICTURE)


def _refuse_cut_off(path: str | Path) -> None:
    if early := cut_off(path):
        raise InputError(f"{printable(path)}: the file is cut off, and nothing of it can be read: {early}") from None


def said_of(error: BaseException) -> str:
    """Return FFmpeg's words for an error."""
    return printable(str(getattr(error, "strerror", "") or first_line(error)))[:120]
