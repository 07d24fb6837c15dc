"""Point supervision: one clicked frame per event, grown to a mask by what the model scores around it.

Source: Holmes-VAD (arXiv 2406.12235), section 4.2: scores above 0.9 of the click's, smoothed by a Gaussian of ratio
0.1, which we read as a tenth of the event's length; not beyond half-way to the next click.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsad.data.text_files import read_text
from zsad.errors import DatasetError
from zsad.outside import printable, shown
from zsad.video.learned.stored import forms_of, without_crop
from zsad.video.sampling import bin_edges
from zsad.video.weak.data import Sample

SHARE, RATIO = 0.9, 0.1


def read_clicks(path: str | Path) -> dict[str, list[int]]:
    """Read a CSV with a header ``video,frame``: name of a video -> its clicked frames, ascending.

    Raises:
        DatasetError: it can't be read, or a row is none.
    """
    where, found = printable(path), dict[str, list[int]]()
    for number, row in enumerate(csv.reader(StringIO(read_text(Path(path)))), start=1):
        if not row or (number == 1 and [field.strip().lower() for field in row] == ["video", "frame"]):
            continue
        if len(row) != 2 or not row[1].strip().isdecimal():
            raise DatasetError(f"{where}: line {number} is not `video,frame`")
        found.setdefault(row[0].strip(), []).append(int(row[1]))
    return {name: sorted(set(frames)) for name, frames in found.items()}


def clicked_rows(path: str | Path, samples: Sequence[Sample], every: int) -> dict[str, list[int]]:
    """Return the clicked rows of the videos, by their names.

    Args:
        path: see :func:`read_clicks`; names may be those of the videos or of their features.
        samples: arrays of the videos.
        every: frames from one row to the next.

    Raises:
        DatasetError: a row is none, or names a video that is not there or is normal, or a frame that is not in it.
    """
    where, found, there = printable(path), dict[str, list[int]](), {sample.name: sample for sample in samples}
    for name, frames in read_clicks(path).items():
        known = next((form for form in (*forms_of(name), *forms_of(without_crop(name))) if form in there), None)
        if known is None:
            raise DatasetError(f"{where}: {shown(name)} is none of the training videos")
        if not there[known].classes:
            raise DatasetError(f"{where}: {shown(name)} is clicked, but listed as normal; label it, or leave it out")
        rows = there[known].rows
        if frames[-1] >= rows * every:
            said = f"frame {frames[-1]} of {shown(name)}, which has {rows} rows of {every} frames"
            raise DatasetError(f"{where}: {said}; click on a frame inside of it")
        found[known] = sorted({*found.get(known, ()), *(frame // every for frame in frames)})
    return found


def brought(places: Sequence[int], rows: int, count: int) -> list[int]:
    """Return where clicked rows are in a video that was brought to another length, each once, ascending.

    A bin is taken where the row is in it; of the bins that repeat one row, the last.

    Args:
        places: clicked rows of the video as it was, 0 to ``rows - 1``.
        rows: its rows then.
        count: its rows now, as :func:`zsad.video.sampling.bin_means` makes them; the same where it was only padded.

    >>> brought([1], 300, 256), brought([40], 50, 200), brought([7], 9, 9)
    ([1], [163], [7])
    """
    begins = bin_edges(rows, count)[:-1]
    return sorted({int(place) for place in np.searchsorted(begins, np.minimum(places, rows - 1), side="right") - 1})


def click_mask(scores: NDArray[np.floating], clicks: Sequence[int]) -> NDArray[np.float64]:
    """Return how much each snippet counts as anomalous, ``(T,)`` in [0, 1].

    Args:
        scores: ``(T,)``, not below 0.
        clicks: rows that were clicked, ascending, within the video.
    """
    from scipy.ndimage import gaussian_filter1d

    mask = np.zeros(len(scores))
    for index, click in enumerate(clicks):
        low = (clicks[index - 1] + click) // 2 + 1 if index else 0
        high = (click + clicks[index + 1]) // 2 if index + 1 < len(clicks) else len(scores) - 1
        least, start, end = SHARE * scores[click], click, click
        while start > low and scores[start - 1] > least:
            start -= 1
        while end < high and scores[end + 1] > least:
            end += 1
        run = np.zeros(len(scores))
        run[start : end + 1] = 1
        mask = np.maximum(mask, gaussian_filter1d(run, RATIO * (end + 1 - start), mode="nearest"))
    return mask
