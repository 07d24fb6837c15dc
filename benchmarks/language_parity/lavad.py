"""LAVAD's numbers: windows, cleaning, summaries, scores, refinement, frames, labels and areas."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from benchmarks.language_parity.fixtures import Checks, Fixtures, close, same
from zsad.language import labels, parse, retrieval, windows
from zsad.metrics.curves import average_precision, image_auroc

_PUBLISHED = re.compile(r"\[(\d+(?:\.\d+)?)\]")


def checks(files: Fixtures) -> Checks:
    data = files.json("lavad")
    yield from _cases(data)
    for name in data["videos"]:
        yield from _video(files, name, data)
    yield from _areas(files, data)


def _cases(data: dict[str, Any]) -> Checks:
    rows = data["windows"]
    found = [windows.window(r["centre"], r["n_frames"], windows.lavad_half(r["fps"], r["duration"])) for r in rows]
    yield same("lavad", "windows", found, [(r["start"], r["end"]) for r in rows])
    spread = [windows.spread(*span, r["samples"]) for span, r in zip(found, rows, strict=True)]
    yield same("lavad", "frames of windows", spread, [r["frames"] for r in rows])
    short = data["short_window_quirk"]
    half = windows.lavad_half(short["fps"], short["duration"])
    middle = windows.centres(short["n_frames"], data["config"]["interval"])
    each = [windows.spread(*windows.window(int(c), short["n_frames"], half), data["config"]["N"]) for c in middle]
    yield same("lavad", "short windows", each[0], short["frames"][: len(each[0])])
    owners = [int(c) for c, frames in zip(middle, each, strict=True) for _ in frames]
    yield same("lavad", "window of each frame", owners, short["right_window_of_each_frame"])
    rows = data["interpolation"]
    filled = [_filled(row) for row in rows]
    right = [row["right"] if isinstance(row["right"], list) else None for row in rows]
    yield same("lavad", "videos without a value", [one is None for one in filled], [one is None for one in right])
    yield close("lavad", "interpolation", np.concatenate([one for one in filled if one is not None]),
                np.concatenate([one for one in right if one is not None]))  # fmt: skip
    hand = data["hand_case"]
    yield close("lavad", "hand case", retrieval.softmax_mean(hand["similarities"], hand["scores"]), hand["refined"])
    names = data["name_quirk"]
    keys = [labels.video_key(r["annotation_name"]) for r in names]
    yield same("lavad", "keys of videos", keys, [r["right_key"] for r in names])
    rows = data["label_cases"]
    yield same("lavad", "label cases", [_labels(row) for row in rows], [row["frame_labels"] for row in rows])


def _filled(row: dict[str, Any]) -> Any:
    values = np.array([np.nan if value == -1 else value for value in row["parsed"]], np.float64)
    places = row.get("frames", np.arange(len(values)))
    return None if np.isnan(values).all() else windows.filled(places, values)


def _labels(row: dict[str, Any]) -> list[int]:
    ends, classes = row["annotation"], [int(part) for part in row["labels"].split(",")]
    spans = list(zip(ends[::2], ends[1::2], strict=True))
    found = labels.frame_labels(spans, classes, row["n_frames"], inclusive=True, first=row.get("start_frame", 0))
    return [int(label) for label in found]


def _video(files: Fixtures, name: str, data: dict[str, Any]) -> Checks:
    told, arrays, config = data["videos"][name], files.part("lavad", name), data["config"]
    where = "lavad"
    middle = windows.centres(told["n_frames"], config["interval"])
    yield same(where, f"{name}: centres", middle, arrays["centres"])
    half = windows.lavad_half(told["fps"], config["T"])
    spans = [windows.window(int(centre), told["n_frames"], half) for centre in middle]
    ends = zip(arrays["win_start"], arrays["win_end"], strict=True)
    yield same(where, f"{name}: windows", spans, [(int(a), int(b)) for a, b in ends])
    sampled = [windows.spread(*span, config["N"]) for span in spans]
    yield same(where, f"{name}: sampled", sampled, [[int(f) for f in row if f >= 0] for row in arrays["sampled"]])
    row_of = {int(frame): i for i, frame in enumerate(arrays["frame_ids"])}
    frames = [arrays["frame_emb"][[row_of[frame] for frame in each]] for each in sampled]
    cleaned = [retrieval.nearest_caption(each, arrays["caption_emb"]) for each in frames]
    wanted = [[int(c) for c in row if c >= 0] for row in arrays["cleaned_caption_id"]]
    yield same(where, f"{name}: cleaned captions", cleaned, wanted)
    texts = told["caption_texts"]
    used = sorted({index for by_frame in told["captions"].values() for index in by_frame.values()})
    yield same(where, f"{name}: caption index", sorted({texts[i] for i in used}), sorted(texts))
    lines = "\n ".join(texts[i] for i in cleaned[0])
    yield same(where, f"{name}: slot of the first summary", [lines], [told["summary_user_text_first_centre"]])
    summaries = [parse.last_line(reply).value or "" for reply in told["summary_replies"]]
    yield same(where, f"{name}: summaries", summaries, told["summaries"])
    yield same(where, f"{name}: slot of the first score", [f"{summaries[0]}."], [told["score_user_text_first_centre"]])
    yield same(where, f"{name}: unique summaries", sorted(set(summaries)), told["summary_texts"])
    yield from _scores(name, told, arrays, config)


def _scores(name: str, told: dict[str, Any], arrays: dict[str, Any], config: dict[str, Any]) -> Checks:
    where, replies = "lavad", told["score_replies"]
    right = [parse.bracket_score(reply).value for reply in replies]
    parsed = np.array([np.nan if value is None else value for value in right])
    yield close(where, f"{name}: parsed", parsed, arrays["parsed_right"])
    published = [_PUBLISHED.search(reply) for reply in replies]
    theirs = np.array([-1.0 if found is None else float(found[1]) for found in published])
    yield close(where, f"{name}: parsed as published", theirs, arrays["parsed"])
    for suffix, values in (("_right", parsed), ("", np.where(theirs == -1, np.nan, theirs))):
        yield from _refined(name, suffix, values, told, arrays, config)


def _refined(
    name: str, suffix: str, parsed: Any, told: dict[str, Any], arrays: dict[str, Any], config: dict[str, Any]
) -> Checks:
    where, middle = "lavad", arrays["centres"]
    scores = windows.filled(middle, parsed)
    yield close(where, f"{name}: interpolated{suffix}", scores, arrays[f"interpolated{suffix}"])
    order, first = _index(told)
    vectors = retrieval.unit(arrays["summary_emb"])[order]
    cosines = retrieval.unit(arrays["clip_emb"]) @ vectors.T
    found = retrieval.refined_by(cosines, first, scores, config["K"])
    yield close(where, f"{name}: refined{suffix}", found, arrays[f"refined_centre{suffix}"])
    frames = windows.held(found, told["n_frames"], config["interval"])
    yield close(where, f"{name}: frames{suffix}", frames, arrays[f"frame_score{suffix}"])
    if suffix:
        return
    columns, values = retrieval.neighbours(cosines, config["K"])
    theirs = arrays["nn_centre"]
    there = theirs[0] >= 0
    yield same(where, f"{name}: neighbours", np.sort(middle[first[columns]]), np.sort(theirs[:, there]))
    yield close(where, f"{name}: similarities", values, arrays["nn_similarity"][:, there])


def _index(told: dict[str, Any]) -> tuple[list[int], Any]:
    """Return rows of the summaries' embeddings in the order of the video, and the window that each stands for."""
    texts, first = retrieval.distinct(told["summaries"])
    return [told["summary_texts"].index(text) for text in texts], first


def _areas(files: Fixtures, data: dict[str, Any]) -> Checks:
    scores: dict[str, list[Any]] = {"frame_score": [], "frame_score_right": []}
    closed: list[Any] = []
    half_open: list[Any] = []
    for name, told in data["videos"].items():
        arrays = files.part("lavad", name)
        ends = [int(part) for line in told["annotation_lines"] for part in line.split()[2:]]
        spans = list(zip(ends[::2], ends[1::2], strict=True))
        for inclusive, into in ((True, closed), (False, half_open)):
            line_of = labels.frame_labels(spans, told["labels"], told["n_frames"], inclusive=inclusive)
            into.append(line_of != data["config"]["normal_label"])
        for key, into_scores in scores.items():
            into_scores.append(arrays[key])
    for label, truth, key, wanted in (
        ("published", closed, "frame_score", data["eval"]),
        ("half-open", half_open, "frame_score", data["eval"]["half_open"]),
        ("right", half_open, "frame_score_right", data["eval_right"]),
    ):
        labelled, values = np.concatenate(truth), np.concatenate(scores[key])
        yield close("lavad", f"ROC AUC, {label}", image_auroc(labelled, values).value, wanted["roc_auc"])
        found = average_precision(labelled, values).value
        yield close("lavad", f"average precision, {label}", found, wanted["average_precision"])
        if "pr_auc" in wanted:
            yield close("lavad", f"area under the PR curve, {label}", trapezoid(labelled, values), wanted["pr_auc"])


def trapezoid(labelled: Any, values: Any) -> float:
    """Return the area under the PR curve by trapezoids, as LAVAD and VERA call average precision."""
    from zsad.metrics.curves import rank_labels
    from zsad.metrics.frames import trapezoid as area

    return float(area(rank_labels(labelled, values)).value)
