"""Short forms of the benchmarks: kills lose no answer, scoring again opens no video, and both find faults."""

from __future__ import annotations

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")
pytest.importorskip("av")

from benchmarks import language_kills, language_speed


def test_a_kill_loses_no_answer():
    found = language_kills.measure(1, 16)
    assert found["lost"] == found["sent_by_the_second_run"] == 0 and found["same_scores"], found
    assert found["exit_codes"] == [0, 0]


def test_what_was_under_way_is_told_from_what_was_lost():
    log = [{"sha": str(i), "in": float(i)} for i in range(20)]
    again = [{"sha": "19", "in": 31.0}, {"sha": "12", "in": 32.0}, {"sha": "11", "in": 33.0}]
    assert language_kills.repeated(log + again, [30.0]) == (2, 1)
    assert language_kills.repeated(log, []) == (0, 0)


def test_scoring_again_opens_no_video_and_asks_nothing(tmp_path):
    found = language_speed.rescoring(240, tmp_path)
    assert {"ask_s", "vera_s", "lavad_s"} < set(found) and all(seconds > 0 for seconds in found.values())
