"""Frames of a video file, once each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from zsad.line.health import Health
from zsad.line.part import Opened, Part, Record
from zsad.line.settings import Video
from zsad.line.sources.earlier import Earlier
from zsad.line.sources.source import Put
from zsad.outside import printable
from zsad.types import ImageLike


class VideoFrames:
    """Gives the frames of a file.

    Args:
        settings: of the configuration.
        recorded: the row of a part, or None; a frame that has one is decoded and not looked at.
    """

    overload = "frames wait in the file"

    def __init__(self, settings: Video, recorded: Callable[[str], Record | None]) -> None:
        self._said, self._earlier = settings, Earlier(recorded)
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
                known = self._earlier.has(part_id, self._said.path)
                if not known and not put(frame_part(printable(self.place), part_id, frame.array)):
                    break
                if stop.is_set():
                    break
            self._earlier.tell(self.place, health.alarms)
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
