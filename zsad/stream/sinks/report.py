"""Between a run and its report: rows become entries, cards are made only for images that need one."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import zsad
from zsad.detector.base import Detector
from zsad.errors import InputError
from zsad.report.choice import Choice
from zsad.report.exhibits import Card, make_card
from zsad.report.html import Entry, Report
from zsad.stream.sinks.names import link
from zsad.stream.sinks.pictures import output_errors
from zsad.stream.sinks.rows import Row
from zsad.types import Result

PAGE = "report.html"


class Reporter:
    """Feeds ``report.html`` of one run.

    Args:
        folder: the output folder.
        detector: whose model and thresholds the page states.
        title: heading of the page.
        total: how many inputs there are.
    """

    def __init__(self, folder: Path, detector: Detector, title: str, total: int) -> None:
        self._folder, self._detector = folder, detector
        self._expected: set[str] = set()
        with output_errors(folder / PAGE):
            self._report = Report(folder / PAGE, _facts(detector, title), total)

    def card(self, image: Image.Image, result: Result, row: Row) -> Card | None:
        """Make the card of an image if it needs one; called from writer threads."""
        return make_card(image, result.map) if self._report.wants(self._link(row.file), row.score) else None

    def expect(self, scores: Iterable[tuple[str, float]]) -> None:
        """Choose which images of an earlier run get a card; all their files and scores are known at once."""
        choice: Choice[str] = Choice()
        for index, (file, score) in enumerate(scores):
            choice.add(index, self._link(file), score, file)
        self._expected = {file for _, file in choice.highest() + choice.random()}

    def card_from_files(self, row: Row) -> Card | None:
        """Make the card of an image of an earlier run, if it is among those, from its file and its heatmap."""
        if "heatmap" not in row.files or row.file not in self._expected:
            return None
        try:
            image = self._detector.decode(row.file).image
            with Image.open(self._folder / row.files["heatmap"]) as heat:
                values = np.asarray(heat, dtype=np.uint8)  # palette indices are the map
        except (OSError, InputError, ValueError):
            return None
        return make_card(image, values) if values.shape == (image.height, image.width) else None

    def add(self, label: str, row: Row, card: Card | None) -> None:
        """Append an image."""
        url = self._link(row.file)
        label = label.replace(os.sep, "/")
        if row.error:
            self._add(Entry(label, url, error=row.error.removeprefix(f"{row.file}: ")))
            return
        entry = Entry(
            name=label,
            link=url,
            stem=Path(row.files["overlay"]).stem if "overlay" in row.files else "",
            score=row.score,
            peak=row.peak,
            anomalous=row.anomalous,
            regions=row.region_count,
            area=row.area,
            size=(row.height, row.width),
            ms=row.ms,
            note="; ".join(row.notes),
        )
        self._add(entry, card)

    def close(self, finished: bool) -> None:
        """Write the end of the page."""
        with output_errors(self._folder / PAGE):
            self._report.close(finished)

    def _link(self, file: str) -> str:
        return link(file, self._folder)

    def _add(self, entry: Entry, card: Card | None = None) -> None:
        with output_errors(self._folder / PAGE):
            self._report.add(entry, card)


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
        "calibrated": thresholds.calibrated,
        "version": zsad.__version__,
        "system": f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        "started": time.strftime("%Y-%m-%d %H:%M"),
    }
