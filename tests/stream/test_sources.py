"""Where items come from; files and folders are in test_run."""

from __future__ import annotations

import gc
import os
import sys
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.part_images import part
from zsad.errors import InputError, UsageError
from zsad.stream import Item, frames, from_iterable, glob_images
from zsad.stream.sources import _natural


def test_whatever_a_program_holds(tmp_path):
    path = part(tmp_path / "x.png")
    array, picture = np.zeros((9, 9), np.uint8), Image.new("L", (9, 9))
    items = list(from_iterable([array, path, picture, lambda: array, str(path)]))
    assert [item.id for item in items] == ["000000", str(path), "000002", "000003", str(path)]
    assert items[0].open() is array and items[2].open() is picture and items[3].open() is array
    assert items[1].open() == str(path) and items[1].label == "x.png"
    assert items[0].stamp() == items[3].stamp() == "" and items[1].stamp() == items[4].stamp() != ""


def test_ids_that_are_given(tmp_path):
    path = part(tmp_path / "x.png")
    (item,) = from_iterable([path], ["camera 1/7"])
    assert (item.id, item.open()) == ("camera 1/7", path) and item.stamp() != ""
    with pytest.raises(UsageError, match="more images than ids: 1 ids"):
        list(from_iterable([path, path], ["a"]))
    with pytest.raises(UsageError, match="the id a comes twice"):
        list(from_iterable([path, path], ["a", "a"]))


def test_an_endless_source_is_asked_for_no_more_than_what_is_taken():
    asked = []
    images = (asked.append(i) or np.zeros((9, 9), np.uint8) for i in count())
    assert [item.id for item in islice(from_iterable(images), 3)] == ["000000", "000001", "000002"]
    assert asked == [0, 1, 2]


def test_globs(tmp_path):
    for name in ("line1/b.png", "line1/a.png", "line2/c.png", "line2/d.txt", "line10.png/e.png"):
        part(tmp_path / name if name.endswith("png") else (tmp_path / name).with_suffix(".bmp"))
    items = glob_images(str(tmp_path / "line*" / "*.png"))
    assert [item.label for item in items] == [str(Path(*p)) for p in
                                              (("line1", "a.png"), ("line1", "b.png"), ("line10.png", "e.png"),
                                               ("line2", "c.png"))]  # fmt: skip
    assert len(glob_images(str(tmp_path / "*.png"))) == 1  # a folder of that name is no image
    (nothing,) = glob_images(str(tmp_path / "*.gif"))
    assert nothing.error == "no file matches this pattern"
    with pytest.raises(InputError, match="no file matches"):
        nothing.open()


def test_frames_in_natural_order(tmp_path):
    for name in ("frame_10.png", "frame_9.png", "frame_100.png", "frame_09.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [item.label for item in frames(tmp_path)] == ["frame_9.png", "frame_09.png", "frame_10.png", "frame_100.png"]
    assert frames(tmp_path / "absent")[0].error.startswith("folder can't be listed")


@given(st.lists(st.text(st.sampled_from("ab019.\u0663-"), max_size=6)))
def test_natural_order_law(names):
    """It is an order whatever the names are, and numbers of one length keep their usual one."""
    ordered = sorted(names, key=_natural)
    ordered.reverse()
    assert sorted(ordered, key=_natural) == ordered[::-1]
    assert sorted(["f3", "f1", "f2"], key=_natural) == ["f1", "f2", "f3"]


def test_100_000_items_are_small():
    paths = [os.fspath(f"/data/parts/{i:06d}.png") for i in range(100_000)]
    items = [Item(path, path[-10:]) for path in paths]
    assert not hasattr(items[0], "__dict__")
    gc.collect()
    assert sum(sys.getsizeof(item) + sys.getsizeof(item.label) for item in items) < 15e6
