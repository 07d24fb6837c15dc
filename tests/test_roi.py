"""Regions of interest: pixels by their centres, in any size; files read strictly."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.errors import UsageError
from zsad.roi import Roi, read_roi, roi_of

corner = st.tuples(st.integers(0, 16), st.integers(0, 16))


def crossing(polygon, x, y):
    """Even-odd rule by a ray to the right."""
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


@given(st.lists(corner, min_size=3, max_size=6), st.integers(3, 11), st.integers(3, 11))
def test_a_pixel_counts_if_its_centre_lies_inside(points, height, width):
    polygon = [(x / 16.01, y / 16.01) for x, y in points]  # no centre lies on an edge but by accident
    try:
        roi = Roi((tuple(polygon),))
    except UsageError:
        return
    got = roi.inside(height, width)
    for y in range(height):
        for x in range(width):
            cx, cy = (x + 0.5) / width, (y + 0.5) / height
            near = {crossing(polygon, cx + dx, cy + dy) for dx in (-1e-6, 1e-6) for dy in (-1e-6, 1e-6)}
            assert len(near) == 2 or got[y, x] == near.pop()


def test_boxes_in_pixels_and_in_fractions():
    drawn = roi_of(boxes=[[2, 1, 6, 4]], size=[8, 4])
    want = np.zeros((4, 8), bool)
    want[1:4, 2:6] = True
    assert np.array_equal(drawn.inside(4, 8), want)
    assert drawn == roi_of(boxes=[[0.25, 0.25, 0.75, 1.0]])
    assert np.array_equal(drawn.inside(8, 16), want.repeat(2, axis=0).repeat(2, axis=1))


def test_the_whole_image_and_several_shapes():
    assert roi_of(boxes=[[0, 0, 1, 1]]).inside(7, 5).all()
    two = roi_of(boxes=[[0, 0, 0.5, 1]], polygons=[[[0.5, 0], [1, 0], [1, 1], [0.5, 1]]])
    assert two.inside(6, 6).all()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "is no JSON object such as"), ({"box": []}, "is no JSON object such as"), ("{", "not JSON|no JSON|JSON"),
        ({}, "give 1 to 100 of them, got 0"), ({"boxes": 3}, "boxes must be a list"),
        ({"boxes": [[0, 0, 1]]}, r"a box must be \[x0, y0, x1, y1\]"), ({"boxes": [[0, 0, "1", 1]]}, "a box must be"),
        ({"boxes": [[0.5, 0, 0.1, 1]]}, "x0 below x1"), ({"boxes": [[0, 0, 2, 1]]}, "corner outside of the image"),
        ({"boxes": [[0, 0, 1e300, 1]]}, "a box must be"), ({"boxes": [[0, 0, 9, 9]], "size": [0, 9]}, "above 0"),
        ({"polygons": [[[0, 0], [1, 1]]]}, "3 to 1000 corners"),
        ({"polygons": [[[0, 0], [0.5, 0.5], [1, 1]]]}, "one line"),
        ({"polygons": [[[0, 0], [True, 0], [1, 1]]]}, "a corner must be"), ({"boxes": [[0, 0, 1, 1]] * 101}, "got 101"),
    ],
)  # fmt: skip
def test_files_of_another_form_are_refused_by_name(tmp_path, data, said):
    path = tmp_path / "roi.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(UsageError, match=f"roi.json: .*{said}"):
        read_roi(path)


@pytest.mark.parametrize("text", [None, " " * 2_000_000 + "{}", '{"boxes": [[0, 0, NaN, 1]]}', "[" * 100_000])
def test_files_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "roi.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"roi.json: ") as refused:
        read_roi(path)
    assert len(str(refused.value)) < 300 + len(str(path))


def test_a_file_is_read(tmp_path):
    path = tmp_path / "roi.json"
    path.write_text(json.dumps({"size": [640, 480], "boxes": [[0, 0, 320, 480]]}))
    assert read_roi(path) == roi_of(boxes=[[0, 0, 0.5, 1]])
