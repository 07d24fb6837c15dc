"""Where frames come from: one door to videos of every kind, their frames as items, and reading ahead of the work."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from zsad.errors import InputError, UsageError
from zsad.files import is_folder
from zsad.outside import printable
from zsad.stream.item import Item
from zsad.stream.names import safe_name
from zsad.video.frames import Frame, Video

T = TypeVar("T")

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"}
    | {".3gp", ".ogv", ".h264", ".hevc", ".y4m", ".mxf"}
)
"""What counts as a video inside a folder; a file that is named itself is always tried."""
_PATIENCE = 0.2
_LEAVE = 10.0


def open_video(source: str | Path, *, fps: float = 0.0) -> Video:
    """Open a video: a file that FFmpeg reads, an animated GIF, or a folder of numbered pictures.

    Args:
        source: the file or folder.
        fps: frames per second of a folder, which can't say so itself.

    Returns:
        The video; its frames are read by :meth:`Video.frames`, as often as they are asked for.

    Raises:
        InputError: there is no such file, it is empty or no video, it has no video stream or one of an unknown codec;
            pictures lack a number or a frame, or have several sizes.
        MissingExtraError: PyAV is not installed.
    """
    if not 0 <= fps < 1e4:
        raise UsageError(f"frames per second must be in 0 to 10,000, got {fps:g}")
    if is_folder(str(source)):
        from zsad.video.folders import FolderVideo

        return FolderVideo(source, video_name(source), fps)
    from zsad.video.containers import ContainerVideo

    if not os.path.lexists(source):
        raise InputError(f"{printable(source)}: no such file or folder")
    return ContainerVideo(source, video_name(source))


def video_name(source: str | Path) -> str:
    """Return what a video is called in names of files: its own without the ending of a video; dots in it stay.

    >>> video_name("a/B2.v=x__#1_label.mp4"), video_name("Test001/"), video_name("v=abc.1")
    ('B2.v=x___1_label', 'Test001', 'v=abc.1')
    """
    name = Path(os.path.abspath(source)).name  # noqa: PTH100 - "." and ".." have a name, too
    if Path(name).suffix.lower() in SUFFIXES:
        name = name[: -len(Path(name).suffix)]
    return safe_name(f"{name}.")


@dataclass(frozen=True, slots=True)
class FrameItem(Item):
    """A frame as an item of the loop.

    Attributes:
        frame: the frame itself, for whoever looks at its pixels, too.
    """

    frame: Frame = field(default=None, compare=False, repr=False)  # type: ignore[assignment]


def frame_items(video: Video, stride: int = 1, fps: float | None = None) -> Iterator[FrameItem]:
    """Yield a video's frames as items, so that they pass the loop of the house and its one preprocess.

    The loop asks for items in its reader threads, so that decoding overlaps the network.

    Args:
        video: an open video.
        stride: see :meth:`Video.frames`.
        fps: see :meth:`Video.frames`.
    """
    for frame in video.frames(stride, fps):
        name = f"{video.path}#{frame.index}"
        yield FrameItem(name, f"{video.name}_{frame.index:06d}", partial(getattr, frame, "image"), frame=frame)


def read_ahead(
    source: Iterator[T], prepare: Callable[[T], object] = lambda entry: None, most: int = 8
) -> Generator[T, None, None]:
    """Yield what a source has, which is read by a thread while the caller works on earlier entries.

    Args:
        source: frames, say; it is closed when the caller leaves early.
        prepare: called in that thread with each entry: ``lambda frame: frame.array`` converts it there.
        most: entries that wait, at least 1.

    Raises:
        Exception: whatever the source raises, after what it gave before.
    """
    waiting: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(most)
    left = threading.Event()

    def put(entry: T | None, failure: BaseException | None) -> bool:
        while not left.is_set():
            try:
                waiting.put((entry, failure), timeout=_PATIENCE)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        end: BaseException = StopIteration()
        try:
            for entry in source:
                prepare(entry)
                if not put(entry, None):
                    break
        except BaseException as failure:
            end = failure
        finally:
            if isinstance(source, Generator):
                source.close()
        put(None, end)

    thread = threading.Thread(target=read, name="zsad-frames", daemon=True)
    thread.start()
    try:
        while True:
            entry, failure = waiting.get()
            if isinstance(failure, StopIteration):
                return
            if failure is not None:
                raise failure
            yield entry  # type: ignore[misc]
    finally:
        left.set()
        thread.join(_LEAVE)
