"""The part ``real`` of ``weak_learning.py``: clips of real footage, one left out at a time; figures as they are.

Features are the bundled model's, of every fourth frame, as ``zsad video extract`` gives them. Abnormal are Ped2's
test clip 02, whose frames are labelled, and three surveillance cuts, which are anomalous from end to end; normal are
three clips of a conveyor, cars and persons. UR-DMU at the width of the drawn runs learns from all but one of them and
scores that one: the AUC over Ped2's frames, and how the clips are ranked by the mean of their highest sixteenth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.weak_learning_runs import BACKBONE, SETTINGS
from zsad.metrics.frames import VideoFrames, frame_metrics
from zsad.video.extraction import extract
from zsad.video.features import Choice
from zsad.video.finding import video_names
from zsad.video.learned.scoring import score_features
from zsad.video.towers import feature_detector
from zsad.video.weak.folder import load_weak
from zsad.video.weak.starting import Options, start
from zsad.video.weak.train import train

EVERY, EPOCHS, BATCH, LR, SEEDS = 4, 30, 3, 1e-3, (0, 1, 2)
Values = NDArray[np.float64]
Say = Callable[[str, Any], None]


def real(root: Path, say: Say) -> dict[str, Any]:
    """Extract, learn and score.

    Args:
        root: holds ``ucsd_ped2`` and ``video_clips``.
        say: is told of every clip.
    """
    ped2 = root / "ucsd_ped2/ped2/testing/frames/02"
    abnormal = [ped2, *sorted((root / "video_clips/HolmesVAD").rglob("*.mp4"))]
    normal = sorted((root / "video_clips/intel_sample_videos").glob("*.mp4"))
    with tempfile.TemporaryDirectory() as name:
        folder, clips = Path(name), [*abnormal, *normal]
        names = video_names(clips)
        for done in extract(clips, feature_detector(BACKBONE), folder, Choice(EVERY)):
            say("real, extracted", f"{done.name}: {done.shape} {done.fault}")
        labels = {one: one in names[: len(abnormal)] for one in names}
        found = {str(seed): _left_out(folder, labels, names[0], _ped2_truth(root), seed, say) for seed in SEEDS}
    return {"every": EVERY, "epochs": EPOCHS, "batch": BATCH, "lr": LR, "preset": "urdmu",
            "sizes": asdict(SETTINGS["urdmu"].sizes), "clips": labels, "seeds": found}  # fmt: skip


def _left_out(
    folder: Path, labels: dict[str, bool], ped2: str, truth: NDArray[np.bool_], seed: int, say: Say
) -> dict[str, Any]:
    """Leave out one clip after the other."""
    scores: dict[str, float] = {}
    found: dict[str, Any] = {}
    for one in labels:
        values = _scores(folder, [name for name in labels if name != one], labels, one, seed)
        top = np.sort(values)[-(len(values) // 16 + 1) :]
        scores[one] = round(float(top.mean()), 4)
        if one == ped2:
            found["ped2_frame_auc"] = _auc(truth, np.repeat(values, EVERY)[: len(truth)])
            x = np.load(folder / f"{ped2}__0.npy").astype(np.float64)
            apart = np.linalg.norm(x - x.mean(axis=0), axis=1)
            found["ped2_own_mean_auc"] = _auc(truth, np.repeat(apart, EVERY)[: len(truth)])
        say(f"real, seed {seed}, {one}", scores[one])
    found["clip_auc"] = _auc(np.array(list(labels.values())), np.array([scores[one] for one in labels]))
    return {**found, "clip_scores": scores}


def _scores(folder: Path, listed: Sequence[str], labels: dict[str, bool], one: str, seed: int) -> Values:
    """Train on the listed clips, and return the scores of another's rows."""
    rows = "".join(f"{name},{'abnormal' if labels[name] else 'normal'}\n" for name in listed)
    (folder / "list.csv").write_text(f"video,label\n{rows}", encoding="utf-8")
    options = Options("urdmu", f"csv:{folder / 'list.csv'}", folder, val_split=0.0, epochs=EPOCHS, batch=BATCH, lr=LR,
                      seed=seed)  # fmt: skip
    task, model = start(options, sizes=SETTINGS["urdmu"].sizes)
    network = load_weak(train(task, model, folder / f"without_{one}_{seed}"))
    return score_features(network, np.load(folder / f"{one}__0.npy"), one).values


def _ped2_truth(root: Path) -> NDArray[np.bool_]:
    """Return which frames of the clip have an anomalous pixel."""
    masks = sorted((root / "ucsd_ped2/UCSDped2/Test/Test002_gt").glob("*.bmp"))
    return np.array([bool(np.asarray(Image.open(mask)).any()) for mask in masks])


def _auc(truth: NDArray[np.bool_], scores: Values) -> float:
    return round(frame_metrics([VideoFrames.of(truth, scores)])["auc"].value, 4)
