"""``report.html``: one file that holds everything it shows, written while the run goes on.

Rows are appended as images finish; the cards (thumbnail and 8-bit map of the highest and of a few random
images) and the end of the page follow the last row and are overwritten by the next, so that the file is a
whole page each time it is flushed, and still a readable one if the process is killed.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zsad.errors import printable
from zsad.report.heat import heat_table, to_bytes
from zsad.report.overlay import alpha_table
from zsad.types import ByteArray, FloatArray

SIDE = 256
"""Largest side of a thumbnail."""
HIGHEST, RANDOM = 200, 50
"""Images that get a card: those with the highest scores, and a random choice of the others."""
_JPEG_BYTES, _PNG_BYTES = 20_000, 36_000  # 250 cards stay below 19 MB as base64, whatever the images are
_PAUSE = 5.0  # seconds between two flushes at least


@dataclass(frozen=True)
class Entry:
    """One image in the report; texts are untrusted.

    Attributes:
        name: what it is called.
        link: URL of the image, relative to the report.
        stem: name of its files in ``overlay/`` and ``heatmap/``.
        score: in [0, 1].
        peak: the highest pixel threshold at which it still has a region of the smallest area.
        anomalous: its verdict.
        regions: how many there are.
        area: anomalous fraction of the image, in [0, 1].
        size: ``(H, W)`` in pixels.
        ms: from file to result.
        note: what was done to read it.
        error: why there is no result; the numbers mean nothing then.
    """

    name: str
    link: str
    stem: str = ""
    score: float = 0.0
    peak: float = 0.0
    anomalous: bool = False
    regions: int = 0
    area: float = 0.0
    size: tuple[int, int] = (0, 0)
    ms: float = 0.0
    note: str = ""
    error: str = ""


@dataclass(frozen=True)
class Card:
    """Thumbnail and map of one image.

    Attributes:
        width: of both, in pixels, at most :data:`SIDE`.
        height: of both.
        jpeg: the thumbnail.
        png: 8-bit grey: the map times 255, the highest value of each block, so that no small defect is lost.
    """

    width: int
    height: int
    jpeg: bytes
    png: bytes


def make_card(image: Image.Image, values: FloatArray) -> Card:
    """Make the card of an image.

    Args:
        image: the decoded image ``(H, W)``.
        values: its map, float32 ``(H, W)`` in [0, 1].
    """
    return card_from_bytes(image, to_bytes(values))


def card_from_bytes(image: Image.Image, values: ByteArray) -> Card:
    """Make the card of an image whose map is at hand as uint8 ``(H, W)``."""
    pooled = _pool(values, -(-max(values.shape) // SIDE))
    height, width = pooled.shape
    small = image if image.mode == "L" else image.convert("RGB")
    small = small.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return Card(width, height, _jpeg(small), _png(pooled))


def _pool(values: ByteArray, step: int) -> ByteArray:
    """Return the highest value of each ``step x step`` block."""
    if step == 1:
        return values
    height, width = values.shape
    padded = np.pad(values, ((0, -height % step), (0, -width % step)))
    pooled: ByteArray = padded[::step, ::step].copy()
    for row in range(step):
        for column in range(step):
            np.maximum(pooled, padded[row::step, column::step], out=pooled)
    return pooled


def _jpeg(image: Image.Image) -> bytes:
    for quality in (80, 60, 35, 10):
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= _JPEG_BYTES:
            break
    return buffer.getvalue()


def _png(values: ByteArray) -> bytes:
    for step in (1, 2, 4):
        buffer = BytesIO()
        Image.fromarray(_pool(values, step)).save(buffer, "PNG", compress_level=4)
        if buffer.tell() <= _PNG_BYTES:
            break
    return buffer.getvalue()


class Report:
    """A report that is written while images are inspected.

    Args:
        path: the HTML file.
        facts: what the head of the page states; see ``page/report.html.j2``.
        total: how many images are expected.

    Raises:
        OSError: it can't be written.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], total: int) -> None:
        self._total = total
        self._count = 0
        self._highest: list[tuple[float, int, float, Card]] = []  # heap of (score, index, lot, card), lowest first
        self._random: list[tuple[float, int, Card]] = []  # heap of (lot, index, card)
        self._flushed = time.monotonic()
        self._file = path.open("wb")
        self._file.write(_head(facts))
        self._end = self._file.tell()

    def wants(self, link: str, score: float) -> bool:
        """Whether an image gets a card, as far as is known now: those that do in the end are among these."""
        if len(self._highest) < HIGHEST or score > self._highest[0][0]:
            return True
        return len(self._random) < RANDOM or _lot(link) > self._random[0][0]

    def add(self, entry: Entry, card: Card | None = None) -> None:
        """Append an image.

        Args:
            entry: its row.
            card: its card, if :meth:`wants` said so.

        Raises:
            OSError: no space left.
        """
        index, self._count = self._count, self._count + 1
        if card is not None:
            self._choose(entry, index, card)
        self._file.write(_line(_row(entry)))
        self._end = self._file.tell()
        # Rarer as the page grows: a page of 10 MB is not rewritten every few seconds.
        if time.monotonic() - self._flushed > _PAUSE + self._count / 500:
            self._flush("running")

    def close(self, finished: bool = True) -> None:
        """Write the end of the page.

        Raises:
            OSError: no space left.
        """
        with self._file:
            self._flush("finished" if finished else "stopped")

    def _choose(self, entry: Entry, index: int, card: Card) -> None:
        item = (entry.score, index, _lot(entry.link), card)
        if len(self._highest) < HIGHEST:
            heapq.heappush(self._highest, item)
            return
        # Each image that is not among the highest draws one lot; the highest lots are a uniform choice.
        _, index, lot, card = heapq.heappushpop(self._highest, item)
        if len(self._random) < RANDOM:
            heapq.heappush(self._random, (lot, index, card))
        else:
            heapq.heappushpop(self._random, (lot, index, card))

    def _flush(self, state: str) -> None:
        self._file.write(b'</script>\n<script type="text/plain" id="card-data">\n')
        for _, index, _, card in sorted(self._highest, key=lambda item: item[:2], reverse=True):
            self._file.write(_line(_card(index, card, "high")))
        for _, index, card in self._random:
            self._file.write(_line(_card(index, card, "random")))
        end = {"state": state, "done": self._count, "total": self._total}
        self._file.write(b'</script>\n<script type="text/plain" id="state-data">' + _line(end).rstrip())
        self._file.write(b"</script>\n</body>\n</html>\n")
        self._file.flush()
        self._file.truncate()
        self._file.seek(self._end)
        self._flushed = time.monotonic()


def _lot(link: str) -> float:
    """Draw a number in [0, 1) that depends on the image's link only: the same choice in each run."""
    return int.from_bytes(hashlib.blake2b(link.encode(), digest_size=6).digest()) / 2**48


def _row(e: Entry) -> list[Any]:
    texts = [printable(e.name), e.link, e.stem]
    if e.error:
        return [*texts, printable(e.error)]
    numbers = [round(e.score, 4), round(e.peak, 4), int(e.anomalous), e.regions, round(e.area, 5), round(e.ms, 1)]
    return [*texts, "", *numbers, e.size[1], e.size[0], printable(e.note)]


def _card(index: int, card: Card, why: str) -> list[Any]:
    jpeg, png = (base64.b64encode(data).decode("ascii") for data in (card.jpeg, card.png))
    return [index, why, card.width, card.height, jpeg, png]


def _line(data: Any) -> bytes:
    # "<" is escaped, so that no text can end the script element; ASCII only.
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").encode("ascii") + b"\n"


def _head(facts: Mapping[str, Any]) -> bytes:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("zsad.report", "page")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("report.html.j2")
    source = {name: Path(__file__).with_name("page").joinpath(name).read_text("utf-8") for name in _PARTS}
    facts = {key: printable(value) if isinstance(value, str) else value for key, value in facts.items()}
    colours = heat_table().tobytes().hex()
    settings = _line({"heat": colours, "alpha": alpha_table(), "facts": facts}).decode("ascii")
    text = page.render(facts=facts, css=source["report.css"], script=source["report.js"], settings=settings)
    return text.encode("utf-8")


_PARTS = ("report.css", "report.js")
