"""Numbered images of one folder, in natural order, once each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from zsad.errors import UsageError
from zsad.line.health import Health
from zsad.line.part import AgainError, Opened, Part, Record
from zsad.line.settings import Frames
from zsad.line.sources.earlier import Earlier
from zsad.line.sources.folder import read_whole
from zsad.line.sources.source import Put
from zsad.outside import printable
from zsad.stream.item import Item, stamp_of
from zsad.stream.sources import frames


class FrameSequence:
    """Gives the frames of a folder.

    Args:
        settings: of the configuration.
        recorded: the row of a part, or None; a frame that has one is not read.
    """

    overload = "frames wait in the folder"

    def __init__(self, settings: Frames, recorded: Callable[[str], Record | None]) -> None:
        self._said, self._earlier = settings, Earlier(recorded)
        self.place = str(settings.path)

    def check(self) -> list[str]:
        """Refuse a folder that is not there."""
        if not self._said.path.is_dir():
            raise UsageError(f"{printable(self.place)}: no such folder; give the path of one with numbered images")
        return []

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Give each frame once."""
        for item in frames(self._said.path):
            part_id = f"{printable(self.place)}#{printable(item.label)}"
            if self._earlier.has(part_id, Path(item.id)):
                continue
            if stop.is_set() or not put(_part(item, part_id)):
                break
        self._earlier.tell(self.place, health.alarms)


def _part(item: Item, part_id: str) -> Part:
    def read() -> Opened:
        if item.error:
            return Opened(part_id, error=item.error)
        try:
            found = read_whole(Path(item.id), stamp_of(item.id) or "0-0-0")
        except AgainError:
            return Opened(part_id, error="changed while it was read")
        return Opened(part_id, found.image, found.error, found.data)

    return Part(printable(item.id), read, time.monotonic())
