"""Five kills under load; ``benchmarks/line_kills.py`` does a hundred."""

from benchmarks import line_kills


def test_five_kills_lose_double_and_tear_nothing(tmp_path):
    found = line_kills.measure(5, 40.0, tmp_path)
    assert not any(found["faults"].values()), found
    assert found["files"] == found["rows"] > 20 and found["killed_at_work"] >= 3
