"""Frames of a video file, once each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from zsad.line.health import Health
from zsad.line.part import Opened, Part
from zsad.line.settings import Video
from zsad.line.sources.source import Put
from zsad.outside import printable
from zsad.types import ImageLike


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
                if not self._knows(part_id) and not put(frame_part(printable(self.place), part_id, frame.array)):
                    return
                if stop.is_set():
                    return
            if video.fault:
                health.alarms.rise("source", printable(f"{self.place}: {video.fault}"))


def frame_part(source: str, part_id: str, image: ImageLike, born: float | None = None) -> Part:
    """Return a frame as a part.

    Args:
        source: where it comes from.
        part_id: its id.
        image: its pixels.
        born: ``time.monotonic()`` when it came; now by default.
    """
    came = time.monotonic() if born is None else born
    return Part(source, lambda: Opened(part_id, image), came, id=part_id)
