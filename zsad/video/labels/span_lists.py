"""Test sets whose labels are lists of spans: UCF-Crime in its two versions, XD-Violence, TAD."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from zsad.errors import DatasetError
from zsad.metrics.spans import LabelledSpan
from zsad.outside import printable, shown
from zsad.video.labels.label import Labels, VideoLabel, cut, joined_spans
from zsad.video.labels.reading import Source, match, pairs, unique, video_name, whole

START_GT_0 = "start-gt-0"
"""The usual wrong rule of TAD: an interval that starts at frame 0 is taken for a normal video's."""
UCF_OFFICIAL = "VadCLIP/list/Temporal_Anomaly_Annotation.txt"
UCF_LIST, UCF_JSON = "UMIL/UCF_test.txt", "VAD-LLaMA/UCF_Eval.json"
TAD_LIST, TAD_JSON = "UMIL/TAD_test.txt", "VAD-LLaMA/TAD_Eval.json"
XD_SPANS, XD_CLASSES = "VadCLIP/list/annotations.txt", "VadCLIP/list/annotations_multiclasses.txt"
XD_LENGTHS = "VERA/xd_test_800.json"
XD_CODES = {"B1": "fighting", "B2": "shooting", "B4": "riot", "B5": "abuse", "B6": "car accident", "G": "explosion"}
SNIPPET = 16


@dataclass(frozen=True)
class _Row:
    """One line of a list of UMIL's form, or one record of VAD-LLaMA's."""

    frames: int
    label: str
    numbers: tuple[int, ...]
    abnormal: bool


def ucf_official(source: Source, compat: Collection[str] = ()) -> Labels:
    """UCF-Crime as its authors labelled it; lengths are of UMIL's list, or VAD-LLaMA's."""
    path, rows = source.lines(UCF_OFFICIAL)
    lengths = _rows(source, UCF_LIST, UCF_JSON)
    videos = []
    for line, words in rows:
        where = f"{printable(path)}:{line}"
        if len(words) < 4:
            raise DatasetError(f"{where}: must be name, class, start, end and further spans")
        videos.append((video_name(words[0], where), words[1], pairs(whole(words[2:], where), where), where))
    names = [name for name, *_ in videos]
    unique(names, path)
    match(names, lengths, lambda name, n: f"{printable(path)}: annotates {name}, a video whose length is not known "
          f"({n} such); the list of lengths is of another set")  # fmt: skip
    match(lengths, names, lambda name, n: f"{printable(path)}: has no line for {name}, which is in the test set "
          f"({n} such)")  # fmt: skip
    return Labels("ucf-crime", "official", tuple(
        _video(source, where, name, lengths[name].frames, "" if label == "Normal" else label, spans)
        for name, label, spans, where in videos
    ))  # fmt: skip


def ucf_revised(source: Source, compat: Collection[str] = ()) -> Labels:
    """UCF-Crime with the other labels that are in circulation (UMIL, VAD-LLaMA, VERA): 14 videos differ."""
    rows = _rows(source, UCF_LIST, UCF_JSON)
    return Labels("ucf-crime", "revised", tuple(
        _video(source, name, name, row.frames, row.label if row.abnormal else "",
               pairs(row.numbers, name) if row.abnormal else [])
        for name, row in rows.items()
    ))  # fmt: skip


def tad(source: Source, compat: Collection[str] = ()) -> Labels:
    """TAD; with ``start-gt-0`` as UMIL and VAD-LLaMA count it, which lose 45 % of the anomalous frames."""
    videos = []
    for name, row in _rows(source, TAD_LIST, TAD_JSON).items():
        spans = pairs(row.numbers, name) if row.abnormal else []
        if START_GT_0 in compat:
            spans = [(start, end) for start, end in spans if start > 0]
        label = name.split("_")[1] if row.abnormal and name.count("_") > 1 else "anomaly"
        videos.append(_video(source, name, name, row.frames, label if spans else "", spans))
    if START_GT_0 in compat:
        source.notes.append(
            f"compat {START_GT_0}: videos whose anomaly starts at frame 0 count as normal, which is wrong"
        )
    return Labels("tad", "", tuple(videos))


def xd_violence(source: Source, compat: Collection[str] = ()) -> Labels:
    """XD-Violence: each video cut to ``(n - 1) // 16 * 16`` frames, as the field does."""
    path, records = source.records(XD_LENGTHS)
    lengths: dict[str, int] = {}
    for record in records:
        name = video_name(str(record.get("video", "")), path)
        if name in lengths:
            raise DatasetError(f"{printable(path)}: the video {printable(name)} is listed twice")
        lengths[name] = _frames(record.get("length"), f"{printable(path)}: {printable(name)}")
    spans = _annotations(source, lengths)
    events = _class_spans(source) if source.has(XD_CLASSES) else {}
    videos, raw = [], [0, 0]
    for name, frames in lengths.items():
        found = joined_spans(source.cut_spans(printable(name), spans.get(name, []), frames))
        codes = [code for code in name.rsplit("_label_", 1)[-1].split("-") if code in XD_CODES] if found else []
        labelled = events.get(name) or [LabelledSpan(s, e, XD_CODES[codes[0]]) for s, e in found if codes]
        classes = tuple(dict.fromkeys([one.label for one in labelled] or ["violence"] * bool(found)))
        whole_video = VideoLabel(name, frames, found, classes, bool(found), tuple(labelled))
        raw = [raw[0] + frames, raw[1] + sum(end - start for start, end in found)]
        videos.append(cut(whole_video, (frames - 1) // SNIPPET * SNIPPET))
    source.notes.append("each video is cut to (n - 1) // 16 * 16 frames, as the field does")
    aliases = {code.lower(): name for code, name in XD_CODES.items()} | {"a": "normal"}
    return Labels("xd-violence", "", tuple(videos), aliases=aliases, raw=(raw[0], raw[1]))


def _annotations(source: Source, lengths: Mapping[str, int]) -> dict[str, list[tuple[int, int]]]:
    path, rows = source.lines(XD_SPANS)
    found: dict[str, list[tuple[int, int]]] = {}
    for line, words in rows:
        where = f"{printable(path)}:{line}"
        name = video_name(words[0], where)  # 14 of the published keys end in .mp4
        if name in found:
            raise DatasetError(f"{where}: the video {printable(name)} is annotated twice")
        found[name] = pairs(whole(words[1:], where), where)
    match(found, lengths, lambda name, n: f"{printable(path)}: annotates {name}, a video that {XD_LENGTHS} does not "
          f"have ({n} such)")  # fmt: skip
    return found


def _class_spans(source: Source) -> dict[str, list[LabelledSpan]]:
    path, rows = source.lines(XD_CLASSES)
    found: dict[str, list[LabelledSpan]] = {}
    for line, words in rows:
        where = f"{printable(path)}:{line}"
        name, rest = video_name(words[0], where), words[1:]
        if len(rest) % 3:
            raise DatasetError(f"{where}: must be a name and triples of class, start and end")
        for code, start, end in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            if code not in XD_CODES:
                raise DatasetError(f"{where}: {shown(code)} is no class; known: {', '.join(XD_CODES)}")
            first, last = whole([start, end], where)
            found.setdefault(name, []).append(LabelledSpan(first, last, XD_CODES[code]))
    return found


def _rows(source: Source, text: str, records: str) -> dict[str, _Row]:
    """Read UMIL's list (path, frames, class id, spans), or VAD-LLaMA's records where that list is not there."""
    if not source.has(text) and source.has(records):
        return _from_records(source, records)
    path, rows = source.lines(text, records)
    found: dict[str, _Row] = {}
    for line, words in rows:
        where = f"{printable(path)}:{line}"
        if len(words) < 5:
            raise DatasetError(f"{where}: must be path, frames, class, start, end and further spans")
        name = video_name(words[0], where)
        if name in found:
            raise DatasetError(f"{where}: the video {printable(name)} is listed twice")
        frames, kind, *numbers = whole(words[1:], where)
        found[name] = _Row(_frames(frames, where), _folder(words[0]), tuple(numbers), kind != 0)
    return found


def _from_records(source: Source, records: str) -> dict[str, _Row]:
    path, rows = source.records(records)
    found: dict[str, _Row] = {}
    for record in rows:
        where = f"{printable(path)}: {shown(record.get('video'))}"
        place, spans = str(record.get("video", "")), record.get("temporal_label")
        if not isinstance(spans, list):
            raise DatasetError(f"{where}: temporal_label must be a list of numbers")
        label = _folder(place)
        frames = _frames(record.get("length"), where)
        found[video_name(place, path)] = _Row(frames, label, tuple(whole(spans, where)), label.lower() != "normal")
    unique([str(one.get("video")) for one in rows], path)
    return found


def _folder(place: str) -> str:
    parts = place.replace("\\", "/").split("/")
    return parts[-2] if len(parts) > 1 else ""


def _frames(value: object, where: str) -> int:
    (frames,) = whole([value], where)
    if frames < 1:
        raise DatasetError(f"{where}: a video of {frames} frames; it must have at least 1")
    return frames


def _video(source: Source, where: str, name: str, frames: int, label: str, spans: list[tuple[int, int]]) -> VideoLabel:
    if not label:
        if spans:
            raise DatasetError(f"{where}: the normal video {printable(name)} has anomalous spans")
        return VideoLabel(name, frames)
    within = source.cut_spans(f"{where}: {printable(name)}" if where != name else printable(name), spans, frames)
    events = tuple(LabelledSpan(start, end, label) for start, end in within)
    return VideoLabel(name, frames, joined_spans(within), (label,), True, events)
