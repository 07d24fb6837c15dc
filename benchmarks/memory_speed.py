"""Speed and memory of a memory: the whole scoring of an image beside its backbone alone, the search, the coreset.

    python benchmarks/memory_speed.py [--model MODEL] --json benchmarks/results/memory_speed.json

For a memory of 100,000 patches in each feature layer (exact) and for a coreset of 10,000: seconds of one image with
the backbone alone, with the search, and whole; the rate of the search beside a bare matrix product of the same shapes,
which is what the processor can do; scikit-learn's brute force and a plain torch search beside it. Then the time of a
coreset of 200 images' patches, and the peak memory of fitting many images. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zsad.detector.base import Detector
from zsad.detector.loading import load_base
from zsad.fitting import Options, fit_detector
from zsad.images.preprocess import network_input
from zsad.scoring import Memory, MemoryScorer
from zsad.scoring.coreset import MOST, coreset
from zsad.scoring.memory import distances, half, nearest, unit
from zsad.stream import Item
from zsad.suites import record
from zsad.synthetic import pair_at
from zsad.types import FloatArray


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Speed and memory of memories of good parts.")
    parser.add_argument("--model", help="a model that gives features; by default the bundled one")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 10_000])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--fit-images", type=int, default=1_000, help="images of the memory-bound fit; 0 leaves it out")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    detector = load_base(options.model)
    card = detector.card
    L, N, D = len(card.reading.layers), card.grid**2, card.reading.embed_dim
    image = pair_at(1, size=card.input.image_size)[1].image
    x = network_input(detector.decode(image).image, card)[None]
    patches = detector._read(x).patches[0]
    alone = best(lambda: detector._read(x), options.repeat)
    report: dict[str, Any] = {
        "benchmark": "memory_speed", "model": options.model or "tiny", "shapes": {"L": L, "N": N, "D": D},
        "backbone_seconds": alone,
        "memories": {str(size): measured(detector, patches, x, size, alone, options.repeat) for size in options.sizes},
        "coreset_200_images": coreset_of(L, min(MOST, 200 * N), D),
    }  # fmt: skip
    if options.fit_images:
        report["fit"] = fitted(detector, options.fit_images)
    report |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def measured(
    detector: Detector, patches: FloatArray, x: FloatArray, size: int, alone: float, repeat: int
) -> dict[str, float]:
    """Time one memory: whole, search, bare product, scikit-learn, torch."""
    L, N, D = patches.shape
    memory = Memory(tuple(drawn(size, D, seed) for seed in range(L)))
    scoring = detector.with_scorer(MemoryScorer(memory, detector.card))
    units = unit(patches)
    whole = best(lambda: scoring.forward(x), repeat)
    search = best(lambda: [nearest(u, m) for u, m in zip(units, memory.layers, strict=True)], repeat)
    flops = 2.0 * L * N * size * D
    room = np.empty((1024, N), np.float32)
    other, part = np.ascontiguousarray(units[0].T), memory.layers[0][:1024]
    bare = best(lambda: np.matmul(part, other, out=room[: len(part)]), 5 * repeat)
    rate = 2.0 * len(part) * N * D / bare
    return {
        "whole_seconds": whole, "times_the_backbone": whole / alone, "search_seconds": search,
        "distances_seconds": best(lambda: distances(patches, memory), repeat),
        "search_gflops": flops / search / 1e9, "matmul_gflops": rate / 1e9, "of_the_matmul_rate": flops / search / rate,
        "scikit_learn_seconds": best(lambda: by_scikit_learn(units, memory), max(1, repeat // 3)),
        "torch_seconds": best(by_torch(units, memory), repeat),
    }  # fmt: skip


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


def coreset_of(layers: int, count: int, width: int) -> dict[str, float]:
    """Time the coresets of 10,000 of each layer's patches; clustered, as patches are."""
    start = time.perf_counter()
    radius = [coreset(drawn(count, width, seed), 10_000, seed).radius for seed in range(layers)]
    return {"patches": count, "seconds_all_layers": time.perf_counter() - start, "covering_radius": max(radius)}


def fitted(detector: Detector, count: int) -> dict[str, float]:
    """Fit drawn images, and tell the peak memory before and after."""
    size = detector.card.input.image_size

    def picture(number: int) -> Callable[[], np.ndarray[Any, np.dtype[np.uint8]]]:
        return lambda: pair_at(number % 50, size=size)[1].image + np.uint8(number % 5)

    items = [Item(f"{i:06d}", f"{i:06d}", picture(i)) for i in range(count)]
    before, start = peak(), time.perf_counter()
    fit_detector(detector, items, Options(rotations="none", foreground="off"))
    return {"images": count, "seconds": time.perf_counter() - start, "peak_mb_before": before, "peak_mb": peak()}


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
    """Return the largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    sys.exit(main())
