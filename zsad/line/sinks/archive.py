"""Images that are kept: written whole, in a folder for each day, and removed by age and by size."""

from __future__ import annotations

import hashlib
import queue
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from zsad.errors import OutputError, first_line
from zsad.files import output_errors, sweep, write_whole
from zsad.line.health import Health
from zsad.line.part import Record, Seen
from zsad.line.sinks.settings import Archive
from zsad.line.sinks.sink import Display
from zsad.outputs import png
from zsad.outside import terminal

_WAITING, _LOOK_S = 32, 60.0
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_OURS = re.compile(r"\d{6}\.\d{3}-(ok|reject|unjudged)-[0-9a-f]{12}(-overlay\.png|\.(png|jpg|tif|bmp|bin))")
_KINDS = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"BM", ".bmp"))


@dataclass(frozen=True)
class _Kept:
    name: str
    data: bytes
    seen: Seen


class ArchiveFolder(Display):
    """Keeps images, in a thread of its own.

    What can't be written, or would hold the line up, is left out with an alarm: the row has everything but the picture.

    Args:
        settings: of the configuration.
    """

    name = "archive"

    def __init__(self, settings: Archive) -> None:
        self._said = settings
        self._waiting: queue.Queue[_Kept | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="zsad-archive", daemon=True)
        self._health: Health | None = None

    def open(self, health: Health) -> None:
        """Make the folder and begin."""
        self._health = health
        with output_errors(self._said.path, "choose another path", "start again"):
            self._said.path.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def show(self, record: Record, reject: bool, seen: Seen | None) -> None:
        """Put a part's image into the queue."""
        if seen is None or seen.opened is None or (self._said.keep == "reject" and not reject):
            return
        data = seen.opened.data
        if not data and seen.decoded is None:
            return
        stem = f"{record.time[:10]}/{record.time[11:23].replace(':', '')}-{record.verdict}-{_short(record.id)}"
        try:
            self._waiting.put_nowait(_Kept(stem, data, seen))
        except queue.Full:
            self._alarm("falls behind; images are left out, their rows are not")

    def close(self) -> None:
        """Write what waits, for a moment."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=1.0)
        self._thread.join(10.0)

    def _alarm(self, why: str) -> None:
        if self._health is not None:
            self._health.alarms.rise("archive", f"{terminal(self._said.path)}: {why}")

    def _run(self) -> None:
        looked = 0.0
        while True:
            with suppress(queue.Empty):
                kept = self._waiting.get(timeout=1.0)
                if kept is None:
                    return
                self._write(kept)
            if time.monotonic() - looked > _LOOK_S:
                looked = time.monotonic()
                self._retain()

    def _retain(self) -> None:
        health, place = self._health, self._said.path
        assert health is not None
        try:
            retain(place, self._said.days, self._said.gb, health.careful_time)
        except OSError as error:
            health.alarms.rise(
                "archive-retention", f"{terminal(place)}: old images can't be removed ({error.strerror or error})"
            )
        else:
            health.alarms.end("archive-retention")

    def _write(self, kept: _Kept) -> None:
        try:
            place = self._said.path / kept.name
            write_whole(Path(f"{place}{_suffix(kept.data)}"), kept.data or _picture(kept.seen))
            if self._said.overlays and kept.seen.result is not None:
                write_whole(Path(f"{place}-overlay.png"), overlay_png(kept.seen))
            if self._health is not None and self._waiting.empty():
                self._health.alarms.end("archive")
        except OutputError as error:
            self._alarm(str(error))
        except Exception as error:  # a picture that can't be drawn holds up no other
            self._alarm(first_line(error))


def overlay_png(seen: Seen, longest: int | None = None) -> bytes:
    """Return the picture of what was found as PNG; at most ``longest`` pixels wide and high."""
    from PIL import Image

    assert seen.result is not None and seen.decoded is not None
    picture = Image.fromarray(replace(seen.result, image=seen.decoded.image).overlay(legend=longest is None))
    if longest is not None:
        picture.thumbnail((longest, longest))
    return png(picture)


def retain(folder: Path, days: float, gb: float, now: float) -> int:
    """Remove what is older than ``days``, then the oldest until no more than ``gb`` is left; returns how many files.

    Only files that are named as the archive names them, in folders that are named like a day, are ever touched.

    Raises:
        OSError: the first refusal; what could be removed is.
    """
    oldest = datetime.fromtimestamp(max(0.0, now - days * 86400), UTC).strftime("%Y-%m-%d/%H%M%S.%f")[:-3]
    refusals: list[OSError] = []
    files = list(_kept_in(folder, refusals))
    removed, size = 0, sum(bytes_ for _, bytes_, _ in files)
    for name, bytes_, file in files:
        if name >= oldest and size <= gb * 1e9:
            break
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            refusals.append(error)
            continue
        size, removed = size - bytes_, removed + 1
    for day in _days(folder):
        with suppress(OSError):  # not empty
            day.rmdir()
    if refusals:
        raise refusals[0]
    return removed


def _days(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if _DAY.fullmatch(entry.name) and entry.is_dir())


def _kept_in(folder: Path, refusals: list[OSError]) -> Iterator[tuple[str, int, Path]]:
    """Yield day and name, bytes, and path of what is kept, the oldest first; what can't be read is a refusal."""
    for day in _days(folder):
        sweep(day)
        try:
            for file in sorted(file for file in day.iterdir() if _OURS.fullmatch(file.name)):
                with suppress(FileNotFoundError):
                    yield f"{day.name}/{file.name}", file.stat().st_size, file
        except OSError as error:
            refusals.append(error)


def _short(part_id: str) -> str:
    return hashlib.blake2b(part_id.encode(errors="surrogatepass"), digest_size=6).hexdigest()


def _suffix(data: bytes) -> str:
    return next((suffix for head, suffix in _KINDS if data.startswith(head)), ".bin") if data else ".png"


def _picture(seen: Seen) -> bytes:
    assert seen.decoded is not None
    buffer = BytesIO()
    seen.decoded.image.save(buffer, "PNG")
    return buffer.getvalue()
