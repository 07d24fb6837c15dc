"""How fast a detector is and how much memory it takes: latency, throughput, stages apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zsad.detector.base import Detector
from zsad.errors import UsageError
from zsad.images.preprocess import network_input
from zsad.types import ByteArray

CALLS = 30
"""Timed calls per figure."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds per call, over ``calls`` calls after warm-up."""

    p50: float
    p95: float
    p99: float
    mean: float
    calls: int


@dataclass(frozen=True)
class Speed:
    """What was measured of one detector.

    Attributes:
        latency: one decoded image to a Result with mask and regions, batch 1.
        throughput: images per second by batch size.
        stages: each stage by itself, batch 1; ``network`` includes the map's smoothing where the graph has it.
        memory_mb: resident memory at its highest, and how much of it the measurement added; None where unknown.
        image: ``(H, W)`` of the measured image.
    """

    latency: Latency
    throughput: dict[int, float]
    stages: dict[str, Latency]
    memory_mb: dict[str, float | None]
    image: tuple[int, int] = field(default=(512, 512))

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON data."""
        return asdict(self) | {"throughput": {str(size): rate for size, rate in self.throughput.items()}}


def measure(
    detector: Detector,
    *,
    size: tuple[int, int] = (512, 512),
    batches: Sequence[int] = (1, 4, 16),
    calls: int = CALLS,
    seed: int = 0,
    step: Callable[[str], None] | None = None,
) -> Speed:
    """Measure a detector on one procedural image.

    Args:
        detector: any detector.
        size: ``(H, W)`` of the decoded image.
        batches: batch sizes whose throughput is measured.
        calls: timed calls for a latency.
        seed: of the image.
        step: told what is measured next.

    Raises:
        UsageError: fewer than 2 calls, or a batch size below 1.
    """
    if calls < 2 or not batches or min(batches) < 1:
        raise UsageError("speed needs at least 2 calls and batch sizes of at least 1")
    say = step or (lambda _: None)
    image = sample_image(size, seed)
    before = peak_memory_mb()
    say("latency")
    latency = timed(lambda: judged(detector, image), calls)
    throughput = {}
    for count in batches:
        say(f"batch {count}")
        images = [sample_image(size, seed + i) for i in range(count)]
        repeats = max(2, calls // (2 * count))
        throughput[count] = 1000 * count / timed(partial(detector.batch, images, batch_size=count), repeats).p50
    say("stages")
    stages = _stages(detector, image, calls)
    after = peak_memory_mb()
    added = None if before is None or after is None else round(after - before, 1)
    return Speed(latency, throughput, stages, {"peak_rss": after, "added": added}, size)


def judged(detector: Detector, image: ByteArray) -> bool:
    """Inspect one image up to its regions and verdict."""
    result = detector(image)
    return bool(result.mask.any()) and bool(result.regions)


def timed(call: Callable[[], Any], calls: int, warmup: int = 2) -> Latency:
    """Time a call by itself, after warm-up."""
    for _ in range(warmup):
        call()
    taken = np.empty(calls)
    for i in range(calls):
        start = time.perf_counter()
        call()
        taken[i] = 1000 * (time.perf_counter() - start)
    p50, p95, p99 = (float(np.percentile(taken, q)) for q in (50, 95, 99))
    return Latency(p50, p95, p99, float(taken.mean()), calls)


def sample_image(size: tuple[int, int], seed: int = 0) -> ByteArray:
    """Return a smooth uint8 ``(H, W, 3)`` image with a spot in it."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(90, 170, (12, 12, 3), dtype=np.uint8))
    image = np.asarray(coarse.resize((size[1], size[0]), Image.Resampling.BICUBIC)).copy()
    y, x = size[0] // 3, size[1] // 3
    image[y : y + size[0] // 12, x : x + size[1] // 12] = 250
    return image


def peak_memory_mb() -> float | None:
    """Highest resident memory of this process so far, in MB (10^6 bytes), or None where the system doesn't tell."""
    try:
        # Linux: getrusage would report the parent's memory for a process that a large one has started.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    except OSError:
        pass
    try:
        import resource
        import sys
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def _stages(detector: Detector, image: ByteArray, calls: int) -> dict[str, Latency]:
    """Time preprocessing, the network and postprocessing apart, for detectors that let themselves be taken apart."""
    card = detector.card
    picture = Image.fromarray(image)
    stages = {"preprocess": timed(lambda: network_input(picture, card), calls)}
    x = network_input(picture, card)[None]
    stages["network"] = timed(lambda: detector.forward(x), calls)
    result = detector(image)
    values = result.map

    def finish() -> None:
        fresh = result.with_thresholds(result.thresholds)  # mask and regions are computed once per Result
        assert fresh.map is values
        _ = (fresh.mask, fresh.regions)

    stages["mask and regions"] = timed(finish, calls)
    return stages
