"""Hold the speed of this tree against an older one, both in one run, in turns.

    python benchmarks/house_speed.py --old PATH [--rounds 7] [--only detect_jpeg ...] [--json FILE]

``PATH`` is a checkout of the older commit (``git worktree add PATH COMMIT``). Every measurement is a new process with
``PYTHONPATH`` set to one of the trees, and uses only what both have: command lines, ``zsad.train`` and its reporter.
Old and new take turns, and the one that begins changes from round to round. Quantities, all "higher is better":

    detect_jpeg, detect_png   images a second of `zsad detect FOLDER --out OUT`, from start to end of the process
    eval                      images a second of `zsad eval` on a drawn dataset with masks, likewise
    session                   images a second of the bundled model's session alone, from `zsad bench speed`
    train_step                steps a second of prompt training with a small random CLIP, without the first epoch

A ratio is new/old of the medians; beside it stand the quartiles of the ratios within rounds. Exit code 1 if a ratio
lies below 0.97.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zsad.suites import record
from zsad.synthetic import scene_at

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "house_speed.json"
LEAST = 0.97
SIDE = 512
ARMS = ("detect_jpeg", "detect_png", "eval", "session", "train_step")
Measured = dict[str, float]

MODEL = {
    "embed_dim": 256,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "layers": 4, "width": 256, "head_width": 64, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 6},
}
"""A small CLIP in open_clip's form, for the training step."""

_TRAIN = """
import json, statistics, sys, time
import torch, zsad
data, model, out, cache, epochs = sys.argv[1:]

class Clock:
    def __init__(self):
        self.last, self.steps = time.perf_counter(), []
    def note(self, text):
        pass
    def features(self, done, total):
        self.last = time.perf_counter()
    def step(self, record, config):
        now = time.perf_counter()
        if record.epoch > 1:
            self.steps.append(now - self.last)
        self.last = now

clock = Clock()
zsad.train("mvtec:" + data, "random:" + model, out, recipe="anomalyclip", epochs=int(epochs), image_size=224,
           cache=cache, reporter=clock)
print(json.dumps({"rate": 1 / statistics.median(clock.steps)}))
"""


class Trees:
    """Both trees, and a folder with what they are measured on.

    Args:
        old: checkout of the older commit.
        place: an empty folder.
        images: number of drawn images of each kind.
        calls: timed calls of the session.
        epochs: passes of the training, 2 or more.
    """

    def __init__(self, old: Path, place: Path, images: int, calls: int, epochs: int) -> None:
        self.paths = {"old": old, "new": ROOT}
        self.place, self.images, self.calls, self.epochs = place, images, calls, epochs

    def draw(self) -> None:
        """Write the images: a folder of JPEG, one of PNG, and a dataset in the MVTec form."""
        for index in range(self.images):
            drawn = scene_at(index, SIDE, anomalous=index % 2 == 1)
            image = Image.fromarray(drawn.image)
            _save(image, self.place / "jpeg" / f"{index:04}.jpg", quality=92)
            _save(image, self.place / "png" / f"{index:04}.png")
            kind = "spoilt" if drawn.label else "good"
            _save(image, self.place / "data" / "part" / "test" / kind / f"{index:04}.png")
            if drawn.label:
                mask = Image.fromarray(drawn.mask.astype(np.uint8) * 255)
                _save(mask, self.place / "data" / "part" / "ground_truth" / kind / f"{index:04}_mask.png")
            if index < 16:
                _save(image, self.place / "few" / "part" / "test" / kind / f"{index:04}.png")
                if drawn.label:
                    _save(mask, self.place / "few" / "part" / "ground_truth" / kind / f"{index:04}_mask.png")
        (self.place / "model.json").write_text(json.dumps(MODEL), encoding="utf-8")

    def measure(self, arm: str, tree: str) -> Measured:
        """Run one arm in one tree: ``rate`` a second, and ``cpu_seconds`` of the whole process."""
        out = self.place / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        arms: dict[str, Callable[[], Measured]] = {
            "detect_jpeg": partial(self._command, tree, "detect", self.place / "jpeg", "--out", out / "o"),
            "detect_png": partial(self._command, tree, "detect", self.place / "png", "--out", out / "o"),
            "eval": partial(
                self._command, tree, "eval", "--data", f"mvtec:{self.place / 'data'}", "--json", out / "e.json"
            ),
            "session": partial(self._session, tree, out),
            "train_step": partial(self._train, tree, out),
        }
        before = os.times()
        figures = arms[arm]()
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return figures | {"cpu_seconds": spent}

    def _command(self, tree: str, *words: object) -> Measured:
        started = time.perf_counter()
        self._run(tree, "-m", "zsad", *words)
        return {"rate": self.images / (time.perf_counter() - started)}

    def _session(self, tree: str, out: Path) -> Measured:
        file = out / "speed.json"
        self._run(tree, "-m", "zsad", "bench", "speed", "--batch", 1, "--calls", self.calls, "--json", file)
        stages = json.loads(file.read_text(encoding="utf-8"))["speed"]["stages"]
        return {"rate": 1000 / stages["network"]["p50"]}

    def _train(self, tree: str, out: Path) -> Measured:
        data, model = self.place / "few", self.place / "model.json"
        printed = self._run(tree, "-c", _TRAIN, data, model, out / "run", out / "cache", self.epochs)
        found: Measured = json.loads(printed.splitlines()[-1])
        return found

    def _run(self, tree: str, *words: object) -> str:
        environment = os.environ | {"PYTHONPATH": str(self.paths[tree])}
        command = [sys.executable, *map(str, words)]
        done = subprocess.run(command, cwd=self.place, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{tree} tree: {' '.join(command)[:300]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def where(self, tree: str) -> Path:
        """Return the folder that the tree's processes import zsad from."""
        return Path(self._run(tree, "-c", "import zsad; print(zsad.__file__)").strip()).parent


def _save(image: Image.Image, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def in_turns(trees: Trees, arms: list[str], rounds: int) -> dict[str, dict[str, list[Measured]]]:
    """Measure every arm in both trees, ``rounds`` times: arm -> tree -> one entry a round."""
    found: dict[str, dict[str, list[Measured]]] = {arm: {"old": [], "new": []} for arm in arms}
    for turn in range(rounds):
        for arm in arms:
            for tree in ("old", "new") if turn % 2 == 0 else ("new", "old"):
                found[arm][tree].append(trees.measure(arm, tree))
            pair = {tree: round(found[arm][tree][-1]["rate"], 2) for tree in ("old", "new")}
            print(f"round {turn + 1}, {arm}: {pair}", file=sys.stderr, flush=True)
    return found


def compare(entries: dict[str, list[Measured]]) -> dict[str, Any]:
    """Return medians, new/old of the medians, and the quartiles of new/old within rounds; above 1 is faster."""
    rates = {tree: [entry["rate"] for entry in entries[tree]] for tree in ("old", "new")}
    cpu = {tree: statistics.median(entry["cpu_seconds"] for entry in entries[tree]) for tree in ("old", "new")}
    within = [new / old for old, new in zip(rates["old"], rates["new"], strict=True)]
    medians = {tree: statistics.median(values) for tree, values in rates.items()}
    return {
        "per_second": medians,
        "ratio": medians["new"] / medians["old"],
        "ratio_quartiles": [float(np.percentile(within, q)) for q in (25, 50, 75)],
        "cpu_seconds": cpu,
        "cpu_ratio": cpu["old"] / cpu["new"],
        "rounds": rates,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Speed of this tree against an older one.")
    parser.add_argument("--old", type=Path, required=True, metavar="PATH", help="checkout of the older commit")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=200, help="drawn images of each kind, at least 4")
    parser.add_argument("--calls", type=int, default=200, help="timed calls of the session")
    parser.add_argument("--epochs", type=int, default=30, help="passes of the training, at least 2")
    parser.add_argument("--only", nargs="+", choices=ARMS, default=list(ARMS), help="quantities to measure")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        trees = Trees(options.old.resolve(), Path(place), options.images, options.calls, options.epochs)
        for tree, path in trees.paths.items():
            if trees.where(tree) != path / "zsad":
                raise SystemExit(f"{tree} tree: zsad is imported from {trees.where(tree)}, not from {path}")
        trees.draw()
        found = in_turns(trees, options.only, options.rounds)
    report = {arm: compare(entries) for arm, entries in found.items()}
    for arm, figures in report.items():
        low, _, high = figures["ratio_quartiles"]
        print(f"{arm}: {figures['per_second']['new']:.1f}/s, old {figures['per_second']['old']:.1f}/s, "
              f"ratio {figures['ratio']:.3f} (quartiles {low:.3f} to {high:.3f})")  # fmt: skip
    facts = {
        "benchmark": "house_speed", "images": options.images, "side": SIDE, "rounds": options.rounds,
        "least_ratio": LEAST, "commits": {tree: record.commit(path) for tree, path in trees.paths.items()},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "load_average": os.getloadavg()[0],
        "machine": record.hardware(), "versions": record.versions(),
    }  # fmt: skip
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(facts | {"quantities": report}, indent=1) + "\n", encoding="utf-8")
    slow = [arm for arm, figures in report.items() if figures["ratio"] < LEAST]
    print(f"slower than before: {', '.join(slow)}" if slow else f"no ratio below {LEAST}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
