"""The short form of ``benchmarks/kills.py``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import kills
from zsad.stream.item import stamp_of
from zsad.stream.sinks.rows import Row

SMALL = Path(__file__).parents[1] / "detector" / "small.onnx"


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_three_kills_leave_nothing_wrong_lost_doubled_or_torn(tmp_path, capsys):
    out = tmp_path / "kills.json"
    assert kills.main(["--kills", "3", "--files", "24", "--model", str(SMALL), "--json", str(out)]) == 0
    facts = json.loads(out.read_text())
    assert (
        facts["killed"].get("at work", 0) + facts["killed"].get("at its start", 0) == 3
        and facts["rows_held_against_a_fresh_score"] >= 20
    )
    assert set(facts["faults"].values()) == {0}
    assert facts["changes"]["added"] >= 24


def test_the_measurement_finds_faults(tmp_path):
    found, journal = kills.Findings(), tmp_path / "r.jsonl"
    journal.write_bytes(Row("a").to_line() * 2 + b'{"file": "b", "sc')
    assert len(kills.rows_of(journal, found)) == 2 and (found.torn, found.twice) == (1, 1)
    (tmp_path / "x.png").write_bytes(b"\x89PNG half")
    (tmp_path / "report.html").write_text("<html>")
    kills.check_files(tmp_path, found)
    assert found.torn == 3
    world = kills.World(tmp_path / "in", np.random.default_rng(0))
    world.folder.mkdir()
    world.add()
    ((path, stamp),) = world.versions
    assert stamp == stamp_of(path)

    class Stub:
        def __call__(self, image):
            return Row("", score=0.5)

    kills.check_scores(world, {(path, stamp): 0.5, (path, "other"): 0.5}, Stub(), found)
    kills.check_scores(world, {(path, stamp): 0.51}, Stub(), found)
    assert found.wrong == 2 and found.rows == 3 and found.faults == 6
