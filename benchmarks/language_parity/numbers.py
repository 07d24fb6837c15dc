"""The numeric steps of Holmes-VAD, VAD-LLaMA, HAWK, CUVA, ECVA and VANE-Bench."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.language_parity.fixtures import Checks, Fixtures, close, same
from zsad.language import choices, clicks, importance, labels, motion_text, parse, smoothing
from zsad.metrics.curves import image_auroc


def holmes(files: Fixtures) -> Checks:
    data = files.json("holmes")
    rows = data["uniform"]
    found = [clicks.uniform_frames(row["max_frame"], row["segments"]) for row in rows]
    yield same("holmes", "frames of short videos", found, [row["frames"] for row in rows])
    share, width = data["config"]["alpha"], data["config"]["r"]
    for row in data["pseudo"]:
        arrays = files.part("holmes", f"pseudo{row['case']}")
        hard, soft = clicks.labels_of_clicks(arrays["scores"], row["clicks"], share, width)
        name = f"clicks {row['case']}"
        yield same("holmes", f"{name}: snippets", hard.astype(int), arrays["hard"])
        yield close("holmes", f"{name}: smooth labels", soft, arrays["soft"])
        yield close("holmes", f"{name}: loss", clicks.cross_entropy(arrays["scores"], soft), row["bce"])
    row = data["frame_scores_of_judgements"]
    judged = clicks.judged_frames(row["answers"], row["n_frames"], row["clip_length"])
    yield close("holmes", "frames of judgements", judged, row["right"])


def vadllama(files: Fixtures) -> Checks:
    data, arrays = files.json("vadllama"), files.npz("vadllama")
    count, threshold = data["config"]["windows"], data["config"]["threshold"]
    for row in data["post"]:
        name = f"post{row['length']}"
        yield close("vadllama", name, smoothing.stepped(arrays[f"{name}:in"], count), arrays[f"{name}:out"])
    kept: list[tuple[bool, Any, Any, Any]] = []
    for row in data["videos"]:
        name, length, kind, *ends = row["line"].split()
        name, spans = name.rpartition("/")[2], [int(end) for end in ends]
        part = files.part("vadllama", name)
        frames = smoothing.clips_to_frames(part["clip_score"], int(length))
        yield close("vadllama", f"{name}: frames", smoothing.stepped(frames, count), part["frame_score"])
        found = smoothing.spans_of(frames, row["fps"], threshold, count)
        keys, wanted = ("start_frame", "end_frame", "start_s", "end_s"), row["spans"]
        yield same("vadllama", f"{name}: spans", [(one.start, one.end, one.start_s, one.end_s) for one in found],
                   [tuple(one[key] for key in keys) for one in wanted])  # fmt: skip
        yield close("vadllama", f"{name}: peaks", [one.peak for one in found], [one["peak"] for one in wanted])
        pairs = list(zip(spans[::2], spans[1::2], strict=True)) if int(kind) else []
        truth = labels.frame_labels(pairs, [1] * len(pairs), int(length)) if pairs else np.zeros(int(length), np.int64)
        yield same("vadllama", f"{name}: labels", truth, part["gt_right"])
        kept.append((int(kind) > 0, part["frame_score"], truth, part["gt_reference"]))
    for which, rows in (("all", kept), ("anomalous", [one for one in kept if one[0]])):
        scores = np.concatenate([one[1] for one in rows])
        for name, column in (("right", 2), ("reference", 3)):
            known = np.concatenate([one[column] for one in rows]).astype(bool)
            area = image_auroc(known, scores).value
            yield close("vadllama", f"ROC AUC, {which}, {name}", area, data["auc"][name][which])
    for row in data["sampling"]:
        n = row["n_frames"]
        frames_of = smoothing.snippets(n, within=False)
        yield same("vadllama", f"snippets of {n}", frames_of, arrays[f"sampling{n}:indices"])
        clip = frames_of[row["random_clip"]]
        yield same("vadllama", f"snippet of {n}", clip, row["frames_of_clip"])
        ends = [round(int(clip[i]) / row["fps"], 1) for i in (0, -1)]
        yield close("vadllama", f"seconds of {n}", ends, [row["start_s_right"], row["end_s_right"]])
    row = data["sampling_with_gt"]
    truth = labels.frame_labels([tuple(row["gt"])], [1], row["n_frames"])
    eligible = smoothing.mostly_positive(smoothing.snippets(row["n_frames"]), truth)
    yield same("vadllama", "snippets in events", eligible, row["eligible"])


def hawk(files: Fixtures) -> Checks:
    data = files.json("hawk")
    yield from _motion(files, data)
    rows = data["sampling"]
    found = [motion_text.motion_indices(row["video_length"], row["frames"]) for row in rows]
    yield same("hawk", "frames of motion", found, [row["reference"] for row in rows])
    for number, row in enumerate(data["consistency"]):
        part = files.part("hawk", f"cons{number}")
        video, motion = part["video"], part["motion"]
        apart = motion_text.inconsistency(video, motion, per_sample=False)
        yield close("hawk", f"consistency {number}", apart, row["consistency"])
        yield close("hawk", f"consistency {number}, per sample", motion_text.inconsistency(video, motion),
                    row["per_sample_mean"])  # fmt: skip
        loss = motion_text.joined_loss(2, 1.3, apart)
        yield close("hawk", f"loss {number}", loss, row["total_with_lvl_2_lml_1p3"])
        for name, ours in zip(("video", "motion"), motion_text.inconsistency_gradient(video, motion), strict=True):
            yield close("hawk", f"gradient {number}, {name}", motion_text.WEIGHT * ours, part[f"grad_{name}"], 1e-9)
    part = files.part("hawk", "proj")
    full, compressed = motion_text.projected(part["x"], part)
    yield close("hawk", "projection", full, part["full"])
    yield close("hawk", "projection, compressed", compressed, part["compressed"])
    phrases = data["motion_phrases"]
    said = [motion_text.motion_phrases([tuple(token) for token in row["tokens"]]) for row in phrases]
    yield same("hawk", "phrases of motion", said, [row["phrases"] for row in phrases])


def _motion(files: Fixtures, data: dict[str, Any]) -> Checks:
    from zsad.video.motion_frames import flow_magnitude, motion_frame

    arrays = files.npz("hawk")
    frames = arrays["frames"]
    at = motion_text.motion_indices(len(frames), data["config"]["n_frames_sampled"])
    yield same("hawk", "frames of motion of the clip", at, data["sampled_after_reference"])
    speeds = np.array([flow_magnitude(frames[i - 1], frames[i]) for i in at])
    yield close("hawk", "speed", speeds, arrays["magnitude"], 3e-3)
    moves = speeds > data["config"]["threshold"]
    known = np.unpackbits(arrays["mask"], axis=-1)[..., : moves.shape[-1]]
    yield close("hawk", "share of pixels whose mask differs", (moves != known).mean(), 0, 1e-3)
    coverage = [row["coverage"] for row in data["per_frame"]]
    yield close("hawk", "coverage", moves.mean(axis=(1, 2)), coverage, 2e-4)
    shown = np.array([motion_frame(frames[i - 1], frames[i]) for i in at])
    yield close("hawk", "share of values that differ", (shown != arrays["motion_frames"]).mean(), 0, 1e-3)
    soft = motion_frame(frames[at[1] - 1], frames[at[1]], soft=True)
    yield close("hawk", "weighed by speed, rounded", soft, arrays["paper_weighted_first"], 0.501)


def cuva(files: Fixtures) -> Checks:
    data = files.json("cuva")
    for number, row in enumerate(data["curve"]):
        part = files.part("cuva", f"curve{number}")
        images, texts = part["image_emb"], part["text_emb"]
        curve = importance.importance(images, texts, row["weights"])
        yield close("cuva", f"curve {number}", curve, part["importance"])
        cosines = importance.importance_by_cosine(images, texts, row["weights"])
        yield close("cuva", f"curve {number}, cosines", cosines, part["importance_cosine_variant"])
        yield same("cuva", f"curve {number}: peaks", importance.peaks(curve, row["threshold2"]),
                   row["peaks_at_threshold2"])  # fmt: skip
        yield same("cuva", f"curve {number}: peaks at 0.35", importance.peaks(curve), row["peaks_at_0p35"])
    rows = data["peaks"]
    yield same("cuva", "peaks", [importance.peaks(row["values"]) for row in rows], [row["right"] for row in rows])
    rows = data["frames"]
    coarse = [importance.coarse_frames(row["n_frames"]) for row in rows]
    yield same("cuva", "coarse frames", coarse, [row["coarse"] for row in rows])
    fine = [importance.fine_frames(row["n_frames"], row["peaks"], within=False) for row in rows]
    yield same("cuva", "fine frames", fine, [row["fine"] for row in rows])
    rows = data["uniform_frames"]
    even = [importance.uniform(row["total"], row["wanted"]) for row in rows]
    yield same("cuva", "even frames", even, [row["frames"] for row in rows])
    for number, row in enumerate(data["interval_modes"]):
        yield from _interval(f"moments {number}", row)
    rows = data["temporal_iou"]
    overlap = [importance.spans_iou(row["prediction"], row["reference"]) for row in rows]
    yield close("cuva", "overlap of spans", overlap, [row["iou"] for row in rows])


def _interval(name: str, row: dict[str, Any]) -> Checks:
    n, fps, count = row["n_frames"], row["fps"], row["num_frames"]
    spans = importance.moment_frames(row["moments_s"], fps)
    yield same("cuva", f"{name}: frames", spans, row["moment_frames_right"])
    base = importance.uniform(n, count)
    yield same("cuva", f"{name}: base", base, row["base"])
    if row["mode"] == 2:
        found = importance.moments_added(n, int(fps), row["moments_s"], count)
        yield same("cuva", f"{name}: chosen", found, row["reference"])
        return
    published = importance.moment_frames(row["moments_s"], int(fps))
    yield same("cuva", f"{name}: added", importance.inside_points(published), row["added"])
    yield same("cuva", f"{name}: pool", importance.outside(base, published), row["pool_to_remove_from"])
    ours = importance.moments_replaced(n, spans, count, row["seed"])
    yield same("cuva", f"{name}: how many", [len(ours)], [len(row["reference"])])
    found = importance.moments_replaced(n, published, count, row["seed"])
    yield same("cuva", f"{name}: chosen", found, row["reference"])


def ecva(files: Fixtures) -> Checks:
    rows = files.json("ecva")["chunk_use"]["examples"]
    found = [importance.best_quarters(row["ranking"]) for row in rows]
    yield same("ecva", "quarters that are sent", found, [row["frames"] for row in rows])


def vane(files: Fixtures) -> Checks:
    data = files.json("vane")
    rows, told = data["replies"], data["accuracy"]
    offered = data.get("options_text") or parse.options_of(data["question"])
    letters = [parse.letter(row["reply"], offered).value for row in rows]
    found = choices.accuracy(letters, [row["gold"] for row in rows])
    counts = [found.total, found.correct, found.unparsed]
    yield same("vane", "counts", counts, [told["total"], told["right_correct"], told["right_unparsed"]])
    yield close("vane", "percent", found.percent, told["right_percent"])
    strict = [choices.published_match(row["reply"], row["gold"]) for row in rows]
    wanted = [told["reference_closed_correct"], told["reference_closed_crashes"]]
    yield same("vane", "counts as published", [strict.count(True), strict.count(None)], wanted)
