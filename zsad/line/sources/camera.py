"""Frames of a camera or a stream, at most once: what was left out, or never came, is a row."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from zsad.errors import UsageError, ZsadError
from zsad.line.health import CALM_S, Health
from zsad.line.part import Opened, Part, now
from zsad.line.settings import Camera as Settings
from zsad.line.sources.source import Put
from zsad.line.sources.video import frame_part
from zsad.outside import printable

if TYPE_CHECKING:
    from zsad.video.camera import Camera
    from zsad.video.feeds import Feed

USER, PASSWORD = "ZSAD_CAMERA_USER", "ZSAD_CAMERA_PASSWORD"
_FIRST_S, _LONGEST_S = 0.5, 30.0


class CameraFrames:
    """Gives frames as they come: the newest ones, where there are more than can be looked at.

    Args:
        settings: of the configuration.
        feed: what is connected, in place of the address.
    """

    overload = "frames are left out, and a row says how many"

    def __init__(self, settings: Settings, feed: Callable[[], Feed] | None = None) -> None:
        self._said = settings
        self.place = printable(settings.address)
        self._feed = feed or (lambda: _feed_of(settings.address))
        self._began, self._count = now(), 0
        self._lost = ""

    def check(self) -> list[str]:
        """Look whether frames can be taken at all; the camera itself may come later.

        Raises:
            UsageError: no address of a camera, or half a login.
            MissingExtraError: the extra video is not installed.
        """
        from zsad.video.containers import pyav
        from zsad.video.motion import opencv

        if os.environ.get(PASSWORD) and not os.environ.get(USER):
            raise UsageError(f"{self.place}: {PASSWORD} is set and {USER} is not; set both")
        self._feed()
        opencv() if self._said.address.isdecimal() else pyav()
        return []

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Give frames; a camera that is not there, or vanishes, is connected again, with a back-off."""
        pause = _FIRST_S
        while not stop.is_set():
            before, lost = self._count, time.monotonic()
            try:
                why = self._watch(put, stop, health)
            except ZsadError as error:
                why = printable(error)
            if stop.is_set():
                return
            health.alarms.rise("source", f"{why}; connected again")
            pause = _FIRST_S if self._count > before else min(_LONGEST_S, 2 * pause)
            stop.wait(pause)
            if self._count > before:
                lost = self._seen
            self._gap(put, f"gap: no frame for {time.monotonic() - lost:.1f} s, {why}", self._count, self._count)

    def _watch(self, put: Put, stop: threading.Event, health: Health) -> str:
        """Give the frames of one camera until it is gone for good; returns why."""
        from zsad.video.camera import Camera

        base = self._count

        def said(line: str) -> None:
            if "connecting again" in line:
                self._lost = line
                health.alarms.rise("source", line)

        with Camera(self._feed(), say=said) as camera, _stopped_with(camera, stop):
            for frame in camera.frames(self._said.every):
                came = time.monotonic() - camera.age(frame.index)
                self._tell_lost(put, came)
                health.alarms.end("source")
                self._tell_left_out(put, health, base + frame.index)
                self._count, self._seen = base + frame.index + 1, came
                part_id = f"{self.place}@{self._began}#{self._count}"
                if not put(frame_part(self.place, part_id, frame.array, came)):
                    break
            if stop.is_set():
                self._tell_left_out(put, health, base + camera.received)
            return camera.fault or f"{self.place}: gives no more frames"

    def _tell_lost(self, put: Put, came: float) -> None:
        """Record that the camera was gone, now that it is back."""
        if self._lost:
            why, self._lost = self._lost, ""
            self._gap(put, f"gap: no frame for {came - self._seen:.1f} s, {why}", self._count, self._count)

    def _tell_left_out(self, put: Put, health: Health, reached: int) -> None:
        """Record how many frames nobody had time for, of those that are parts."""
        every = self._said.every
        missed = -(-reached // every) - -(-self._count // every)  # multiples of it in [count, reached)
        if missed > 0:
            health.drop(missed)
            health.alarms.rise(
                "overload", f"{self.place}: frames come faster than they can be looked at", calm_s=CALM_S
            )
            self._gap(put, f"gap: {missed} frames were left out, the station was busy", self._count + 1, reached)

    def _gap(self, put: Put, error: str, first: int, last: int) -> None:
        part_id = f"{self.place}@{self._began}#{first}-{last}:{now()}"
        put(Part(self.place, lambda: Opened(part_id, error=error), time.monotonic(), id=part_id))

    _seen = 0.0


@contextmanager
def _stopped_with(camera: Camera, stop: threading.Event) -> Iterator[None]:
    """Let a camera's frames end when the station is to stop."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if stop.wait(0.1):
                camera.stop()
                return

    threading.Thread(target=watch, name="zsad-camera-stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _feed_of(address: str) -> Feed:
    from zsad.video.feeds import feed_of

    if not address.isdecimal() and "://" not in address:
        raise UsageError(
            f"{printable(address)}: a camera is a number or an address such as rtsp://10.0.0.5/stream; a file is a "
            "source of kind video"
        )
    return feed_of(with_login(address))


def with_login(address: str) -> str:
    """Put user and password of the environment into an address."""
    parts, user = urlsplit(address), os.environ.get(USER)
    if not user or not parts.hostname:
        return address
    login = f"{quote(user, safe='')}:{quote(os.environ.get(PASSWORD, ''), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rsplit('@', 1)[-1]}"))
