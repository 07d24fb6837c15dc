"""``report.html``: one file that holds everything it shows, written while the run goes on.

Every few seconds the page is written anew beside its place and renamed: the rows so far, those of the images that
finished meanwhile, the exhibits (thumbnail and 8-bit map of the highest and of a few random images) and the end. The
file is a whole page at any time, and stays one if the process is killed. Rows are taken from the page before, so that
memory does not grow with their number.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from zsad.files import PART
from zsad.outside import html, printable
from zsad.pictures.heat import heat_table
from zsad.pictures.overlay import alpha_table
from zsad.report.choice import Choice
from zsad.report.exhibits import Exhibit

_PAUSE, _LONGEST_PAUSE = 5.0, 60.0
"""Seconds between two pages."""
_SHARE = 0.01
"""Part of the time that writing pages takes at most: the pause grows with what a page costs."""
_WAITING = 1_000_000
"""Bytes of rows that wait for the next page at most."""


@dataclass(frozen=True)
class Entry:
    """One image in the report; texts are untrusted.

    Attributes:
        name: what it is called.
        link: URL of the image, relative to the report.
        stem: name of its files in ``overlay/`` and ``heatmap/``.
        score: in [0, 1].
        peak: the highest pixel threshold at which it still has a region of the smallest area.
        regions: how many there are.
        area: anomalous fraction of the image, in [0, 1].
        size: ``(H, W)`` in pixels.
        ms: from file to result.
        note: what was done to read it.
        error: why there is no result; the numbers mean nothing then.
        path: the input, as rows name it; for tables.
        stamp: size and time of change of its file: what a person says of an image goes with it.
    """

    name: str
    link: str
    stem: str = ""
    score: float = 0.0
    peak: float = 0.0
    regions: int = 0
    area: float = 0.0
    size: tuple[int, int] = (0, 0)
    ms: float = 0.0
    note: str = ""
    error: str = ""
    path: str = ""
    stamp: str = ""


class Report:
    """A report that is written while images are inspected.

    Args:
        path: the HTML file.
        facts: what the head of the page states; see ``page/report.html.j2``.
        total: how many images are expected; None where nobody knows.

    Raises:
        OSError: it can't be written.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], total: int | None) -> None:
        self._total = total
        self._count = 0
        self._choice: Choice[_Late] = Choice()
        self._waiting = bytearray(_head(facts))
        self._path, self._partial = path, path.with_name(f".{path.name}{PART}")
        self._end = 0  # of the rows in the file
        self._flush("running")

    def wants(self, link: str, score: float) -> bool:
        """Whether an image gets an exhibit, as far as is known now: those that do in the end are among these."""
        return self._choice.wants(link, score)

    def add(self, entry: Entry, exhibit: Exhibit | None = None) -> None:
        """Append an image.

        Args:
            entry: its row.
            exhibit: its picture, if :meth:`wants` said so.

        Raises:
            OSError: no space left.
        """
        index, self._count = self._count, self._count + 1
        if exhibit is not None:
            self._choice.add(index, entry.link, entry.score, _Late(exhibit))
        self._waiting += _line(_row(entry))
        if len(self._waiting) > _WAITING or time.monotonic() - self._flushed > self._pause:
            self._flush("running")

    def close(self, finished: bool = True) -> None:
        """Write the end of the page.

        Raises:
            OSError: no space left.
        """
        self._flush("finished" if finished else "stopped")

    def _flush(self, state: str) -> None:
        """Write the page beside its place, with the rows of the page before, and rename it.

        Hence the file is a whole page whenever somebody opens it, and if the process is killed.
        """
        start = time.perf_counter()
        end_of_rows, none = self._end + len(self._waiting), bytearray()
        parts = [bytes(self._waiting), b'</script>\n<script type="text/plain" id="card-data">\n']
        for why, chosen in (("high", self._choice.highest()), ("random", self._choice.random())):
            parts += [b'[%d,"%s",%s]\n' % (index, why.encode(), exhibit.packed()) for index, exhibit in chosen]
        total = self._count if self._total is None else self._total
        end = {"state": state, "done": self._count, "total": total, "time": time.strftime("%Y-%m-%d %H:%M:%S")}
        parts += [b'</script>\n<script type="text/plain" id="state-data">', _line(end).rstrip()]
        parts.append(b"</script>\n</body>\n</html>\n")
        try:
            with self._partial.open("wb") as page:
                if self._end:
                    with self._path.open("rb") as before:
                        _copy(before, page, self._end)
                page.writelines(parts)
            self._partial.replace(self._path)
        except OSError:
            self._partial.unlink(missing_ok=True)
            raise
        self._end, self._waiting = end_of_rows, none  # together: Ctrl-C between the two would repeat rows
        self._flushed = time.monotonic()
        self._pause = min(_LONGEST_PAUSE, max(_PAUSE, (time.perf_counter() - start) / _SHARE))


def _copy(source: BinaryIO, target: BinaryIO, count: int) -> None:
    """Copy so many bytes.

    Raises:
        OSError: the source has fewer: somebody else has written to it.
    """
    while count:
        part = source.read(min(count, _WAITING))
        if not part:
            raise OSError("another program changed it")
        target.write(part)
        count -= len(part)


class _Late:
    """An exhibit that is packed when it is first written to a page, if that ever happens."""

    def __init__(self, exhibit: Exhibit) -> None:
        self._exhibit: Exhibit | None = exhibit
        self._packed = b""

    def packed(self) -> bytes:
        if self._exhibit is not None:
            self._packed, self._exhibit = self._exhibit.packed(), None
        return self._packed


def _row(e: Entry) -> list[Any]:
    name, path = printable(e.name), printable(e.path or e.name)
    # Most paths end with the name: what stands before it is enough.
    before = path.removesuffix(name) if path.endswith(name) else [path]
    if e.error:
        return [name, e.link, e.stem, printable(e.error), before, e.stamp]
    # As exact as results.jsonl: the page's verdicts at the run's thresholds are those of the run.
    numbers = [round(e.score, 6), round(e.peak, 6), e.regions, round(e.area, 5), round(e.ms, 1)]
    return [name, e.link, e.stem, "", before, e.stamp, *numbers, e.size[1], e.size[0], printable(e.note)]


def _line(data: Any) -> bytes:
    # "<" is escaped, so that no text can end the script element; ASCII only.
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").encode("ascii") + b"\n"


def _head(facts: Mapping[str, Any]) -> bytes:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("zsad.report", "page")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=html).get_template(
        "report.html.j2"
    )
    folder = Path(__file__).with_name("page")
    css = (folder / "report.css").read_text("utf-8")
    parts = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPT)
    # One closure, run when the data that follow it are there.
    script = f'"use strict";\ndocument.addEventListener("DOMContentLoaded", () => {{\n{parts}}});'
    facts = html(dict(facts))
    colours = heat_table().tobytes().hex()
    settings = _line({"heat": colours, "alpha": alpha_table(), "facts": facts}).decode("ascii")
    text = page.render(facts=facts, css=css, script=script, settings=settings)
    return text.encode("utf-8")


_SCRIPT = ("model.js", "marks.js", "summary.js", "pictures.js", "table.js", "viewer.js", "page.js")
"""The script's parts, in their order: each uses what stands before it."""
