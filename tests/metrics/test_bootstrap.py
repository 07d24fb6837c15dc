import numpy as np
import pytest

from tests.metrics.oracles import random_case
from zsad.metrics import image_auroc, pixel_metrics
from zsad.metrics.aupro import gather
from zsad.metrics.bootstrap import bootstrap_images, bootstrap_pixels, draw
from zsad.metrics.regions import split_all


def test_draws_keep_both_classes():
    labels = np.array([0, 0, 0, 1, 1])
    counts = draw(labels, 50, seed=3)
    assert counts.shape == (50, 5)
    assert (counts[:, labels == 1].sum(1) == 2).all() and (counts[:, labels == 0].sum(1) == 3).all()
    assert np.array_equal(counts, draw(labels, 50, seed=3))


def test_image_interval_agrees_with_the_delta_method():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 150)
    scores = rng.normal(size=300) + labels
    low, high = bootstrap_images(labels, scores, 400)["image_auroc"]
    value = image_auroc(labels, scores).value
    assert low < value < high
    # Hanley & McNeil (1982) standard error of the AUROC.
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    error = np.sqrt((value * (1 - value) + 149 * (q1 - value**2) + 149 * (q2 - value**2)) / 150**2)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.25)


def test_pixel_interval_agrees_with_resampled_exact_metrics():
    masks, maps = random_case(4, n=24, h=20, w=20)
    images = list(split_all(masks, maps))
    exact = {name: metric.value for name, metric in pixel_metrics(masks, maps).items()}
    got = bootstrap_pixels(images, gather(images), exact, 200, seed=5)
    counts = draw(masks.any(axis=(1, 2)), 200, seed=5)
    slow = [pixel_metrics(np.repeat(masks, c, axis=0), np.repeat(maps, c, axis=0)) for c in counts]
    for name, interval in got.items():
        expected = np.quantile([metrics[name].value for metrics in slow], [0.025, 0.975])
        assert interval == pytest.approx(tuple(expected), abs=2e-3), name


def test_one_class_has_no_interval():
    assert bootstrap_images([1, 1], [0.1, 0.2]) == {}
    masks, maps = random_case(0)
    images = list(split_all(masks * 0, maps))
    assert bootstrap_pixels(images, gather(images), {}) == {}
