"""How fast ``zsad.evaluate`` is beside an older tree: the bundled model on images that are drawn for it.

Both trees measure the same files in processes of their own, in turn; the figure that matters is the ratio within a
round. ``python benchmarks/eval_speed.py --old PATH`` writes ``benchmarks/results/eval_speed.json``. Other programs on
the same processors take from both trees, and more from the one that uses both processors: measure on a quiet machine,
or before all others with ``chrt -f 1``; the record says which.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
CLASSES = 4


def draw(folder: Path, count: int, side: int) -> None:
    """Write ``count`` images in the layout of MVTec AD, half of them with a defect and its mask."""
    import numpy as np
    from PIL import Image

    from zsad.synthetic import scene_at

    for i in range(count):
        place, bad = folder / f"class{i % CLASSES}", i // CLASSES % 2 == 1
        scene = scene_at(i, side, seed=2026, anomalous=bad)
        image = place / "test" / ("bad" if bad else "good") / f"{i:04d}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(image)
        if bad:
            mask = place / "ground_truth" / "bad" / f"{i:04d}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(scene.mask).astype(np.uint8) * np.uint8(255)).save(mask)


def child(folder: Path, rounds: int) -> None:
    """Evaluate each time a line comes in; the tree is the one that Python finds."""
    import time

    import zsad
    from zsad.data.spec import load_samples, parse_data_specs

    samples = [s for spec in parse_data_specs([f"drawn=mvtec:{folder}"]) for s in load_samples(spec).samples]
    detector = zsad.load()
    zsad.evaluate(detector, samples[:8])
    for _ in range(rounds):
        print("ready", flush=True)
        sys.stdin.readline()
        start, used = time.perf_counter(), time.process_time()
        table = zsad.evaluate(detector, samples)
        taken = {"seconds": time.perf_counter() - start, "processor_seconds": time.process_time() - used}
        data = table.to_json()["datasets"]
        for one in data.values():
            for facts in one["classes"].values():
                del facts["seconds"]
        print(json.dumps(taken | {"images": len(samples), "datasets": data}), flush=True)


def start(tree: Path, folder: Path, rounds: int) -> subprocess.Popen[str]:
    """Start a child with the given tree in front of everything that is installed."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(folder), "--rounds", str(rounds)]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def one_round(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Let a child evaluate once."""
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline().strip() == "ready", "the child has ended"
    process.stdin.write("go\n")
    process.stdin.flush()
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def measure(old: Path, new: Path, count: int, side: int, rounds: int) -> dict[str, Any]:
    """Evaluate with both trees in turn; returns seconds, rates, ratios and the largest difference of a metric."""
    taken: dict[str, list[dict[str, Any]]] = {"old": [], "new": []}
    with tempfile.TemporaryDirectory() as place:
        draw(Path(place), count, side)
        children = {"old": start(old, Path(place), rounds), "new": start(new, Path(place), rounds)}
        for turn in range(rounds):
            for name in ("old", "new") if turn % 2 == 0 else ("new", "old"):
                taken[name].append(one_round(children[name]))
        for process in children.values():
            process.communicate(timeout=60)
    images = taken["new"][0]["images"]
    return {
        "images": images,
        "side": side,
        "rounds": rounds,
        "images_per_second": {key: round(images / median(t["seconds"] for t in all), 2) for key, all in taken.items()},
        "processor_ms_per_image": {
            key: round(1e3 * median(t["processor_seconds"] for t in all) / images, 2) for key, all in taken.items()
        },
        "times_as_fast": round(
            median(a["seconds"] / b["seconds"] for a, b in zip(taken["old"], taken["new"], strict=True)), 3
        ),
        "largest_difference_of_a_metric": difference(taken["old"][0]["datasets"], taken["new"][0]["datasets"]),
    }


def difference(one: Any, other: Any) -> float:
    """Return the largest difference of two numbers at the same place; everything else must be equal."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), "the keys differ"
        return max((difference(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other)
    assert one == other, f"{one} is not {other}"
    return 0.0


def commit(tree: Path) -> str:
    """Return the commit that a tree stands at, ``+changes`` if it was edited."""
    head = subprocess.run(["git", "-C", tree, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(["git", "-C", tree, "status", "--porcelain", "-uno", "--", "zsad"],
                             capture_output=True, text=True, check=False)  # fmt: skip
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def real_time() -> bool:
    """Return whether this process goes before all ordinary ones (``chrt -f 1``), so that others hardly disturb it."""
    return hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) == os.SCHED_FIFO


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=Path, help="another checkout of this project, to compare with")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "eval_speed.json")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.rounds)
        return
    if args.old is None:
        parser.error("--old is needed: the checkout that the present one is compared with")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    record = measure(args.old, HERE.parent, args.count, args.side, args.rounds)
    import onnxruntime

    from zsad.detector.providers import default_threads

    record["run"] = {
        "old": commit(args.old),
        "new": commit(HERE.parent),
        "processors": default_threads(),
        "load_of_others_before": load,
        "before_all_others": real_time(),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
