"""Bins, blocks and samplers against their fixtures, exactly; see ``parity_video.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from benchmarks.parity_checks import Check, largest
from benchmarks.parity_video_set import Set, cases
from zsad.video.sampling import (
    bin_edges,
    bin_means,
    bin_picks,
    blocks,
    by_density,
    by_density_published,
    fitted,
    padded,
)

MEAN = 1e-6
"""Tolerance of float32 means of values around 1; their order of summing is free."""


def sampling(data: Set) -> Iterator[Check]:
    """VadCLIP's bins, picks, blocks and masks."""
    want = data.arrays("vadclip_sampling.npz")
    for case in cases(want, "process_feat."):
        at = f"process_feat.{case}"
        target, length = (int(v) for v in want[f"{at}.length"])
        out, found = fitted(want[f"{at}.in"], target, compat=True)
        yield Check("sampling", at, largest(out, want[f"{at}.out"]), MEAN)
        yield Check("sampling", f"{at}.length", abs(found - length), 0.0)
    for case in cases(want, "uniform_extract."):
        at = f"uniform_extract.{case}"
        target = int(want[f"{at}.target"])
        yield Check(
            "sampling", f"{at}.avg", largest(bin_means(want[f"{at}.in"], target, compat=True), want[f"{at}.avg"]), MEAN
        )
        yield Check("sampling", f"{at}.pick", largest(bin_picks(want[f"{at}.in"], target), want[f"{at}.pick"]), 0.0)
    for case in cases(want, "process_split."):
        at = f"process_split.{case}"
        features, (rows, _) = want[f"{at}.in"], (int(v) for v in want[f"{at}.length"])
        parts = [padded(features[a:b], rows) for a, b in blocks(len(features), rows, compat=True)]
        have = np.stack(parts) if len(parts) > 1 else parts[0]
        yield Check("sampling", at, largest(have, want[f"{at}.out"]), 0.0)
        right = np.concatenate([features[a:b] for a, b in blocks(len(features), rows)])
        yield Check("sampling", f"{at} without an empty block", largest(right, features), 0.0)
    if "batch_mask" in want:
        mask = want["batch_mask"]
        padding = np.arange(mask.shape[1]) >= want["batch_mask.lengths"][:, None]
        yield Check("sampling", "batch_mask", largest(padding, mask), 0.0)


def segments(data: Set) -> Iterator[Check]:
    """UR-DMU's segments, and the right edges."""
    want = data.arrays("urdmu_segments.npz")
    for case in cases(want):
        edges, out = want[f"{case}.edges"], want[f"{case}.out"]
        features = want[f"{case}.feat"]
        count = len(out)
        have = bin_edges(len(features), count, compat=True)
        yield Check("segments", f"{case}.edges", largest(have, edges), 0.0)
        exact = bin_edges(len(features), count)
        yield Check("segments", f"{case}.edges_exact_integer", largest(exact, want[f"{case}.edges_exact_integer"]), 0.0)
        yield Check("segments", f"{case}.out", largest(bin_means(features, count, compat=True), out), MEAN)


def samplers(data: Set) -> Iterator[Check]:
    """Holmes-VAU's sampler, and the right one."""
    want = json.loads((data.folder / "sampler.json").read_text(encoding="utf-8"))
    scores = data.arrays("sampler_scores.npz")
    for case, row in want["cases"].items():
        s, n, tau = scores[f"{case}.scores"], int(row["n"]), float(want["tau"])
        published = by_density_published(s, n, tau=tau)
        yield Check("sampler", f"{case}.index", largest(published, row["index"]), 0.0)
        quantiles = by_density(s, n, tau=tau)
        yield Check("sampler", f"{case}.midpoint_quantiles", largest(quantiles, row["midpoint_quantiles"]), 0.0)
