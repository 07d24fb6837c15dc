"""Speed of other libraries' metrics, and their error against brute force; see ``metrics_speed.py``."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import venv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import label

from benchmarks.metrics_maps import stack, timed
from zsad.metrics import pixel_metrics

RIVALS = ("anomalib==2.6.0", "torchmetrics")
RIVAL_CODE = """
import json, sys, time
import numpy as np, torch
torch.set_num_threads(2)
data = np.load(sys.argv[1])
out = {}
def put(name, call):
    row = {}
    for case in ("small", "large"):
        masks, scores = torch.from_numpy(data[case + "_masks"]), torch.from_numpy(data[case + "_scores"])
        try:
            start, cpu = time.perf_counter(), time.process_time()
            row[case] = float(call(scores, masks))
            row[case + "_wall"], row[case + "_cpu"] = time.perf_counter() - start, time.process_time() - cpu
        except Exception as error:
            row[case + "_error"] = f"{type(error).__name__}: {error}"[:200]
    out[name] = row
from torchmetrics.functional.classification import binary_auroc, binary_average_precision
put("torchmetrics pixel_auroc", lambda s, m: binary_auroc(s.flatten(), m.flatten().long()))
put("torchmetrics pixel_ap", lambda s, m: binary_average_precision(s.flatten(), m.flatten().long()))
try:
    from anomalib.metrics.aupro import _AUPRO
    from anomalib.metrics.auroc import _AUROC
    def run(metric, s, m):
        metric.update(s, m.int()); return metric.compute()
    put("anomalib pixel_auroc", lambda s, m: run(_AUROC(), s.flatten(), m.flatten()))
    put("anomalib pixel_aupro", lambda s, m: run(_AUPRO(), s, m))
except Exception as error:
    out["anomalib"] = {"error": f"{type(error).__name__}: {error}"[:300]}
from importlib.metadata import version
out["versions"] = {name: version(name) for name in ("anomalib", "torchmetrics", "torch")}
print(json.dumps(out))
"""


def brute_force(masks: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32]) -> dict[str, float]:
    """Compute AUROC, AP and AUPRO from every distinct threshold, one by one."""
    numbered = [label(mask, connectivity=2) for mask in masks]
    regions = [(i, one == k) for i, one in enumerate(numbered) for k in range(1, one.max() + 1)]
    normal = masks == 0
    points = [(0.0, 0.0, 0.0)]
    ap, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        found = scores >= threshold
        fpr, recall = found[normal].mean(), found[~normal].mean()
        precision = (found & ~normal).sum() / found.sum()
        ap += (recall - before) * precision
        before = recall
        points.append((fpr, recall, float(np.mean([found[i][region].mean() for i, region in regions]))))
    auroc = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))
    pro = 0.0
    for (x0, _, y0), (x1, _, y1) in itertools.pairwise(points):
        if x0 < 0.3:
            end = min(x1, 0.3)
            last = y1 if x1 <= 0.3 else y0 + (y1 - y0) * (0.3 - x0) / (x1 - x0)
            pro += (end - x0) * (y0 + last) / 2
    return {"pixel_auroc": float(auroc), "pixel_ap": float(ap), "pixel_aupro": pro / 0.3}


def rivals(folder: Path, images: int) -> dict[str, Any]:
    """Measure other libraries on the same maps, in an environment of their own."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *RIVALS], check=True)
    small, large = stack(4, 40, seed=3), stack(images)
    small = (small[0], (np.round(small[1] * 500) / 500).astype(np.float32))  # with ties
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "maps.npz"
        np.savez(path, small_masks=small[0], small_scores=small[1], large_masks=large[0], large_scores=large[1])
        done = subprocess.run([python, "-c", RIVAL_CODE, str(path)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    truth = brute_force(*small)
    ours = {name: metric.value for name, metric in pixel_metrics(*large).items()}
    versions = found.pop("versions")
    for name, row in found.items():
        metric = next((m for m in truth if f" {m}" in f"{name},".replace(",", " ").replace("  ", " ")), "")
        if metric and "small" in row:
            row["small_error"] = abs(row["small"] - truth[metric])
        if metric and "large" in row:
            row["large_difference_from_ours"] = abs(row["large"] - ours[metric])
    mine = {name: metric.value for name, metric in pixel_metrics(*small).items()}
    return {
        "images": images, "versions": versions, "rows": found,
        "zsad": {"all_pixel_metrics_large": asdict(timed(lambda: pixel_metrics(*large))),
                 "small_error": {name: abs(mine[name] - value) for name, value in truth.items()}},
    }  # fmt: skip
