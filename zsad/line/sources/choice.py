"""Which source a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable

from zsad.errors import UsageError
from zsad.line.settings import Camera, Folder, Frames, Line, Trigger, Video
from zsad.line.sources.source import Source


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
