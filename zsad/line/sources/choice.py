"""Which source a configuration asks for."""

from __future__ import annotations

from zsad.errors import UsageError
from zsad.line.database import Database
from zsad.line.part import Record
from zsad.line.settings import Camera, Folder, Frames, Line, Trigger, Video
from zsad.line.sources.source import Source


def source_of(line: Line, *, once: bool = False, database: Database | None = None) -> Source:
    """Return the source of a line.

    Args:
        line: the configuration.
        once: whether it ends when there is nothing more.
        database: what is recorded; None for nothing yet.

    Raises:
        UsageError: ``once`` for a source that has no end.
        MissingExtraError: what it needs is not installed.
    """
    said = line.source
    if once and isinstance(said, Camera | Trigger):
        raise UsageError(f"{line.place}: a source of kind {_kind(said)} has no end; leave --once out")
    if isinstance(said, Folder):
        from zsad.line.sources.folder import WatchedFolder

        return WatchedFolder(said, once=once, database=database)
    recorded = database.record if database is not None else _nothing
    if isinstance(said, Frames):
        from zsad.line.sources.frames import FrameSequence

        return FrameSequence(said, recorded)
    if isinstance(said, Video):
        from zsad.line.sources.video import VideoFrames

        return VideoFrames(said, recorded)
    if isinstance(said, Camera):
        from zsad.line.sources.camera import CameraFrames

        return CameraFrames(said)
    from zsad.line.sources.trigger import TcpTrigger

    return TcpTrigger(said, unjudged=line.decision.unjudged == "reject")


def _nothing(part_id: str) -> Record | None:
    return None


def _kind(said: object) -> str:
    return "camera" if isinstance(said, Camera) else "trigger"
