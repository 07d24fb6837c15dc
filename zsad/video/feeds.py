"""What a live source is, by how it is written: an address, the number of a camera, a pipe, or a file that is played."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from zsad.errors import InputError, UsageError
from zsad.files import is_there
from zsad.outside import printable
from zsad.stream.names import safe_name
from zsad.video.containers import OPTIONS, decoded, frame_of, pyav, quarter_turns, rate_of, said_of
from zsad.video.frames import Frame
from zsad.video.motion import opencv
from zsad.video.source import open_video, video_name

if TYPE_CHECKING:
    from av.container import InputContainer

PIPE = "-"
SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "tcp", "udp", "srt")
_PROTOCOLS = "rtsp,rtsps,rtp,srtp,http,https,httpproxy,tls,tcp,udp,crypto,rtmp,rtmps,srt"
"""What an address may lead to: no file of this machine."""
_LIVE = OPTIONS["format_whitelist"] + ",rtsp,rtp,sdp,hls,mpjpeg,live_flv"
_PATIENCE = 10.0
"""Seconds that a camera may take to answer, and to send the next packet."""
_UNPACED = 25.0

Stopped = Callable[[], bool]
"""Whether nobody wants more frames."""


@dataclass(frozen=True)
class Shot:
    """A frame as it comes from a live source.

    Attributes:
        time: its seconds by the source's own clock, or None.
        rate: frames per second as the source says, 0 where it does not.
        size: width and height, upright.
        frame: gives the frame, once it has an index and a time.
    """

    time: float | None
    rate: float
    size: tuple[int, int]
    frame: Callable[[int, float], Frame]


@dataclass(frozen=True)
class Feed:
    """A live source that is not yet connected.

    Attributes:
        shown: what it is called before people: an address without its password.
        name: what it is called in names of files.
        endless: whether it is connected again when it ends; a file and a pipe are not.
        shots: connects, and yields frames until it ends, or nobody wants more; raises InputError where it breaks.
    """

    shown: str
    name: str
    endless: bool
    shots: Callable[[Stopped], Iterator[Shot]]


def feed_of(source: str | Path) -> Feed:
    """Tell what a source is.

    Args:
        source: ``rtsp://``, ``http://`` or another address; the number of a camera of this machine; ``"-"``, a video
            on standard input; or a video file or folder of numbered pictures, which is played at its own speed.

    Raises:
        InputError: no such file.
        UsageError: an address of a kind that is not read.
    """
    text = str(source)
    if text == PIPE:
        return Feed("standard input", "pipe", False, _pipe)
    if text.isdecimal():
        return Feed(f"camera {text}", f"camera{text}", True, lambda stopped: _numbered(int(text), stopped))
    if "://" in text:
        return _address(text)
    if not is_there(text):
        raise InputError(f"{printable(text)}: no such file; a camera is an address, its number, or - for a pipe")
    return Feed(printable(text), video_name(text), False, lambda stopped: _played(text, stopped))


def without_password(address: str) -> str:
    """Return an address as people may see it.

    >>> without_password("rtsp://user:secret@cam.local:554/live?token=1")
    'rtsp://cam.local:554/live'
    """
    parts = urlsplit(address)
    return printable(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


def _address(text: str) -> Feed:
    try:
        shown, scheme = without_password(text), urlsplit(text).scheme.lower()
    except ValueError:
        raise UsageError("the address of the camera is none; give it as in rtsp://HOST:PORT/PATH") from None
    if scheme not in SCHEMES:
        raise UsageError(f"{shown}: cameras are read by {', '.join(SCHEMES)}")
    name = safe_name(re.sub(r"[^\w.-]+", "_", shown.partition("://")[2]).strip("_") + ".")
    return Feed(shown, name, True, lambda stopped: _of_address(text, shown, stopped))


def _of_address(address: str, shown: str, stopped: Stopped) -> Generator[Shot, None, None]:
    options = {
        "format_whitelist": _LIVE,
        "protocol_whitelist": _PROTOCOLS,
        "rtsp_transport": "tcp",  # UDP loses packets, and each loss damages a second of pictures
        "fflags": "nobuffer",  # the second that is looked at first is not kept: it is past
        "analyzeduration": "1000000",
        "rw_timeout": str(round(_PATIENCE * 1e6)),
    }
    container = _connected(address, shown, options, timeout=(_PATIENCE, _PATIENCE))
    yield from _shots(container, shown, stopped)


class _Reading:
    """Standard input for FFmpeg: bytes one after another, without a way back."""

    def read(self, count: int) -> bytes:
        stream: Any = sys.stdin.buffer  # gives what is there, without waiting for all of it
        data: bytes = stream.read1(count)
        return data


def _pipe(stopped: Stopped) -> Generator[Shot, None, None]:
    options = {**OPTIONS, "analyzeduration": "1000000"}
    container = _connected(_Reading(), "standard input", options)
    yield from _paced(_shots(container, "standard input", stopped), stopped)


def _connected(place: Any, shown: str, options: dict[str, str], **more: Any) -> InputContainer:
    av = pyav()
    try:
        found: InputContainer = av.open(place, container_options=options, metadata_errors="ignore", **more)
        return found
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{shown}: can't be connected to ({said_of(error)})") from None


def _shots(container: InputContainer, shown: str, stopped: Stopped) -> Generator[Shot, None, None]:
    with container:
        if not container.streams.video:
            raise InputError(f"{shown}: no video stream")
        stream = container.streams.video[0]
        decoder: object = stream.codec_context
        if decoder is None:
            raise InputError(f"{shown}: unknown codec")
        stream.thread_type = "SLICE"  # threads by frames would hold frames back
        rate = rate_of(stream)
        for frame, damage in decoded(container, stream):
            if stopped():
                return
            if frame is None:
                if damage.startswith("can't"):
                    raise InputError(f"{shown}: {damage}")
                continue  # a packet was lost; the next key frame mends it
            turns = quarter_turns(frame)
            size = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
            yield Shot(frame.time, rate, size, lambda i, t, f=frame, n=turns: frame_of(i, t, f, n))  # type: ignore[misc]


def _numbered(number: int, stopped: Stopped) -> Generator[Shot, None, None]:
    """Yield frames of a camera of this machine, through OpenCV, which knows each system's way to it."""
    cv2 = opencv()
    level = cv2.setLogLevel(0) if hasattr(cv2, "setLogLevel") else None  # its own warnings name no remedy
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise InputError(f"camera {number}: can't be opened; is it there, and used by nobody else?")
        rate = float(capture.get(cv2.CAP_PROP_FPS) or 0)
        while not stopped():
            there, pixels = capture.read()
            if not there:
                raise InputError(f"camera {number}: gives no more frames")
            rgb = np.ascontiguousarray(pixels[..., ::-1])
            yield Shot(None, rate, rgb.shape[1::-1], lambda i, t, rgb=rgb: Frame(i, t, lambda: rgb))  # type: ignore[misc]
    finally:
        capture.release()
        if level is not None:
            cv2.setLogLevel(level)


def _played(path: str, stopped: Stopped) -> Generator[Shot, None, None]:
    """Yield a file's frames at its own speed."""
    video = open_video(path)
    size, rate = (video.width, video.height), video.fps or _UNPACED
    shots = (Shot(frame.timestamp, rate, size, lambda i, t, f=frame: f.dated(i, t)) for frame in video.frames())  # type: ignore[misc]
    yield from _paced(shots, stopped)
    if video.fault:
        raise InputError(f"{printable(path)}: {video.fault}")


def _paced(shots: Iterator[Shot], stopped: Stopped) -> Generator[Shot, None, None]:
    """Hold frames back until their time has come; what comes late is passed on at once."""
    start: float | None = None
    for shot in shots:
        if shot.time is not None:
            start = time.monotonic() - shot.time if start is None else start
            while (left := start + shot.time - time.monotonic()) > 0 and not stopped():
                time.sleep(min(left, 0.1))
        if stopped():
            return
        yield shot
