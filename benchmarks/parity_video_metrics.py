"""Frame metrics, lists with their labels, and detection against their fixtures; see ``parity_video.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.parity_checks import Check, largest
from benchmarks.parity_video_set import Set, cases, compare
from zsad.metrics.frames import VideoFrames, frame_metrics
from zsad.metrics.spans import VADCLIP, LabelledSpan, Proposal, map_at_iou, propose
from zsad.video.learned.clips import annotated, binned, stretched

SNIPPET = 16
EXACT = 1e-9


def frames(data: Set) -> Iterator[Check]:
    """AUC, both kinds of average precision."""
    want = data.arrays("frame_metrics.npz")
    for case in cases(want):
        scores = np.repeat(want[f"{case}.snippet_prob"], SNIPPET)
        found = frame_metrics([VideoFrames.of(want[f"{case}.gt_frames"], scores)])
        names = {"auc": "auc", "ap_step": "ap", "pr_auc_trapezoid": "pr_auc_trapezoid"}
        have = {f"{case}.{key}": np.float64(found[own].value) for key, own in names.items()}
        yield from compare("frames", have, want, EXACT)


def tested(data: Set, name: str) -> Iterator[Check]:
    """VadCLIP's figures of the test videos, from the stored probabilities."""
    want, settings = data.arrays(f"{name}_test.npz"), data.config[name]
    videos = sorted({key.split(".")[0] for key in want if key.endswith(".prob1")}, key=lambda v: int(v[1:]))
    found: dict[str, Any] = {}
    for column in ("prob1", "prob2"):
        scores = np.concatenate([np.repeat(want[f"{video}.{column}"], SNIPPET) for video in videos])
        found[column] = frame_metrics([VideoFrames.of(want["gt_frames"], scores)])
    have = [found[column][metric].value for column in ("prob1", "prob2") for metric in ("auc", "ap")]
    yield Check(name, "auc_ap", largest(have, want["auc_ap"]), EXACT)
    classes = list(settings["label_map"]) if settings["dataset"] == "xd" else ["Normal", *_rest(settings)]
    notes = settings["test_annotations"]
    truth = _truth(notes["segments"], notes["labels"])
    proposals = _proposals([want[f"{video}.class_prob"] for video in videos], [True] * len(videos), classes, VADCLIP)
    have = [100 * map_at_iou(truth, proposals, iou, compat=VADCLIP).map.value for iou in (0.1, 0.2, 0.3, 0.4, 0.5)]
    yield Check(name, "dmap", largest(have, want["dmap"]), EXACT)
    yield Check(name, "average_map", largest(np.mean(have), want["average_map"]), EXACT)


def _rest(settings: dict[str, Any]) -> list[str]:
    """Return UCF's labels in the order of the prompts, without the normal one."""
    by_text = {text: label for label, text in settings["label_map"].items()}
    return [by_text[text] for text in settings["prompt"][1:]]


def _truth(segments: Any, labels: Any) -> list[list[LabelledSpan]]:
    return [
        [LabelledSpan(int(a), int(b), label) for (a, b), label in zip(spans, names, strict=True)]
        for spans, names in zip(segments, labels, strict=True)
    ]


def _proposals(columns: list[Any], repeated: list[bool], classes: list[str], compat: str) -> dict[str, list[Proposal]]:
    found: dict[str, list[Proposal]] = {}
    for index, name in enumerate(classes):
        found[name] = []
        for video, (values, again) in enumerate(zip(columns, repeated, strict=True)):
            column = np.repeat(values[:, index], SNIPPET) if again else values[:, index]
            found[name] += propose(column, video, compat=compat)
    return found


def detection(data: Set) -> Iterator[Check]:
    """Proposals, and mAP as published and as it should be."""
    want = json.loads((data.folder / "vadclip_detection.json").read_text(encoding="utf-8"))
    arrays = data.arrays("vadclip_detection.npz")
    for case, row in want.items():
        columns = [arrays[f"{case}.pred{video}"] for video in range(int(row["videos"]))]
        classes, where = row["classes"], "detection"
        published = _proposals(columns, row["repeat16"], classes, VADCLIP)
        right = _proposals(columns, row["repeat16"], classes, "")
        for index, name in enumerate(classes):
            key = f"{case}.proposals_class{index}"
            if key in arrays:
                ranked = np.array(sorted(published[name], key=lambda p: -p.score), np.float64).reshape(-1, 4)
                yield Check(where, f"{key} spans", largest(ranked[:, :3], arrays[key][:, :3]), 0.0)
                yield Check(where, f"{key} scores", largest(ranked[:, 3], arrays[key][:, 3]), 1e-5)
        truth = _truth(row["segments"], row["labels"])
        normal = "A" if "A" in classes else classes[0]
        aligned = [[span._replace(label=normal if span.label == "A" else span.label) for span in spans]
                   for spans in truth]  # fmt: skip
        for iou, target in row["reference"].items():
            found = map_at_iou(truth, published, float(iou), compat=VADCLIP)
            yield Check(where, f"{case}@{iou}", abs(100 * found.map.value - target["map"]), EXACT)
        for iou, target in row["correct"].items():
            both = map_at_iou(aligned, right, float(iou))
            only = map_at_iou(aligned, right, float(iou), normal=normal)
            have = [100 * both.map.value, 100 * only.map.value]
            yield Check(
                where,
                f"{case}@{iou} right",
                largest(have, [target["map_with_normal"], target["map_anomalous_only"]]),
                EXACT,
            )
            other = float(set(both.per_class) != set(target["per_class"]))
            error = max([other, *(abs(both.per_class.get(n, 9.0) - v) for n, v in target["per_class"].items())])
            yield Check(where, f"{case}@{iou} right per class", error, EXACT)


def lists(data: Set) -> Iterator[Check]:
    """UMIL's rows, their frame labels, stretched and binned scores, and the AUC of both readings."""
    rows = json.loads((data.folder / "umil_list.json").read_text(encoding="utf-8"))
    want = data.arrays("umil_groundtruth.npz")
    videos: dict[bool, list[VideoFrames]] = {True: [], False: []}
    for index, (line, row) in enumerate(zip(rows["text"].splitlines(), rows["rows"], strict=True)):
        found = annotated(line)
        flat = [end for interval in found.intervals for end in interval]
        same = (found.path, found.frames, found.label, flat) == (
            row["path"],
            row["frames"],
            row["class_id"],
            row["intervals"],
        )
        yield Check("list", f"row {index}", float(not same), 0.0)
        for compat, name in ((True, "reference"), (False, "correct")):
            yield Check(
                "list", f"v{index}.gt_{name}", largest(found.labels(compat=compat), want[f"v{index}.gt_{name}"]), 0.0
            )
        if row["scored"]:
            scores = want[f"v{index}.clip_scores"]
            published = binned(stretched(scores, found.frames, compat=True), compat=True)
            plain = stretched(scores, found.frames)
            right = binned(plain)
            yield Check(
                "list",
                f"v{index}.frame_scores_reference",
                largest(published, want[f"v{index}.frame_scores_reference"]),
                1e-6,
            )
            yield Check(
                "list",
                f"v{index}.frame_scores_stretched",
                largest(plain, want[f"v{index}.frame_scores_stretched"]),
                0.0,
            )
            yield Check(
                "list",
                f"v{index}.frame_scores_32bins_correct",
                largest(right, want[f"v{index}.frame_scores_32bins_correct"]),
                1e-12,
            )
            # The published evaluation ranks float32 values.
            reference = want[f"v{index}.frame_scores_reference"]
            videos[True].append(VideoFrames.of(found.labels(compat=True), reference))
            videos[False].append(VideoFrames.of(found.labels(), right))
    for compat, name in ((True, "reference"), (False, "correct")):
        metrics = frame_metrics(videos[compat])
        have = [metrics["auc"].value, metrics["auc_abnormal"].value]
        key = f"auc_all_and_abnormal_{name}"
        yield Check("list", key, largest(have, want[key]), EXACT)
    for case in cases(want, "post"):
        values = want[f"post{case}.in"]
        yield Check(
            "list", f"post{case}.reference", largest(binned(values, compat=True), want[f"post{case}.reference"]), 1e-6
        )
        yield Check("list", f"post{case}.correct", largest(binned(values), want[f"post{case}.correct"]), 1e-12)
