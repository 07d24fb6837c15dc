from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zsad
from tests.contrast import CARD, Contrast
from zsad.detector.base import Detector
from zsad.images.postprocess import resize_map
from zsad.images.preprocess import network_input
from zsad.images.tiling import split
from zsad.stream.memory import DRAWING
from zsad.synthetic import TEXTURES

RULES = ["cls", "map_top1", "fused(0.25)", "fused(0.5)"]


class Grey(Detector):
    """Map = a smooth function of grey, the same at every place and scale; class = the mean of grey; score by rule."""

    def __init__(self, rule: str = "cls", **options) -> None:
        super().__init__(CARD.changed(score_rule=rule), **options)

    def _network(self, x):
        maps = x.mean(axis=1).astype(np.float32)  # (B, S, S)
        ordered = np.sort(maps.reshape(len(maps), -1), axis=1)
        weight = self.card.scoring.fusion
        top = ordered[:, -max(1, ordered.shape[1] // 100) :].mean(axis=1)
        return maps, (weight * top + (1 - weight) * ordered.mean(axis=1)).astype(np.float32)


def image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 300), st.integers(8, 300), st.sampled_from([32, 50, "auto"]), st.integers(0, 255),
       st.sampled_from(RULES))  # fmt: skip
def test_a_constant_image_gives_a_constant_map(height, width, tile, grey, rule):
    result = Grey(rule, tile=tile)(np.full((height, width), grey, np.uint8))
    assert np.abs(result.map - grey / 255).max() < 1e-5
    assert result.score == pytest.approx(grey / 255, abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_no_seams_and_no_new_values_on_a_ramp(rule):
    """A detector that sees the same at every scale: what tiles add has no step where they meet."""
    ramp = np.tile(np.linspace(0, 255, 600), (300, 1)).astype(np.uint8)
    values = Grey(rule, tile=96)(ramp).map
    steps = np.abs(np.diff(values.astype(np.float64), axis=1))
    assert steps.max() < 0.02 and np.abs(np.diff(values, axis=0)).max() < 0.01


@pytest.mark.parametrize("rule", RULES)
def test_map_and_score_by_hand(rule):
    pixels, detector = image(100, 170, 3), Grey(rule)
    tiles, size = split((100, 170), 64), (100, 170)
    decoded = detector.decode(pixels)

    def see(crop):
        values, scores = detector.forward(network_input(crop, detector.card)[None])
        return resize_map(values[0], (crop.height, crop.width)).astype(np.float64), values[0], float(scores[0])

    # Bilinear weights of its own: how far each pixel lies from the tile's inner borders, beyond the context.
    total, weights, classes = np.zeros(size), np.zeros(size), []
    for tile in tiles:
        values, small, _ = see(decoded.image.crop(tile.box))
        classes.append(small.mean())
        for y in range(tile.height):
            for x in range(tile.width):
                weight = 1.0
                for at, side, first, last in (
                    (y, tile.height, tile.top == 0, tile.top + tile.height == 100),
                    (x, tile.width, tile.left == 0, tile.left + tile.width == 170),
                ):
                    place = (at + 0.5) / side
                    if not ((place < 0.5 and first) or (place >= 0.5 and last)):
                        inside = (min(place, 1 - place) - 1 / 16) / (1 / 2 - 1 / 16)
                        weight *= np.sin(np.pi / 2 * min(1, max(0, inside))) ** 2
                total[tile.top + y, tile.left + x] += weight * values[y, x]
                weights[tile.top + y, tile.left + x] += weight
    closer, (whole, small, _) = total / weights, see(decoded.image)
    share = 64 * 64 / (100 * 170)
    expected = 1 - (1 - whole) * (1 - (1 - share) * np.clip(closer - np.quantile(closer, 0.75), 0, 1))
    result = detector.with_options(tile=64)(pixels)
    assert np.abs(result.map - expected).max() < 2e-5
    by_class = small.mean() + (1 - share) / 2 * (max(classes) - small.mean())
    by_map = np.sort(expected.ravel())[-(64 * 64 // 100) :].mean()
    weight = detector.card.scoring.fusion
    assert result.score == pytest.approx(weight * by_map + (1 - weight) * by_class, abs=2e-5)


@pytest.mark.parametrize("rule", RULES)
def test_a_tile_that_covers_the_image_is_the_whole_image(rule):
    pixels = image(90, 70)
    whole = Grey(rule)(pixels)
    for tile in (90, 400, "auto"):
        tiled = Grey(rule, tile=tile)(pixels)
        assert tiled.score == whole.score and np.array_equal(tiled.map, whole.map)


@pytest.mark.parametrize("tile", [48, "auto"])
def test_many_at_a_time_and_in_threads_are_the_same_as_one_by_one(tile):
    images = [image(30 + 60 * i, 300 - 40 * i, i) for i in range(6)]
    detector = zsad.load(Path(__file__).with_name("small.onnx"), tile=tile, threads=1)
    alone = [detector(pixels) for pixels in images]
    with ThreadPoolExecutor(3) as pool:
        threads = list(pool.map(detector, images))
    for a, b, c in zip(alone, detector.batch(images), threads, strict=True):
        assert a.score == b.score == c.score and np.array_equal(a.map, b.map) and np.array_equal(a.map, c.map)


def test_images_that_are_too_long_have_no_whole():
    long = np.full((20, 400), 128, np.uint8)
    long[8:12, 200:204] = 255
    for tile in (64, 512, "auto"):
        result = Contrast(tile=tile)(long)
        assert result.map.shape == (20, 400) and abs(np.argmax(result.map.max(axis=0)) - 202) < 6
        assert np.abs(Grey(tile=tile)(np.full((20, 400), 51, np.uint8)).map - 0.2).max() < 1e-5


def test_each_tile_and_the_whole_go_through_the_network_once():
    seen = []

    class Watching(Contrast):
        def _network(self, x):
            seen.append(x.shape)
            return super()._network(x)

    Watching(tile=64)(image(100, 100))
    assert [shape[0] for shape in seen] == [4, 1]  # four tiles, and the whole


def test_memory_stays_within_what_the_loop_accounts_for_an_image():
    detector, decoded = Contrast(tile=256), Contrast(tile=256).decode(np.zeros((2000, 2000), np.uint8))
    tracemalloc.start()
    try:
        detector(decoded)
        assert tracemalloc.get_traced_memory()[1] < DRAWING * 2000 * 2000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("family", ["brushed"])
def test_a_defect_of_12_px_in_a_large_texture_is_found(family):
    """The short form of benchmarks/tiles.py: the bundled model, 1536 px, one place."""
    texture = TEXTURES[family](np.random.default_rng([0, 99]), 1536, 1536)
    pixels = (np.clip(texture.transpose(1, 2, 0), 0, 1) * 255).astype(np.uint8)
    rows, columns = np.ogrid[:1536, :1536]
    pixels[(rows - 1000) ** 2 + (columns - 500) ** 2 <= 36] //= 3
    result = zsad.load(tile="auto")(pixels)
    y, x = np.unravel_index(result.map.argmax(), result.map.shape)
    assert np.hypot(y - 1000, x - 500) <= 24
    assert result.score > zsad.load()(pixels).score
