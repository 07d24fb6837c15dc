"""Matrix products in lanes: a lane's processors, what was there before afterwards, and the same results."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import zsad
from zsad.detector import lane_threads as module
from zsad.detector.lane_threads import lane_threads
from zsad.scoring import Memory, MemoryScorer
from zsad.scoring.memory import half


class Library:
    def __init__(self, threads):
        self.num_threads = threads

    def set_num_threads(self, threads):
        self.num_threads = threads


@pytest.fixture
def libraries(monkeypatch):
    there = (Library(8), Library(1))
    monkeypatch.setattr(module, "_libraries", lambda: there)
    return there


def numbers(libraries):
    return [one.num_threads for one in libraries]


def test_products_use_the_processors_of_a_lane_and_then_those_of_before(libraries):
    with lane_threads(2):
        assert numbers(libraries) == [2, 1]  # what uses fewer is left so
    assert numbers(libraries) == [8, 1]
    with pytest.raises(ZeroDivisionError), lane_threads(1):
        1 / 0  # noqa: B018
    assert numbers(libraries) == [8, 1]


def test_without_lanes_nothing_changes(libraries):
    with lane_threads(None):
        assert numbers(libraries) == [8, 1]


def test_the_last_lane_that_ends_puts_back_what_was_there(libraries):
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    seen = []

    def first():
        with lane_threads(1):
            first_is_in.set()
            second_is_in.wait(30)
        first_is_out.set()

    other = threading.Thread(target=first)
    other.start()
    first_is_in.wait(30)
    with lane_threads(1):
        second_is_in.set()
        first_is_out.wait(30)
        seen.append(numbers(libraries))
    other.join()
    assert seen == [[1, 1]] and numbers(libraries) == [8, 1]


def test_the_library_of_numpy_is_found_and_one_lane_puts_back_what_another_has_set():
    there = module._libraries()
    before = numbers(there)
    assert before
    first_is_in, second_is_in = threading.Event(), threading.Event()
    seen = []

    def first():
        with lane_threads(1):
            first_is_in.set()
            second_is_in.wait(30)

    def second():
        first_is_in.wait(30)
        with lane_threads(1):
            second_is_in.set()
            lanes[0].join()
            seen.append(numbers(there))

    lanes = [threading.Thread(target=first), threading.Thread(target=second)]
    for one in lanes:
        one.start()
    lanes[1].join()
    assert seen == [[1] * len(there)] and numbers(there) == before


def test_a_detector_in_lanes_scores_by_their_processors_and_as_it_does_alone(libraries):
    detector = zsad.load(threads=2)
    card = detector.card
    rng = np.random.default_rng(0)
    rows = half(rng.standard_normal((50, card.reading.embed_dim)).astype(np.float32))
    scored, used = MemoryScorer(Memory((rows,) * len(card.reading.layers), 0.1), card), []

    class Watched(MemoryScorer):
        def score(self, features):
            used.append(numbers(libraries))
            return super().score(features)

    alone = detector.with_scorer(Watched(scored.memory, card))
    in_lanes, lanes = alone.side_by_side()
    image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    first, second = alone(image), in_lanes(image)
    assert lanes == 2 and used == [[8, 1], [1, 1]]
    assert first.score == pytest.approx(second.score, abs=1e-5)
    np.testing.assert_allclose(first.map, second.map, atol=1e-5)
