"""Scores of a video: written, read back, and refused where they contradict themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.errors import InputError, OccupiedError
from zsad.video import ScoreSeries, read_series, write_series


def series(**changes):
    values = {"values": [0.1, 0.7, 0.2], "positions": [0, 4, 8], "timestamps": [0.0, 0.2, 0.4], "n_frames": 10,
              "fps": 20.0, "method": "map"}  # fmt: skip
    return ScoreSeries(**values | changes)


def test_a_file_says_it_all_and_is_read_back(tmp_path):
    given = series(
        model="tiny",
        refiners=("median 5",),
        partial=True,
        classes={"fire": [0, 0.5, 1]},
        calls={"sent": 2, "cached": 1},
    )
    write_series(tmp_path / "scores.json", given)
    data = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert set(data) == {"format", "n_frames", "fps", "values", "positions", "timestamps", "method", "model",
                         "refiners", "partial", "classes", "calls"}  # fmt: skip
    found = read_series(tmp_path / "scores.json")
    assert found.to_dict() == given.to_dict() and found.partial and found.refiners == ("median 5",)
    assert found.positions.dtype == np.int64 and found.classes["fire"].tolist() == [0, 0.5, 1]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True).map(sorted), st.integers(1, 20))
def test_each_frame_has_the_value_of_the_last_position_before_it(places, after):
    n = places[-1] + after
    values = np.arange(len(places), dtype=float)
    found = series(values=values, positions=places, timestamps=values, n_frames=n).to_frames()
    assert len(found) == n
    for frame in range(n):
        earlier = [i for i, place in enumerate(places) if place <= frame]
        assert found[frame] == (earlier[-1] if earlier else 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"values": [0.1]}, "values and positions differ in length: 1 and 3"),
        ({"timestamps": [0.0]}, "values and timestamps differ in length: 3 and 1"),
        ({"values": [0.1, np.nan, 0.2]}, "values hold a number that is not finite, at index 1"),
        ({"positions": [0, 4, 4]}, "ascend"),
        ({"positions": [0, 4, 10]}, "positions must lie in 0 to 9"),
        ({"positions": [-1, 4, 8]}, "positions must lie in 0 to 9"),
        ({"timestamps": [0.0, 0.4, 0.2]}, "descend"),
        ({"fps": -1.0}, "not below 0"),
        ({"classes": {"a": [0.1]}}, "class 'a' must have 3 finite scores"),
    ],
)
def test_a_series_that_contradicts_itself_is_refused(changes, says):
    with pytest.raises(InputError, match=says):
        series(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "not scores of a video"),
        ({"format": True}, "not scores of a video"),
        ({"values": ["a", 1, 2]}, "values must be a list of numbers"),
        ({"positions": [0, 1.5, 2]}, "positions must be whole numbers"),
        ({"n_frames": -1}, "n_frames must be a whole number"),
        ({"fps": "fast"}, "fps a number"),
        ({"refiners": "median"}, "refiners must be a list of texts"),
        ({"classes": []}, "classes and calls must be mappings"),
        ({"calls": {"sent": -1}}, "calls must be counts"),
        ({"more": 1}, "unknown key 'more'"),
        ({"method": 5}, "method and model must be texts"),
        ({"positions": [0, 4, 1 << 70]}, "scores.json"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path, changes, says):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(series().to_dict() | changes), encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        read_series(path)
    assert "scores.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_key_that_is_absent_is_named(tmp_path):
    data = series().to_dict()
    del data["fps"]
    (tmp_path / "s.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError, match="lacks fps"):
        read_series(tmp_path / "s.json")


def test_another_file_is_not_replaced(tmp_path):
    (tmp_path / "scores.json").write_text('{"mine": 1}', encoding="utf-8")
    with pytest.raises(OccupiedError):
        write_series(tmp_path / "scores.json", series())
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8")) == {"mine": 1}
