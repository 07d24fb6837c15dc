"""The last parts with their overlays, for the page; small pictures, in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque

from zsad.line.part import Record, Seen
from zsad.line.sinks.archive import overlay_png
from zsad.line.sinks.sink import Display

KEPT, SIDE = 48, 360
"""Overlays that are kept, and pixels of their longer side."""
WATCHED_S = 30.0
"""Seconds for which overlays are drawn after somebody has looked."""
_AT_A_TIME = 4


class Recent(Display):
    """Draws overlays of the last parts while somebody looks, and keeps them a while.

    Only a few parts keep image and map until they are drawn, so that memory has an end; who looks first sees those.
    """

    name = "page"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._undrawn: deque[tuple[str, Seen]] = deque(maxlen=_AT_A_TIME)
        self._news, self._stop = threading.Event(), threading.Event()
        self._looked = -WATCHED_S
        self._thread = threading.Thread(target=self._run, name="zsad-page", daemon=True)
        self._thread.start()

    def show(self, record: Record, reject: bool, seen: Seen | None) -> None:
        """Take note of a part; when they come faster than they are drawn, the newest are."""
        if seen is not None and seen.result is not None:
            self._undrawn.append((record.id, seen))
            if self._watched:
                self._news.set()

    def picture(self, part_id: str) -> bytes | None:
        """Return the overlay of a part as PNG, or None where there is none any more."""
        self._look()
        with self._lock:
            return self._pictures.get(part_id)

    @property
    def drawn(self) -> set[str]:
        """Ids of the parts that have one; those of the last that have none yet are drawn now."""
        self._look()
        with self._lock:
            return set(self._pictures)

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._news.set()
        self._thread.join(5.0)

    @property
    def _watched(self) -> bool:
        return time.monotonic() - self._looked < WATCHED_S

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._news.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._news.wait(1.0)
            self._news.clear()
            self._draw()

    def _draw(self) -> None:
        """Draw what waits, the newest first, while somebody looks."""
        while self._undrawn and self._watched and not self._stop.is_set():
            part_id, seen = self._undrawn.pop()
            try:
                picture = overlay_png(seen, SIDE)
            except Exception:  # one that can't be drawn has none
                continue
            with self._lock:
                self._pictures[part_id] = picture
                while len(self._pictures) > KEPT:
                    self._pictures.popitem(last=False)
