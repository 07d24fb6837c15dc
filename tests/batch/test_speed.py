"""The short form of ``benchmarks/batch_speed.py``."""

import json

import pytest

pytest.importorskip("pyarrow")

from benchmarks import batch_speed


def test_a_short_run_has_its_figures(tmp_path):
    words = ["--images", "24", "--engines", "local", "--workers", "1", "--json", str(tmp_path / "b.json")]
    assert batch_speed.main(words) == 0
    found = json.loads((tmp_path / "b.json").read_text())
    assert [(one["engine"], one["workers"], one["images"]) for one in found["runs"]] == [("local", 1, 24)]
    assert found["runs"][0]["images_a_second"] > 0 and {"commit", "versions", "machine"} <= set(found)
