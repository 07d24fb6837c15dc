"""The page of an explanation or a conversation: what was sent, what was answered, and what of it holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zsad import __version__
from zsad.files import write_whole
from zsad.language.explain.marked import in_words, paragraphs, value_in_words
from zsad.outputs import is_page
from zsad.outside import html
from zsad.video.series import ScoreSeries

_HERE = Path(__file__).with_name("page")
_VIDEO_PAGE = "index.html"
_COLUMNS, _HEIGHT, _WIDTH = 600, 100.0, 1000.0


def write_explanation_page(
    path: Path, data: Mapping[str, Any], pictures: Mapping[str, bytes], series: ScoreSeries | None = None
) -> None:
    """Write the page of a document; the video's own page beside it gets a link to it.

    Args:
        path: of the page.
        data: the document.
        pictures: JPEG files by their SHA-256.
        series: scores of the video, for its time line.

    Raises:
        OutputError: it can't be written.
    """
    video_page = path.with_name(_VIDEO_PAGE)
    linked = video_page.is_file() and is_page(video_page)
    files = {sha: f"data:image/jpeg;base64,{base64.b64encode(one).decode()}" for sha, one in pictures.items()}
    text = _rendered(
        data=data, sources=files, answers=[_answer(row) for row in data["answers"]], timeline=_timeline(data, series),
        frames=data.get("frames") or (), seen=data.get("pictures") or (), back=_VIDEO_PAGE if linked else "",
        ratio=_ratio(data), conversation="conversation" in data["kind"], summary=data["summary"],
    )  # fmt: skip
    write_whole(path, text.encode())
    if linked:
        link_to(video_page, path.name)


def _ratio(data: Mapping[str, Any]) -> str:
    """Return width by height of frames for a style sheet, or ``""``; motion frames are sent as squares."""
    sides = [(data.get("video") or {}).get(name) for name in ("width", "height")]
    return " / ".join(map(str, sides)) if all(isinstance(side, int) and side > 0 for side in sides) else ""


def link_to(video_page: Path, name: str) -> None:
    """Put a link to an explanation or a conversation onto the page of its video, once."""
    word = Path(name).stem
    text = video_page.read_text("utf-8")
    link, nav = f'<a href="{name}">{word}</a>', '<nav class="tools">'
    if link not in text and nav in text:
        write_whole(video_page, text.replace(nav, f"{nav}{link}", 1).encode())


def _answer(row: Mapping[str, Any]) -> dict[str, Any]:
    claims = [
        {"verdict": one["verdict"], "kind": one["kind"], "said": in_words(one), "evidence": one["evidence"]}
        for one in row["claims"]
    ]
    return {
        "title": row["title"], "task": row["task"], "lines": paragraphs(row["answer"], row["claims"]),
        "value": value_in_words(row["value"]), "unread": row["value"] is None, "reason": row["reason"],
        "claims": claims, "asked": row["question"].split("\n"), "prompts": row["prompts"],
    }  # fmt: skip


def _timeline(data: Mapping[str, Any], series: ScoreSeries | None) -> dict[str, Any] | None:
    """Return what is drawn of a video's scores, in a space of 1000 by 100, or None where nothing is known."""
    found = data.get("found") or {}
    seconds = found.get("duration_s")
    if not seconds or "video" not in data:
        return None

    def x(time: float) -> float:
        return round(float(min(max(time / seconds, 0.0), 1.0)) * _WIDTH, 1)

    drawn: dict[str, Any] = {
        "events": [(x(one["start_s"]), max(2.0, round(x(one["end_s"]) - x(one["start_s"]), 1)))
                   for one in found.get("events") or ()],
        "frames": [x(float(one["timestamp"])) for one in data["frames"]],
        "marks": [(round(seconds * k / 4, 1), 25 * k) for k in range(5)], "line": "", "threshold": None,
    }  # fmt: skip
    if series is None or not len(series):
        return drawn
    threshold = float(data["scores"]["threshold"]) if data.get("scores") else 0.0
    high = max(float(series.values.max()), threshold, 1e-9)
    low = min(float(series.values.min()), 0.0)

    def y(value: float) -> float:
        return round(_HEIGHT - (value - low) / (high - low) * (_HEIGHT - 6), 1)

    frames = series.to_frames()
    each = -(-len(frames) // _COLUMNS)
    starts = np.arange(0, len(frames), each)
    tops = np.maximum.reduceat(frames, starts)
    points = [f"{round(start / len(frames) * _WIDTH, 1)},{y(float(top))}"
              for start, top in zip(starts, tops, strict=True)]  # fmt: skip
    drawn["line"] = " ".join([f"0,{_HEIGHT}", *points, f"{_WIDTH},{y(float(tops[-1]))}", f"{_WIDTH},{_HEIGHT}"])
    drawn["threshold"] = y(threshold) if threshold else None
    return drawn


def _rendered(**values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    import zsad.report

    style = Path(zsad.report.__file__).with_name("page") / "report.css"
    css = style.read_text("utf-8") + (_HERE / "explanation.css").read_text("utf-8")
    loader = PackageLoader("zsad.language.explain", "page")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=html, trim_blocks=True,
                        lstrip_blocks=True)  # fmt: skip
    return pages.get_template("explanation.html.j2").render(version=__version__, css=css, **values)
