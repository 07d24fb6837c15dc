"""Short forms of the benchmarks: kills lose no answer, scoring again opens no video, and both find faults."""

from __future__ import annotations

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")
pytest.importorskip("av")

from benchmarks import language_kills, language_speed
from benchmarks.language_tables import language_kills_markdown, language_speed_markdown


def test_a_kill_loses_no_answer():
    found = language_kills.measure(1, 16)
    assert found["lost"] == found["sent_by_the_second_run"] == 0 and found["same_scores"], found
    assert found["exit_codes"] == [0, 0]


def test_what_was_under_way_is_told_from_what_was_lost():
    def row(sha, key, at):
        return {"sha": str(sha), "key": key, "in": float(at), "out": at + 0.1}

    first = [row(i, "run-1", i) for i in range(20)]
    again = [row(sha, "run-2", 31) for sha in (19, 18, 11)]  # 11 was answered 8 s before the first run's last question
    assert language_kills.repeated(first + again) == (2, 1)
    assert language_kills.repeated(first) == (0, 0)
    many = [row(i, "run-1", 0) for i in range(20)] + [row(i, "run-2", 1) for i in range(10)]
    assert language_kills.repeated(many) == (language_kills.AT_ONCE, 2)  # more than can have been under way


def test_scoring_again_opens_no_video_and_asks_nothing(tmp_path):
    found = language_speed.rescoring(240, tmp_path)
    assert {"ask_s", "vera_s", "lavad_s"} < set(found) and all(seconds > 0 for seconds in found.values())


def test_tables_of_speed_and_kills():
    about = {"hardware": {"processor": "x", "cores": 2}, "commit": None}
    figures = {"overhead_ms": 4.25, "cache_hit_ms": 0.1, "ask_s": 8.0, "vera_s": 40.0, "lavad_s": 80.0}
    speed = {"figures": figures, "limits": language_speed.LIMITS, "windows": 480, "at_once": 16, "server_ms": 500.0}
    table = language_speed_markdown(speed | about)
    assert "| a kept answer | 0.1 ms | 0.5 ms |" in table and "`lavad` | 80 s | 300 s |" in table
    kills = {"kills": 3, "windows": 50, "requests": 54, "distinct": 50, "under_way_at_a_kill": 4, "lost": 0,
             "sent_by_the_second_run": 0, "same_scores": False}  # fmt: skip
    text = language_kills_markdown(kills | about)
    assert "killed 3 times" in text and "paid for twice: 0" in text and "OTHER scores" in text
