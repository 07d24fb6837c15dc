"""A short form of ``tests/fuzz/fuzz.py``: damaged files and odd arrays end in a result or in one line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.contrast import Contrast

SMALL = Path(__file__).parents[1] / "detector" / "small.onnx"


@pytest.fixture(scope="module")
def fuzz():
    pytest.importorskip("psutil")
    from tests.fuzz import fuzz

    return fuzz


def test_samples_are_all_read(fuzz, tmp_path):
    from zsad.images.preprocess import decode

    for kind, variants in fuzz.samples().items():
        for data in variants:
            (tmp_path / "x").write_bytes(data)
            assert sorted(decode(tmp_path / "x").size) == [48, 64], kind


def test_damaged_files_through_detect(fuzz, tmp_path):
    fuzz.write_files(tmp_path / "in", 150, seed=1)
    counts, wrong, _ = fuzz.detect_outcomes(tmp_path / "in", tmp_path / "out", str(SMALL), limit=300)
    assert wrong == []
    assert counts["decoded"] > 20 and counts["refused"] > 20 and counts.total() == 150


def test_odd_arrays(fuzz):
    rng = np.random.default_rng(1)
    outcomes = Counter(fuzz.array_outcome(Contrast(), fuzz.random_array(rng)) for _ in range(400))
    assert set(outcomes) == {"decoded", "refused"} and min(outcomes.values()) > 20


def test_damaged_documents_cards_prompts_and_models():
    pytest.importorskip("psutil")
    from tests.fuzz import documents

    counts, wrong = documents.run(700, seed=1)
    assert wrong == []
    assert set(counts) == set(documents.KINDS) and sum(sum(found.values()) for found in counts.values()) == 700
    assert all(found.get("refused", 0) + (kind == "row") > 0 for kind, found in counts.items())


def test_the_fuzzer_of_documents_sees_what_is_wrong():
    pytest.importorskip("psutil")
    from tests.fuzz import documents

    def bad(path):
        raise KeyError("raw")

    counts, wrong = documents.run(5, 0, {"bad": ("b.json", b"{}", bad)})
    assert counts == {"bad": {"wrong": 5}} and "KeyError" in wrong[0]
