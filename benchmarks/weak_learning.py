"""Whether video models learn when events happen from labels of whole videos: drawn features, and real frames.

    python benchmarks/weak_learning.py [--json FILE] [--parts ...] [--presets ...] [--seeds 0 1 2] [--data-root FOLDER]

Videos are drawn by ``zsad.video.learned.drawn``: features as wide as the bundled model's, classes tied to its texts of
{classes}. Trained is with the code of ``zsad video train``, on one thread; widths, batches and steps are
those of ``weak_learning_runs.SETTINGS``. Test videos have no part in a training. Parts:

- presets: frame AUC before and after, beside what finds events without learning; at least 0.9, ``vador`` 0.85, each
  within 10 minutes of one core, where the distance to a video's own mean stays below 0.75.
- novel: OVVAD learns two classes; a third, typed as text, ranks its frames with an AUC of at least 0.7, among all test
  videos.
- clicks: with a clicked frame for every event, from few videos; the mean AUC inside abnormal videos rises.
- shuffled: the labels say nothing, in several ways for each seed; the mean frame AUC stays within 0.4 and 0.6. One
  run may lie outside: events stand out, so that whatever direction a model ends with tells them a little, up or down.
- real: with ``--data-root``, frames of Ped2 and of clips, by features of the bundled model; one clip is left out at a
  time. Figures, without a must.

``--write FOLDER`` writes one drawn set and ends: to train on by hand. ``--quick`` shows that everything runs.
Exit code 1 if a must is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import weak_learning_runs as runs
from benchmarks.weak_learning_real import real
from zsad.backbone import TextTower
from zsad.metrics.frames import VideoFrames, frame_metrics
from zsad.suites.record import commit, hardware, versions
from zsad.video.learned.drawn import Drawing
from zsad.video.learned.drawn_set import draw_set, write_set
from zsad.video.weak.folder import with_classes
from zsad.video.weak.starting import text_tower_of, use_threads

PARTS = ("presets", "novel", "clicks", "shuffled", "real")
LEAST = {"vador": 0.85}
LEAST_OTHERS, MOST_TRIVIAL, LIMIT_S = 0.9, 0.75, 600
GAIN, CHANCE = 0.2, (0.4, 0.6)
KNOWN, NOVEL = ("crack", "stain"), "rust"
FEW = runs.Sizes(train=(30, 30))
MIXED, SHUFFLINGS = runs.Sizes(train=(48, 48)), 4
CLICKED = ("vadclip-ucf", "urdmu")
Run = dict[str, Any]


def presets(preset: str, seed: int, text: TextTower, place: Path, sizes: runs.Sizes) -> Run:
    """Train one preset."""
    return runs.learn(preset, seed, text, place, sizes).figures()


def shuffled(preset: str, seed: int, text: TextTower, place: Path, sizes: runs.Sizes) -> Run:
    """Train one preset on labels that say nothing, several times."""
    some = sizes if sizes.epochs else MIXED
    made = [runs.learn(preset, seed, text, place / str(k), some, shuffling=k).figures() for k in range(SHUFFLINGS)]
    each = [row["after"]["auc"] for row in made]
    return {"auc": round(float(np.mean(each)), 4), "each": each, "before": made[0]["before"]["auc"]}


def clicks(preset: str, seed: int, text: TextTower, place: Path, sizes: runs.Sizes) -> Run:
    """Train one preset on a few videos, without clicks and with them."""
    few = sizes if sizes.epochs else FEW
    without, clicked = (
        runs.learn(preset, seed, text, place / str(given), few, clicked=given).figures()["after"]
        for given in (False, True)
    )
    return {"without": without, "with": clicked, "gain": round(clicked["auc_abnormal"] - without["auc_abnormal"], 4)}


def novel(preset: str, seed: int, text: TextTower, place: Path, sizes: runs.Sizes) -> Run:
    """Train on two classes, type a third, and see how its frames and videos are found.

    ``rank`` is the frame AUC of the class's scores over all test videos; ``detected`` that of the model's scores over
    its videos and normal ones; ``named`` the AUC of its largest score in a video, over abnormal videos.
    """
    outcome = runs.learn(preset, seed, text, place, sizes, known=KNOWN)
    network = with_classes(outcome.network, (*KNOWN, NOVEL), text)
    ranked, detected, videos = [], [], []
    for video in outcome.drawn.test:
        series = runs.series(network, video)
        of_class = series.spread(series.classes[NOVEL])
        ranked.append(VideoFrames.of(video.truth() & (video.label == NOVEL), of_class))
        if not video.spans or video.label == NOVEL:
            detected.append(VideoFrames.of(video.truth(), series.to_frames()))
        if video.spans:
            videos.append((video.label == NOVEL, float(of_class.max())))
    named = VideoFrames.of(np.array([one for one, _ in videos]), np.array([score for _, score in videos]))
    figures = {"rank": ranked, "detected": detected, "named": [named]}
    return {name: round(frame_metrics(some)["auc"].value, 4) for name, some in figures.items()}


TRAINED: dict[str, tuple[Callable[[str, int, TextTower, Path, runs.Sizes], Run], tuple[str, ...]]] = {
    "presets": (presets, tuple(runs.SETTINGS)),
    "novel": (novel, ("ovvad",)),
    "clicks": (clicks, CLICKED),
    "shuffled": (shuffled, tuple(runs.SETTINGS)),
}
"""Parts that train: how, and which presets."""


def missed(found: dict[str, Any]) -> list[str]:
    """Return every must that is missed, in words."""
    lacks = [
        f"{name}, seed {seed}: the distance to a video's mean reaches {row['own_mean']}"
        for name, seeds in found.get("without_learning", {}).items()
        for seed, row in seeds.items()
        if row["own_mean"] >= MOST_TRIVIAL
    ]
    for name, seeds in found.get("presets", {}).items():
        for seed, row in seeds.items():
            least = LEAST.get(name, LEAST_OTHERS)
            if row["after"]["auc"] < least:
                lacks.append(f"{name}, seed {seed}: {row['after']['auc']}, at least {least}")
            if row["cpu_seconds"] > LIMIT_S:
                lacks.append(f"{name}, seed {seed}: {row['cpu_seconds']} s of one core, at most {LIMIT_S}")
    for seeds in found.get("novel", {}).values():
        lacks += [f"novel, seed {s}: {row['rank']}" for s, row in seeds.items() if row["rank"] < 0.5 + GAIN]
    for name, seeds in found.get("clicks", {}).items():
        gain = float(np.mean([row["gain"] for row in seeds.values()]))
        lacks += [f"clicks, {name}: {gain:.4f} in the mean"] if gain <= 0 else []
    for name, seeds in found.get("shuffled", {}).items():
        mean = float(np.mean([row["auc"] for row in seeds.values()]))
        lacks += (
            [] if CHANCE[0] <= mean <= CHANCE[1] else [f"shuffled, {name}: {mean:.4f} in the mean, within {CHANCE}"]
        )
    return lacks


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit code."""
    about = (__doc__ or "").format(classes=", ".join(runs.CLASSES))
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--presets", nargs="+", choices=tuple(runs.SETTINGS), default=tuple(runs.SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="a few videos, one round, no must")
    parser.add_argument("--data-root", type=Path, help="holds ucsd_ped2 and video_clips")
    parser.add_argument("--write", type=Path, help="write a drawn set there, and end")
    parser.add_argument("--json", type=Path, help="where the figures go; parts that stand there and are not run stay")
    options = parser.parse_args(arguments)
    use_threads(1)
    text = text_tower_of(runs.BACKBONE)
    sizes = runs.Sizes((8, 8), (4, 4), 1) if options.quick else runs.Sizes()
    if options.write:
        drawing = Drawing()
        write_set(
            options.write, draw_set(runs.texts_of(text), drawing, sizes.train, sizes.test), drawing, runs.BACKBONE
        )
        return 0
    found: dict[str, Any] = {}
    if options.json and options.json.is_file():
        found = json.loads(options.json.read_text(encoding="utf-8"))
    found |= {
        "benchmark": "weak_learning", "commit": commit(), "versions": versions(), "machine": hardware(),
        "run": {"date": datetime.now(UTC).date().isoformat(), "threads": 1},
        "drawing": asdict(Drawing()), "sizes": asdict(sizes), "few": asdict(FEW), "mixed": asdict(MIXED),
        "settings": {name: asdict(setting) for name, setting in runs.SETTINGS.items()},
    }  # fmt: skip
    if "presets" in options.parts:
        found["without_learning"] = {
            name: {str(seed): runs.without_learning(name, seed, text, sizes) for seed in options.seeds}
            for name in options.presets
        }
        say("without learning", found["without_learning"])
    found["commits"] = found.get("commits", {}) | dict.fromkeys(options.parts, commit())
    for part, (run, names) in TRAINED.items():
        for seed in options.seeds if part in options.parts else ():
            for name in (name for name in names if name in options.presets):
                with tempfile.TemporaryDirectory() as place:
                    row = run(name, seed, text, Path(place), sizes)
                found.setdefault(part, {}).setdefault(name, {})[str(seed)] = row
                say(f"{part}, {name}, seed {seed}", row)
                _write(options.json, found)
    if "real" in options.parts and options.data_root:
        found["real"] = real(options.data_root, say)
    lacks = [] if options.quick else missed(found)
    found["missed"] = lacks
    _write(options.json, found)
    print("\n".join(lacks) or "every must that was run is kept")
    return 1 if lacks else 0


def _write(path: Path | None, found: dict[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def say(what: str, figures: Any) -> None:
    """Print a line now."""
    print(f"{what}: {figures}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
