"""What a source must offer, and which one a configuration asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from zsad.errors import UsageError
from zsad.line.health import Health
from zsad.line.part import Part
from zsad.line.settings import Camera, Folder, Frames, Line, Trigger, Video


class Put(Protocol):
    """Takes a part into the station."""

    def __call__(self, part: Part, *, wait: bool = True) -> bool:
        """Return whether it was taken; without ``wait``, False at once where there is no room."""


class Source(Protocol):
    """Gives parts.

    Attributes:
        overload: what happens when parts come faster than they can be looked at, in words.
        place: where they come from, for messages.
    """

    overload: str
    place: str

    def check(self) -> list[str]:
        """Return what a person should know before it runs.

        Raises:
            UsageError: it can't work as it is set.
        """

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Give parts until it is drained, or ``stop`` is set; called in a thread of its own."""


def source_of(line: Line, *, once: bool = False, knows: Callable[[str], bool] = lambda part_id: False) -> Source:
    """Return the source of a line.

    Args:
        line: the configuration.
        once: whether it ends when there is nothing more.
        knows: whether an id is recorded already.

    Raises:
        UsageError: ``once`` for a source that has no end.
        MissingExtraError: what it needs is not installed.
    """
    said = line.source
    if once and isinstance(said, Camera | Trigger):
        raise UsageError(f"{line.place}: a source of kind {_kind(said)} has no end; leave --once out")
    if isinstance(said, Folder):
        from zsad.line.sources.folder import WatchedFolder

        return WatchedFolder(said, once=once)
    if isinstance(said, Frames):
        from zsad.line.sources.frames import FrameSequence

        return FrameSequence(said, knows)
    raise UsageError(f"{line.place}: sources of kind {_kind(said)} are not there yet; use folder, or frames")


def _kind(said: object) -> str:
    kinds = {Camera: "camera", Trigger: "trigger", Video: "video"}
    return next((name for kind, name in kinds.items() if isinstance(said, kind)), "source")
