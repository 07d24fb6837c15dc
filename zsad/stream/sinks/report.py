"""The report of a run: rows become entries, exhibits are made only for images that need one."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import zsad
from zsad.detector.base import Detector
from zsad.files import output_errors
from zsad.outputs import check_output, is_page
from zsad.report.choice import Choice
from zsad.report.exhibits import Exhibit, make_exhibit
from zsad.report.html import Entry, Report
from zsad.stream.item import Item
from zsad.stream.names import link
from zsad.stream.sinks.rows import Row
from zsad.stream.sinks.sink import Earlier, Finished, Job, Sink

PAGE = "report.html"


class ReportPage(Sink):
    """Writes ``report.html`` of one run, and shows the pictures of the same folder.

    Args:
        folder: the output folder.
        title: heading of the page.
    """

    def __init__(self, folder: Path, title: str = "Inspection") -> None:
        self._folder, self._title = folder, title
        self._shown: set[str] = set()
        self._report: Report | None = None

    def check(self, items: Sequence[Item]) -> None:
        """Refuse a page that zsad did not write."""
        check_output(self._folder / PAGE, is_page, "choose another --out, or --no-report")

    def open(self, job: Job) -> None:
        """Make the folder."""
        self._job = job
        with output_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)

    def start(self, done: Sequence[Item], earlier: Earlier | None) -> None:
        """Begin the page; choose which images of an earlier run get an exhibit, since their scores are known."""
        with output_errors(self._folder / PAGE):
            self._report = Report(self._folder / PAGE, _facts(self._job.detector, self._title), self._job.total)
        choice: Choice[str] = Choice()
        for index, item in enumerate(done if earlier else ()):
            assert earlier is not None
            choice.add(index, self._link(item.id), earlier.scores[item.id], item.id)
        self._shown = {file for _, file in choice.highest() + choice.random()}

    def skip(self, item: Item, row: Row) -> None:
        """Append an image of an earlier run."""
        self._add(item, row, self._from_files(item, row))

    def prepare(self, finished: Finished) -> tuple[Row, object]:
        """Make the exhibit of an image if it needs one."""
        row, report = finished.row, self._report
        if finished.image is None or finished.result is None or report is None:
            return row, None
        wanted = report.wants(self._link(row.file), row.score)
        return row, make_exhibit(finished.image.image, finished.result.counted) if wanted else None

    def take(self, item: Item, row: Row, prepared: object) -> None:
        """Append an image."""
        self._add(item, row, prepared if isinstance(prepared, Exhibit) else None)

    def close(self, finished: bool) -> None:
        """Write the end of the page."""
        if self._report:
            with output_errors(self._folder / PAGE):
                self._report.close(finished)

    def _from_files(self, item: Item, row: Row) -> Exhibit | None:
        """Make the exhibit of an image of an earlier run, if it is among those, from its file and its heatmap."""
        if "heatmap" not in row.files or row.file not in self._shown:
            return None
        try:
            image = self._job.detector.decode(item.open()).image
            with Image.open(self._folder / row.files["heatmap"]) as heat:
                values = np.asarray(heat, dtype=np.uint8)  # palette indices are the map
            return make_exhibit(image, values) if values.shape == (image.height, image.width) else None
        except Exception:  # not readable any more, or not in this memory: its row has no picture
            return None

    def _add(self, item: Item, row: Row, exhibit: Exhibit | None) -> None:
        assert self._report is not None, "start() comes first"
        with output_errors(self._folder / PAGE):
            self._report.add(self._entry(item, row), exhibit)

    def _entry(self, item: Item, row: Row) -> Entry:
        url, label = self._link(row.file), item.label.replace(os.sep, "/")
        if row.error:
            return Entry(label, url, path=row.file, stamp=row.stamp, error=row.error.removeprefix(f"{row.file}: "))
        return Entry(
            name=label,
            link=url,
            stem=Path(row.files["overlay"]).stem if "overlay" in row.files else "",
            path=row.file,
            stamp=row.stamp,
            score=row.score,
            peak=row.peak,
            regions=row.region_count,
            area=row.area,
            size=(row.height, row.width),
            ms=row.ms,
            note="; ".join(row.notes),
        )

    def _link(self, file: str) -> str:
        return link(file, self._folder)


def _facts(detector: Detector, title: str) -> dict[str, Any]:
    card, thresholds = detector.card, detector.thresholds
    return {
        "title": title,
        "model": card.provenance.name or card.provenance.backbone,
        "prompt": card.scoring.prompt,
        "description": card.provenance.description,
        "image": thresholds.image,
        "pixel": thresholds.pixel,
        "min_area": thresholds.min_area,
        "rule": thresholds.rule or "either",
        "source": thresholds.source or "",
        "judges": thresholds.judges,
        "outline": min(1.0, card.scoring.pixel_threshold),
        "version": zsad.__version__,
        "system": f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        "started": time.strftime("%Y-%m-%d %H:%M"),
    }
