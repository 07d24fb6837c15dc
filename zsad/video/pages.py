"""Pages of scored videos: one for each, with its timeline, and one that lists them, highest peak first.

Scores stand in the page, four bytes each; pictures and the video are linked. An hour at 30 frames a second is a page of
about one megabyte.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from zsad import __version__
from zsad.files import write_whole
from zsad.outputs import check_output, is_page
from zsad.outside import html, printable
from zsad.video.live import Rule
from zsad.video.output import KEYS, PAGE, Told
from zsad.video.series import ScoreSeries

if TYPE_CHECKING:
    from zsad.video.run import Done

MOST = 400_000
"""Scores in a page at most; of more, the highest of each few stands for them."""
PLAYED = (".mp4", ".webm", ".mov", ".m4v", ".ogv")
"""Endings of videos that browsers may play."""
THUMBNAILS = 3
EXPLAINED = ("explanation", "conversation")
"""Pages in words that may lie beside a video's own one."""
_HERE = Path(__file__).with_name("page")


def write_page(folder: Path, told: Told, series: ScoreSeries, path: Path, rule: Rule) -> None:
    """Write ``index.html`` of one video.

    Args:
        folder: of the video.
        told: what ``events.json`` says.
        series: the scores.
        path: the video.
        rule: lengths and hysteresis of events; the threshold is that of ``told``.

    Raises:
        OutputError: it can't be written.
    """
    source = _link(path, folder) if path.is_file() else ""
    played = source if path.suffix.lower() in PLAYED else ""
    text = _rendered(
        "video.html.j2",
        script=_script(),
        told=html({key: getattr(told, key) for key in ("name", "path", "score", "hint", "partial", "fault")}),
        rule=rule,
        length=length(told.n_frames, told.seconds),
        method=printable(f"{series.method}{f': {series.model}' if series.model else ''}"),
        refiners=printable(", ".join(series.refiners) or "not"),
        source=source,
        movie=told.video or played,
        explained=[word for word in EXPLAINED if (folder / f"{word}.html").is_file()],
        data=_json(_data(told, series, rule)),
    )
    write_whole(folder / PAGE, text.encode())


def write_index(out: Path, done: Sequence[Done]) -> None:
    """Write the page that lists videos.

    Raises:
        OutputError: it can't be written, or another file is there.
    """
    check_output(out / PAGE, is_page, "choose another --out")
    scored = sorted((one.told for one in done if one.told is not None), key=lambda told: -told.score)
    videos = [html({**_entry(told), "length": length(told.n_frames, told.seconds)}) for told in scored]
    failed = [printable(one.error) for one in done if one.told is None]
    text = _rendered("index.html.j2", videos=videos, failed=failed, hint=any(told.hint for told in scored))
    write_whole(out / PAGE, text.encode())


def length(frames: int, seconds: float) -> str:
    """Return the length of a video in words.

    >>> length(90, 3.6), length(90, 0), length(108000, 3600)
    ('90 frames, 3.6 s', '90 frames', '108,000 frames, 1:00:00')
    """
    if not seconds:
        return f"{frames:,} frames"
    if seconds < 60:
        return f"{frames:,} frames, {seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{frames:,} frames, " + (f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min")


def _entry(told: Told) -> dict[str, Any]:
    best = sorted(told.events, key=lambda event: -_number(event.get("score")))
    pictures = [f"{quote(told.name)}/{KEYS}/{quote(name)}" for event in best if (name := _picture(event))]
    return {
        "name": told.name, "link": f"{quote(told.name)}/{PAGE}", "score": float(told.score), "events": len(told.events),
        "partial": told.partial, "pictures": pictures[:THUMBNAILS],
    }  # fmt: skip


def _data(told: Told, series: ScoreSeries, rule: Rule) -> dict[str, Any]:
    """Return what the page's script works with."""
    values, positions, timestamps = _thinned(series)
    keys = [
        {"file": f"{KEYS}/{quote(name)}", "frame": event["key"], "seconds": event["peak_s"], "score": event["score"],
         "label": printable(event["label"])}
        for event in told.events if (name := _picture(event))
    ]  # fmt: skip
    step = float(timestamps[-1] / (len(timestamps) - 1)) if len(timestamps) > 1 else 0.0
    even = np.allclose(timestamps, step * np.arange(len(timestamps)), atol=5e-4)
    stride = int(positions[1] - positions[0]) if len(positions) > 1 else 1
    regular = np.array_equal(positions, stride * np.arange(len(positions)))
    return {
        "values": _packed(values, "<f4"), "step": step, "stride": stride, "seconds": round(told.seconds, 3),
        "times": None if even else _packed(np.rint(timestamps * 1000), "<u4"),
        "frames": None if regular else _packed(positions, "<u4"),
        "n_frames": series.n_frames, "threshold": told.threshold, "low": rule.low, "gap": rule.gap,
        "min_frames": rule.min_frames, "keys": keys,
    }  # fmt: skip


def _thinned(series: ScoreSeries) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    each = -(-len(series) // MOST) if len(series) else 1
    starts = np.arange(0, len(series), each)
    values = np.maximum.reduceat(series.values, starts) if len(starts) else series.values
    return values, series.positions[starts], series.timestamps[starts]


def _packed(values: npt.NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode("ascii")


def _picture(event: Mapping[str, Any]) -> str:
    name = event.get("picture")
    return name if isinstance(name, str) and "/" not in name and "\\" not in name else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _link(path: Path, folder: Path) -> str:
    try:
        return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
    except ValueError:  # on another drive
        return ""


def _json(data: Mapping[str, Any]) -> str:
    # "<" is escaped, so that no text can end the script element; ASCII only.
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _script() -> str:
    text = (_HERE / "video.js").read_text("utf-8")
    return f'"use strict";\ndocument.addEventListener("DOMContentLoaded", () => {{\n{text}}});'


def _rendered(name: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    import zsad.report

    style = Path(zsad.report.__file__).with_name("page") / "report.css"
    css = style.read_text("utf-8") + (_HERE / "video.css").read_text("utf-8")
    loader = PackageLoader("zsad.video", "page")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=html)
    return pages.get_template(name).render(version=__version__, css=css, **values)
