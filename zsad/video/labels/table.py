"""Labels of one's own: a table of name, start, end and label, in frames or seconds."""

from __future__ import annotations

from pathlib import Path

from zsad.data.lists import label_of
from zsad.data.text_files import read_csv, text_or_nothing
from zsad.documents import is_number
from zsad.errors import DatasetError
from zsad.metrics.spans import LabelledSpan
from zsad.outside import printable, shown
from zsad.video.labels.label import ANOMALY, Labels, TimedSpan, VideoLabel, joined_spans
from zsad.video.labels.reading import check_span, video_name

COLUMNS = ("name", "start", "end", "label", "frames", "fps", "unit")
UNITS = ("frames", "seconds")
_LONGEST = 1e9


def read_table(path: Path) -> Labels:
    """Read a table of labels.

    A row is a span ``[start, end)`` of a video, or a normal video with neither. ``label`` is its class, or 1, and
    ``normal`` or 0 in a row without a span. Columns ``frames`` (length of the video), ``fps`` and ``unit`` (frames or
    seconds) may follow. Without a unit, the table is in seconds if a start or end has a decimal point, else in frames.

    Args:
        path: the file.

    Raises:
        DatasetError: a column is absent, or a row makes no sense.
    """
    rows = read_csv(path, needed=("name", "start", "end", "label"))
    unknown = sorted(set(rows[0][1]) - set(COLUMNS)) if rows else []
    if unknown:
        raise DatasetError(f"{printable(path)}: unknown column {shown(unknown[0])}; known are {', '.join(COLUMNS)}")
    if not rows:
        raise DatasetError(f"{printable(path)}: no row; give one per span, and one per normal video")
    pointed = next((line for line, row in rows if "." in row["start"] + row["end"]), None)
    default = UNITS[pointed is not None]
    videos: dict[str, list[tuple[str, str, float, float, dict[str, str], str]]] = {}
    for line, row in rows:
        where = f"{printable(path)}:{line}"
        unit = text_or_nothing(row.get("unit")).lower() or default
        if unit not in UNITS:
            raise DatasetError(f"{where}: unit {shown(row['unit'])}; give frames or seconds")
        name = video_name(row["name"], where)
        videos.setdefault(name, []).append((where, unit, *_span(row, where, unit), row, _label(row["label"])))
    why = f", since line {pointed} has a decimal point" if pointed else ""
    note = f"spans are in {default}{why}" if not any(row.get("unit") for _, row in rows) else "units as the table says"
    return Labels(printable(path), "", tuple(_video(name, found) for name, found in videos.items()), notes=(note,))


_Rows = list[tuple[str, str, float, float, dict[str, str], str]]


def _label(text: str) -> str:
    """Return the class of a row, ``""`` for normal."""
    known = label_of(text)
    return "" if known == 0 or not text_or_nothing(text) else ANOMALY if known == 1 else text


def _span(row: dict[str, str], where: str, unit: str) -> tuple[float, float]:
    """Return start and end, (-1, -1) for a row without a span."""
    texts = [text_or_nothing(row[key]) for key in ("start", "end")]
    if texts in (["", ""], ["-1", "-1"]):
        return -1.0, -1.0
    values = []
    for key, text in zip(("start", "end"), texts, strict=True):
        try:
            value = float(text)
        except ValueError:
            raise DatasetError(f"{where}: {key} is {shown(text)}, it must be a number of {unit}") from None
        if unit == "frames" and not value.is_integer():
            raise DatasetError(f"{where}: {key} is {shown(text)}; frames are whole numbers, or set unit to seconds")
        values.append(value)
    if not all(is_number(value, -_LONGEST, _LONGEST) for value in values):
        raise DatasetError(f"{where}: start and end must be finite numbers below {_LONGEST:g}")
    check_span(where, *values)
    return values[0], values[1]


def _video(name: str, rows: _Rows) -> VideoLabel:
    spans: list[tuple[int, int]] = []
    timed: list[TimedSpan] = []
    events: list[LabelledSpan] = []
    for where, unit, start, end, _, label in rows:
        if start < 0:
            if label:
                raise DatasetError(f"{where}: {shown(label)} without start and end; give both, or the label normal")
            continue
        if not label:
            raise DatasetError(f"{where}: a span with the label normal; leave start and end empty for a normal video")
        if unit == "seconds":
            timed.append(TimedSpan(start, end, label))
        else:
            spans.append((int(start), int(end)))
            events.append(LabelledSpan(int(start), int(end), label))
    if spans and timed:
        raise DatasetError(f"{rows[0][0]}: the video {printable(name)} has spans in frames and in seconds; choose one")
    frames, fps = _one(rows, "frames", whole=True), _one(rows, "fps", whole=False)
    last = max((end for _, end in spans), default=0)
    if frames and last > frames:
        raise DatasetError(f"{rows[0][0]}: {printable(name)}: a span ends at {last:,}, past the video's "
                           f"{int(frames):,} frames")  # fmt: skip
    classes = tuple(dict.fromkeys([one.label for one in events] + [one.label for one in timed]))
    return VideoLabel(name, int(frames) or None, joined_spans(spans), classes, bool(classes), tuple(events),
                      timed=tuple(timed), fps=fps)  # fmt: skip


def _one(rows: _Rows, column: str, *, whole: bool) -> float:
    """Return the one value that a video's rows give in a column, 0 for none."""
    texts = {text for *_, row, _ in rows if (text := text_or_nothing(row.get(column)))}
    if not texts:
        return 0.0
    where, text = rows[0][0], sorted(texts)[0]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if len(texts) > 1 or not is_number(value, 1e-6, _LONGEST) or (whole and not value.is_integer()):
        raise DatasetError(f"{where}: {column} is {shown(text)}; it must be one {'whole ' if whole else ''}number "
                           "above 0 for each video")  # fmt: skip
    return value
