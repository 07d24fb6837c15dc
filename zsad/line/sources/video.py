"""Frames of a video file, once each, and of a camera or stream, at most once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from zsad.errors import MissingExtraError, UsageError
from zsad.line.health import Health
from zsad.line.part import Opened, Part, now
from zsad.line.settings import Camera, Video
from zsad.line.sources.source import Put
from zsad.outside import printable
from zsad.types import ImageLike

USER, PASSWORD = "ZSAD_CAMERA_USER", "ZSAD_CAMERA_PASSWORD"
_FIRST_S, _LONGEST_S = 0.5, 30.0


class VideoFrames:
    """Gives the frames of a file.

    Args:
        settings: of the configuration.
        knows: whether an id is recorded already; such a frame is decoded and not looked at.
    """

    overload = "frames wait in the file"

    def __init__(self, settings: Video, knows: Callable[[str], bool]) -> None:
        self._said, self._knows = settings, knows
        self.place = str(settings.path)

    def check(self) -> list[str]:
        """Refuse what is no video."""
        from zsad.video.source import open_video

        with open_video(self._said.path) as video:
            return [f"{printable(self.place)}: {note}" for note in video.notes]

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Give each frame once."""
        from zsad.video.source import open_video

        with open_video(self._said.path) as video:
            for frame in video.frames(self._said.every):
                part_id = f"{printable(self.place)}#{frame.index}"
                if not self._knows(part_id) and not put(_part(printable(self.place), part_id, frame.array)):
                    return
                if stop.is_set():
                    return
            if video.fault:
                health.alarms.rise("source", printable(f"{self.place}: {video.fault}"))


class CameraFrames:
    """Gives frames as they come; those that nobody has time for are counted, and a row says so.

    Args:
        settings: of the configuration.
        grab: opens the camera: ``() -> object`` with ``read() -> (good, BGR array)`` and ``release()``.
    """

    overload = "frames are left out, and a row says how many"

    def __init__(self, settings: Camera, grab: Callable[[], Any] | None = None) -> None:
        self._said = settings
        self.place = printable(settings.address)
        self._grab = grab or (lambda: _opened(settings.address))
        self._began, self._count, self._missed = now(), 0, 0

    def check(self) -> list[str]:
        """Look whether frames can be taken at all; the camera itself may come later."""
        if self._grab is not None and os.environ.get(PASSWORD) and not os.environ.get(USER):
            raise UsageError(f"{self.place}: {PASSWORD} is set and {USER} is not; set both")
        _cv2()
        return []

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Give frames; a camera that vanishes is opened again, with a back-off."""
        pause = _FIRST_S
        while not stop.is_set():
            before, lost = self._count, time.monotonic()
            try:
                self._stream(put, stop, health)
                why = "gives no more frames"
            except OSError as error:
                why = printable(error)
            if stop.is_set():
                break
            health.alarms.rise("source", f"{self.place}: {why}; opened again")
            pause = _FIRST_S if self._count > before else min(_LONGEST_S, 2 * pause)
            stop.wait(pause)
            self._gap(put, f"gap: no frame for {time.monotonic() - lost:.1f} s, {why}", self._count, self._count)
        if self._missed:
            self._left_out(put)

    def _stream(self, put: Put, stop: threading.Event, health: Health) -> None:
        camera = self._grab()
        try:
            while not stop.is_set():
                good, array = camera.read()
                if not good:
                    return
                health.alarms.end("source")
                self._count += 1
                if (self._count - 1) % self._said.every:
                    continue
                part_id = f"{self.place}@{self._began}#{self._count}"
                if self._missed and not self._left_out(put):
                    self._missed += 1
                elif not put(_part(self.place, part_id, array[:, :, ::-1]), wait=False):
                    self._missed += 1
                    health.dropped += 1
                    health.alarms.rise("overload", f"{self.place}: frames come faster than they can be looked at")
        finally:
            camera.release()

    def _left_out(self, put: Put) -> bool:
        last = self._count - 1
        told = self._gap(put, f"gap: {self._missed} frames were left out, the station was busy",
                         last - self._missed + 1, last, wait=False)  # fmt: skip
        if told:
            self._missed = 0
        return told

    def _gap(self, put: Put, error: str, first: int, last: int, *, wait: bool = True) -> bool:
        part_id = f"{self.place}@{self._began}#{first}-{last}:{now()}"
        return put(Part(self.place, lambda: Opened(part_id, error=error), time.monotonic(), id=part_id), wait=wait)


def _part(source: str, part_id: str, image: ImageLike) -> Part:
    return Part(source, lambda: Opened(part_id, image), time.monotonic(), id=part_id)


def _cv2() -> Any:
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("a camera", "video") from None
    return cv2


def _opened(address: str) -> Any:
    cv2 = _cv2()
    camera = cv2.VideoCapture(int(address) if address.isdecimal() else _with_login(address))
    if not camera.isOpened():
        camera.release()
        raise ConnectionError("can't be opened")
    return camera


def _with_login(address: str) -> str:
    """Put user and password of the environment into an address."""
    parts, user = urlsplit(address), os.environ.get(USER)
    if not user or not parts.hostname:
        return address
    login = f"{quote(user, safe='')}:{quote(os.environ.get(PASSWORD, ''), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rsplit('@', 1)[-1]}"))
