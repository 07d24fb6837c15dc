"""VERA's numbers: segments, neighbours, smoothing, rounding, frames, areas; and its learning loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.language_parity.fixtures import Checks, Fixtures, close, same
from benchmarks.language_parity.lavad import trapezoid
from zsad.language import labels, learning, parse, segments, windows
from zsad.metrics.curves import image_auroc


def checks(files: Fixtures) -> Checks:
    data = files.json("vera")
    yield close("vera", "kernel as published", segments.kernel(), data["kernel"]["reference"])
    yield close("vera", "kernel about its middle", segments.kernel(centred=True), data["kernel"]["centred"])
    rows = data["training_sampling"]
    yield same("vera", "frames for learning", [windows.even(0, r["length"]) for r in rows], [r["right"] for r in rows])
    rows = data["position_weight"]
    found = np.concatenate([segments.position_weight(r["n_frames"]) for r in rows])
    yield close("vera", "weights by place", found, np.concatenate([r["weights"] for r in rows]))
    rows = data["rounding"]
    yield close("vera", "rounding", segments.rounded([r["value"] for r in rows]), [r["numpy_round"] for r in rows])
    for name in data["videos"]:
        yield from _video(name, data["videos"][name], files.part("vera", name), data["config"])
    yield from _areas(files, data)


def _video(name: str, told: dict[str, Any], arrays: dict[str, Any], config: dict[str, Any]) -> Checks:
    n, features, initial = told["n_frames"], arrays["feature"], arrays["initial_score"]
    middle = windows.centres(n, config["interval"])
    spans = [windows.window(int(centre), n, config["half_window"]) for centre in middle]
    yield same("vera", f"{name}: segments", spans, arrays["segment_window"].astype(int))
    frames = [windows.even(*span, config["frames_per_segment"]) for span in spans]
    yield same("vera", f"{name}: frames", frames, arrays["segment_frames"])
    count = segments.neighbour_count(told["segments"])
    yield same("vera", f"{name}: how many neighbours", [count], [told["neighbours"]])
    columns, cosines = segments.near_segments(features, count)
    yield same("vera", f"{name}: neighbours", np.sort(columns), np.sort(arrays["neighbours"]))
    yield close("vera", f"{name}: cosines", cosines[:, ::-1], arrays["neighbour_cosine"])
    refined = segments.refined(features, initial)
    yield close("vera", f"{name}: refined", refined, arrays["refined"])
    right = segments.smoothed(refined)
    yield close("vera", f"{name}: smoothed", right, arrays["smoothed_right"])
    centred = segments.smoothed(refined, centred=True)
    yield close("vera", f"{name}: smoothed about the middle", centred, arrays["smoothed_centred"])
    published = segments.smoothed_as_published(refined)
    yield close("vera", f"{name}: smoothed as published", published, arrays["smoothed_reference"])
    rounded = segments.rounded(published)[: told["segments"]]
    yield close("vera", f"{name}: rounded as published", rounded, arrays["rounded_reference"])
    weight = segments.position_weight(n)
    as_published = segments.held_to_end(rounded, n) * weight
    yield close("vera", f"{name}: frames as published", as_published, arrays["frame_score_reference"])
    scores = segments.frame_scores(features, initial, n)
    yield close("vera", f"{name}: frame scores", scores, arrays["frame_score_right"])
    scores = segments.frame_scores(features, initial, n, centred=True)
    yield close("vera", f"{name}: frame scores about the middle", scores, arrays["frame_score_centred"])
    yield same("vera", f"{name}: labels", _labels(told), arrays["gt"])
    yield from _xd(name, features, initial, n, arrays)


def _labels(told: dict[str, Any]) -> Any:
    ends = told["temporal_label"]
    spans = list(zip(ends[::2], ends[1::2], strict=True))
    return labels.frame_labels(spans, [1], told["n_frames"])


def _xd(name: str, features: Any, initial: Any, n: int, arrays: dict[str, Any]) -> Checks:
    count = segments.neighbour_count(len(initial), all_up_to=10)
    refined = segments.refined(features, initial, count)
    yield close("vera", f"{name}: refined, XD", refined, arrays["refined_xd_auc"])
    columns, _ = segments.near_segments(features, count)
    yield same("vera", f"{name}: neighbours, XD", np.sort(columns), np.sort(arrays["neighbours_xd_auc"]))
    published = segments.rounded(segments.smoothed_as_published(refined))
    frames = segments.held_to_end(published[: len(initial)], n) * segments.position_weight(n)
    yield close("vera", f"{name}: frames, XD area", frames, arrays["frame_score_xd_auc"])
    line = segments.xd_ap_scores(features, initial, n, compat=True)
    yield close("vera", f"{name}: frames, XD precision", line, arrays["frame_score_xd_ap"])


def _areas(files: Fixtures, data: dict[str, Any]) -> Checks:
    parts = [files.part("vera", name) for name in data["videos"]]
    truth = np.concatenate([part["gt"] for part in parts]).astype(bool)
    for name, key, wanted in (
        ("published", "frame_score_reference", data["auc"]["reference"]),
        ("right", "frame_score_right", data["auc"]["right"]),
        ("about the middle", "frame_score_centred", data["auc"]["centred_kernel"]),
        ("XD", "frame_score_xd_auc", data["xd"]["auc"]),
    ):
        scores = np.concatenate([part[key] for part in parts])
        yield close("vera", f"ROC AUC, {name}", image_auroc(truth, scores).value, wanted)
    lines = [part["frame_score_xd_ap"] for part in parts]
    kept = np.concatenate([part["gt"][: len(line)] for part, line in zip(parts, lines, strict=True)]).astype(bool)
    yield close("vera", "XD area under the PR curve", trapezoid(kept, np.concatenate(lines)), data["xd"]["ap"])


def loop(files: Fixtures) -> Checks:
    """Play the toy of a set: the learner's replies of its events, the optimiser's in order."""
    toy = files.json("vera_loop")["toy"]
    config, right = toy["config"], toy["right"]
    events = right["events"]
    said = {(e["video"], tuple(e["questions"])): e["reply"] for e in events if e["call"] == "learner"}
    replies, known, found = iter(toy["optimizer_replies"]), set(), []

    def learner(videos: Any, questions: Any) -> Any:
        return [parse.learner_output(said[video, questions]) for video in videos]

    def report(event: dict[str, Any]) -> None:
        if event["call"] == "learner":
            key = (event["video"], tuple(event["questions"]))
            event = {key: value for key, value in event.items() if key != "reason"} | {"from_cache": key in known}
            event["reply"] = said[key]
            known.add(key)
        found.append(event)

    def optimiser(*_: Any) -> Any:
        return parse.guiding_questions(next(replies), config["max_questions"])

    label = {row["video"]: row["label"] for row in toy["train"]}
    plan = [[[learning.Labelled(v, label[v]) for v in batch] for batch in epoch] for epoch in toy["batch_order"]]
    val = [learning.Labelled(row["video"], row["label"]) for row in toy["val"]]
    settings = learning.Settings(
        config["epochs"], config["batch_size"], config["validate_every"], config["max_questions"]
    )
    best = learning.learn(plan, val, config["initial_questions"], learner, optimiser, settings, report)
    bare = [{key: value for key, value in event.items() if key != "reply"} for event in found]
    wanted = [{key: value for key, value in event.items() if key != "reply"} for event in events]
    yield same("vera_loop", "events", bare, wanted)
    yield same("vera_loop", "best questions", best.questions, right["final_questions"])
    yield close("vera_loop", "best accuracy", best.accuracy, right["final_accuracy"])
    yield same("vera_loop", "step of the best", [best.step], [right["final_step"]])
    yield same("vera_loop", "learner's requests", [len(known)], [right["learner_requests_sent"]])
    calls = sum(event["call"] == "optimizer" for event in found)
    yield same("vera_loop", "optimiser's requests", [calls], [right["optimizer_requests_sent"]])
