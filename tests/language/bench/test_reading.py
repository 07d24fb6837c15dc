"""Readers of benchmarks: unknown layouts, broken files, names that lead out, wrong options: one clear line each."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from tests.language.bench import layouts
from tests.language.clips import Levels, write_frames
from zsad.errors import DatasetError
from zsad.language.bench import causation
from zsad.language.bench.causation import HEAD_WORDS as WORDS
from zsad.language.bench.frames import by_importance, even_frames, quarters
from zsad.language.bench.places import Places
from zsad.language.bench.reading import read_csv, read_rows
from zsad.language.bench.sheets import read_sheet
from zsad.language.cache import Cache
from zsad.language.footage import Footage


def test_videos_are_found_below_their_folder_and_nowhere_else(tmp_path):
    root = layouts.videos(tmp_path / "root", ["a/00001", "b/00001", "c/only.one"], 2)
    layouts.videos(tmp_path, ["secret"], 2)
    places = Places(root)
    assert len(places) == 3
    assert places.find("only.one.mp4") == places.find("/home/them/only.one.avi") == root / "c" / "only.one"
    assert places.find("x/b/00001.MP4") == root / "b" / "00001"
    with pytest.raises(DatasetError, match="several videos have this name; give the folder of one with --videos"):
        places.find("00001.mp4")
    for name in (
        "../secret",
        "secret",
        "../../secret.mp4",
        "/",
        "..",
        "",
        "no\0pe",
        "x" * 5000,
        str(tmp_path / "secret"),
    ):
        assert places.find(name) is None, name
    assert len(Places(tmp_path / "nothing")) == 0


@pytest.mark.parametrize("name", ["vane", "cuva", "ecva", "hawk", "hivau"])
def test_an_unknown_layout_is_one_line(bench, tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("hello")
    done = bench(name, tmp_path / "data", "--dry-run", out=None)
    assert done.exit_code == 1 and "unknown layout; " in done.flat and len(done.output.strip().splitlines()) == 1
    done = bench(name, tmp_path / "gone", "--dry-run", out=None)
    assert done.exit_code == 1 and "gone" in done.flat and len(done.output.strip().splitlines()) == 1


ROW = {"task": "Cause", "visual_input": "1.mp4", "ID": 1, "output": "x"}


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [("cuva", [ROW, ROW], "question 'Cause/1' is there twice; leave one out"),
     ("cuva", [{**ROW, "task": "Mood"}], "task 'Mood' is none of Detection"),
     ("cuva", [{"task": "Cause"}], "visual_input or video_file or video_name or video_id or video is missing"),
     ("cuva", [{**ROW, "output": 1.5}], "output is 1.5, it must be text"),
     ("cuva", {"a": 1}, "must be a list of entries"),
     ("cuva", [], "no question in it"),
     ("cuva", [1], "entry 1: is 1, it must be a mapping"),
     ("ecva", [{**ROW, "task": "Detection"}], "no question in it"),
     ("hawk", [{"video": "a.mp4", "QA": {"q": 1}}], "it must be a list of {q, a}"),
     ("hawk", [{"video": "a.mp4", "description": "x"}] * 2, "is there twice"),
     ("hawk", [{"video": "a.mp4", "QA": [{"q": "only"}]}], "QA 1 is no pair of texts q and a"),
     ("hawk", [{"description": "x"}], "video is missing; add it"),
     ("hivau", {"a": []}, "it must be a mapping"),
     ("hivau", {"a": {"events": [[1, 2]], "events_summary_split": [{}, {}]}}, "don't fit together"),
     ("hivau", {"a": {"clips": [[[1, 2]]], "clips_caption": [["x", "y"]]}}, "don't fit together"),
     ("hivau", [{"video": "a.mp4", "conversations": [{}]}], "it must be a question and an answer"),
     ("hivau", [{"video": "a.mp4", "conversations": [{"value": "q"}, {}]}], "value is missing")],
)  # fmt: skip
def test_entries_of_another_form_are_one_line(bench, tmp_path, name, content, line):
    (tmp_path / "test.json").write_text(json.dumps(content))
    done = bench(name, tmp_path / "test.json", "--dry-run", out=None)
    assert done.exit_code == 1 and line in done.flat, done.output
    assert len(done.output.strip().splitlines()) == 1


def test_several_files_of_questions_are_not_chosen_from(bench, tmp_path):
    for name in ("a_test.json", "b_test.json"):
        (tmp_path / name).write_text("[]")
    done = bench("cuva", tmp_path, "--dry-run", out=None)
    assert (
        done.exit_code == 1
        and "2 files of questions (a_test.json, b_test.json); give the one that is meant" in done.flat
    )


def test_sheets_give_what_was_written(tmp_path):
    rows = read_sheet(layouts.sheet(tmp_path / "a.xlsx", [["video_id", "X2 -  result"], ["7", "a < b & c"], ["", ""]]))
    assert rows == [{"video_id": "7", "X2 - result": "a < b & c"}]
    (tmp_path / "a.csv").write_text('video_id,x\n7,"a\nb"\n,\n', encoding="utf-8-sig")
    assert read_csv(tmp_path / "a.csv") == [{"video_id": "7", "x": "a\nb"}]


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><sst>&a;</sst>'


@pytest.mark.parametrize(
    ("shared", "line"),
    [(BOMB, "declares entities"), ("<sst", "is broken"), ("<sst/>", "a cell points to a text that is not there")],
)
def test_broken_sheets_are_one_line(tmp_path, shared, line):
    with pytest.raises(DatasetError, match=line):
        read_sheet(layouts.sheet(tmp_path / "a.xlsx", [["video_id"], ["x"]], shared))


def test_files_that_are_no_sheets_are_one_line(tmp_path):
    (tmp_path / "text.xlsx").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "empty.xlsx", "w") as archive:
        archive.writestr("a.txt", "x")
    for name, line in (("text", "can't be read as .xlsx"), ("empty", "has no sheet"), ("gone", "no such file")):
        with pytest.raises(DatasetError, match=line):
            read_sheet(tmp_path / f"{name}.xlsx")
    layouts.sheet(tmp_path / "no_id.xlsx", [["name", "reason"], ["x", "y"]])
    with pytest.raises(DatasetError, match="no column video_id"):
        causation.read(tmp_path / "no_id.xlsx", Places(tmp_path))
    layouts.sheet(tmp_path / "bare.xlsx", [["video_id"]])
    with pytest.raises(DatasetError, match="no rows below a header"):
        causation.read(tmp_path / "bare.xlsx", Places(tmp_path))


def test_lines_and_lists_are_both_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    (tmp_path / "b.jsonl").write_text('[{"a": 1}, {"a": 2}]')
    assert read_rows(tmp_path / "a.jsonl") == read_rows(tmp_path / "b.jsonl") == [{"a": 1}, {"a": 2}]
    (tmp_path / "c.jsonl").write_text('{"a": 1}\n{"a": 1e999}\n')
    with pytest.raises(DatasetError, match="line 2"):
        read_rows(tmp_path / "c.jsonl")


def test_columns_are_known_by_words_and_cells():
    table = [dict(zip(layouts.HEAD, row, strict=True)) for row in layouts.ROWS]
    assert causation.columns("t", table) == {
        "id": "video_id", "Timestamp": "X1 - moments", "Classification": "X1 - type", "Cause": "X2 - reason (why)",
        "Result": "X2 -  result (what then)", "Description": "X3 - description",
        "sentences": "X4 - key sentences (short)",
    }  # fmt: skip
    assert set(WORDS) == {"Cause", "Result", "Description", "sentences"}


def test_right_categories_are_of_cells_numbers_or_names():
    found = [causation.categories(cell) for cell in ("[1-1,4] [7-3,2]", "[5]", "Fire", "other", "[12-1,3]")]
    assert found == [{1, 7}, {5}, {9}, set(), set()]


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [("mvbench", (), "no such benchmark; known: vane, cuva, ecva, hawk, hivau"),
     ("vane", ("--judge",), "vane has no judge"),
     ("vane", ("--videos", "v"), "leave --videos out"),
     ("hivau", ("--judge-llm", "x"), "no judge is asked here; leave it out, or add --judge"),
     ("hawk", ("--sampling", "added"), "is for cuva and ecva"),
     ("cuva", ("--sampling", "ranked"), "is for ecva"),
     ("cuva", ("--sampling", "odd"), "--sampling is one of uniform, replaced, added, ranked"),
     ("hawk", ("--model", "m"), "draw the importance curve"),
     ("cuva", ("--motion",), "--motion is for hawk"),
     ("ecva", ("--text", "t"), "draw the importance curve"),
     ("hawk", ("--answers", "a", "--max-tokens", "9"), "--max-tokens is for asking a model"),
     ("hawk", ("--answers", "a", "--frames", "9"), "--frames is for asking a model"),
     ("hawk", ("--answers", "a", "--no-judge", "--endpoint", "http://a"), "--endpoint: nobody is asked"),
     ("hawk", ("--replay", "a", "--judge-endpoint", "http://a"), "leave --judge-endpoint out"),
     ("hawk", (), "asks a language model: give --endpoint URL")],
)  # fmt: skip
def test_wrong_usage_is_one_line(bench, tmp_path, name, arguments, line):
    layouts.hawk(tmp_path / "hawk")
    done = bench(name, tmp_path / "hawk", *arguments)
    assert done.exit_code == 2 and line in done.flat, done.output


def test_results_need_a_place_that_is_free(bench, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text("{}")
    done = bench("hawk", tmp_path, "--endpoint", "http://a")
    assert done.exit_code == 2 and "was not written by zsad" in done.flat


def test_frames_are_dense_about_the_peaks_of_importance(tmp_path):
    pytest.importorskip("av")
    levels = [20] * 150 + [200] * 30 + [20] * 120
    footage = Footage(write_frames(tmp_path / "v", levels), Cache(None), 30.0)
    frames, peaks = by_importance(footage, ["it is 200"], Levels(), 16)
    assert peaks == [150]
    # each 30th frame from 30 to 270, and ten from 120 to 180: 17 in all, of which the middles of 16 parts are taken
    fine = sorted({*range(30, 300, 30), *(int(x) for x in np.linspace(120, 180, 10))})
    part = (len(fine) - 1) / 16
    assert list(frames) == [fine[(round(part * k) + round(part * (k + 1))) // 2] for k in range(16)]
    assert sum(120 <= frame <= 180 for frame in frames) >= 9


def test_frames_of_spans_and_of_short_videos(tmp_path):
    pytest.importorskip("av")
    footage = Footage(write_frames(tmp_path / "v", [9] * 40), Cache(None), 2.0)
    assert even_frames(footage, 4) == (5, 15, 24, 34)
    assert even_frames(footage, 3, (5.0, 6.0)) == (10, 11) and even_frames(footage, 3, (99.0, 100.0)) == (39,)
    assert [len(part) for part in quarters(footage, 10)] == [2, 2, 2, 2]
    short = Footage(write_frames(tmp_path / "s", [9] * 2), Cache(None), 2.0)
    assert quarters(short, 8) == [(0, 1)]
