"""Short forms of ``benchmarks/line_speed.py``, and the tables that are made of such files."""

import json

import pytest

from benchmarks import line_speed
from benchmarks.line_tables import batch_speed_markdown, line_kills_markdown, line_speed_markdown


def test_memory_is_flat_over_a_thousand_parts(tmp_path):
    found = line_speed.memory(1000, tmp_path / "m")
    assert found["parts"] == 1000 and list((tmp_path / "m" / "parts").iterdir()) == []
    assert -0.1 < found["growth"] < 0.25 and found["mb_at_the_end"] > 50


def test_a_short_run_has_its_figures_and_its_table(tmp_path):
    pytest.importorskip("fastapi")
    words = ["--parts", "6", "--rounds", "1", "--predictions", "2", "--only", "latency", "predict"]
    line_speed.main([*words, "--json", str(tmp_path / "l.json")])
    found = json.loads((tmp_path / "l.json").read_text())
    assert set(found["rate"]) >= {"share"} and found["latency"]["parts"] == 6 and found["predict"]["calls"] == 2
    table = line_speed_markdown(found)
    assert "| p99 over p50 |" in table and "`/predict`" in table and "memory" not in table
    assert line_speed.failures({"rate": {"share": 0.5}, "memory": {"growth": 0.01}}) == ["rate: share 0.500"]


def test_tables_of_kills_and_batches():
    machine = {"machine": {"processor": "x", "cores": 2}, "commit": None}
    kills = {"kills": 3, "killed_at_work": 2, "files": 9, "rows": 9, "posted_again": 1, "faults": {"half_written": 0}}
    assert "9 files are 9 rows, 0 faults (half written)" in line_kills_markdown(kills | machine)
    run = {"engine": "ray", "images": 10, "to_first_chunk": 1.0}
    runs = [run | {"workers": n, "images_a_second": 5.0 * n} for n in (1, 2)]
    assert "| ray | 2 | 10 | 10.0 | 2.00 |" in batch_speed_markdown({"runs": runs} | machine)
