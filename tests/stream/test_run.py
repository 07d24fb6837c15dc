from __future__ import annotations

import errno
import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.contrast import Contrast
from tests.part_images import part, write_parts
from zsad.errors import InputError, OutputError, UsageError
from zsad.facts import peak_of
from zsad.files import output_errors
from zsad.images.preprocess import Decoded
from zsad.regions import Region
from zsad.report import choice
from zsad.stream import Item, Options, detect, find_images, inspect, read_rows
from zsad.stream.ahead import open_ahead
from zsad.stream.inspect import decoded_bytes
from zsad.stream.names import Names, link, safe_name
from zsad.stream.sinks.files import LineFile
from zsad.stream.sinks.journal import EarlierRows
from zsad.stream.sinks.report import ReportPage
from zsad.stream.sinks.rows import Row, from_line, read_places
from zsad.types import Result, Thresholds

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX names or links")


@pytest.fixture
def parts(tmp_path):
    return write_parts(tmp_path / "in", 9)


def go(parts, out, **options):
    rows: list[Row] = []
    detector = options.pop("detector", Contrast())
    progress = detect(
        detector, find_images([parts], skip=out), Options(out=out, **options), lambda r, p: rows.append(r)
    )
    return rows, progress


# ---- finding images


def test_folders_are_filtered_and_files_always_tried(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "._c.png", "sub/d.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    flat = find_images([tmp_path])
    assert [item.label for item in flat] == ["a.JPG", "b.png"]
    deep = find_images([tmp_path], recursive=True)
    assert [item.label for item in deep] == ["a.JPG", "b.png", str(Path("sub", "d.tif"))]
    assert [item.label for item in find_images([tmp_path / "notes.txt", tmp_path / "absent"])] == [
        "notes.txt",
        "absent",
    ]


def test_of_several_folders_each_image_is_named_with_its_folder(tmp_path):
    for name in ("line1/x.png", "line2/x.png"):
        part(tmp_path / name)
    labels = [item.label for item in find_images([tmp_path / "line1", tmp_path / "line2"])]
    assert labels == [str(Path("line1", "x.png")), str(Path("line2", "x.png"))]


def test_each_file_once_and_the_output_folder_left_out(parts):
    out = parts / "out"
    part(out / "overlay" / "x.png")
    sources = find_images([parts, parts / "p0.png", parts / "." / "p1.png"], recursive=True, skip=out)
    assert len(sources) == 9
    # Results beside the images: the images are still found, the pictures of the last run are not.
    part(parts / "overlay" / "y.png")
    assert len(find_images([parts], recursive=True, skip=parts)) == 10  # with out/overlay/x.png, a folder of its own
    assert len(find_images([parts], skip=parts)) == 9


def test_a_folder_without_images_is_said(tmp_path):
    (tmp_path / "sub").mkdir()
    (item,) = find_images([tmp_path])
    assert item.error == "folder without an image; --recursive looks into its sub-folders"


@posix
def test_loops_of_links_end(tmp_path):
    part(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "self.png").symlink_to(tmp_path / "a" / "self.png")
    sources = find_images([tmp_path], recursive=True)
    assert sorted(Path(item.id).name for item in sources) == ["self.png", "x.png"]


def test_many_files_in_one_folder(tmp_path, monkeypatch):
    class Entry:
        def __init__(self, i):
            self.name, self.path = f"{i:06d}.png", str(tmp_path / f"{i:06d}.png")

        def is_dir(self):
            return False

    class Listing(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", lambda _: Listing(Entry(i) for i in range(20_000)))
    sources = find_images([tmp_path])
    assert len(sources) == 20_000 and sources[-1].label == "019999.png"


# ---- decoding ahead


def test_order_is_kept_and_memory_bounded():
    waiting, most = [0], [0]
    lock = threading.Lock()

    def slow(item: Item) -> Decoded:
        time.sleep(0.001 * (int(item.id) % 3))
        with lock:
            waiting[0] += 1
            most[0] = max(most[0], waiting[0])
        if int(item.id) % 7 == 0:
            raise InputError("seven")
        return Decoded(Image.new("L", (100, 100)))

    names = []
    for ready in open_ahead((Item(str(i), "") for i in range(60)), slow, readers=3, ahead=8, waiting=10**9):
        with lock:
            waiting[0] -= 1
        names.append(int(ready.item.id))
        assert (str(ready.failure) == "seven") == (names[-1] % 7 == 0)
    assert names == list(range(60))
    assert most[0] <= 8 + 1


def test_bytes_bound_what_waits():
    begun = []

    def decode(item: Item) -> Decoded:
        begun.append(item)
        return Decoded(Image.new("RGB", (250, 100)))  # four bytes a pixel

    items = [Item(str(i), "") for i in range(50)]
    ready = open_ahead(items, decode, readers=2, ahead=40, waiting=250_000, size=decoded_bytes)
    next(ready)
    time.sleep(0.2)
    assert len(begun) <= 1 + 3 + 2  # given out, waiting, one per reader
    ready.close()
    assert sum(1 for thread in threading.enumerate() if thread.name.startswith("zsad-reader")) == 0


def test_a_bug_in_the_source_reaches_the_caller():
    def broken():
        yield Item("x", "x")
        raise RuntimeError("bug")

    seen = []
    with pytest.raises(RuntimeError, match="bug"):
        seen += [ready.item.id for ready in open_ahead(broken(), Item.open, readers=2, ahead=4, waiting=10**9)]


def test_results_are_those_of_the_detector(parts):
    detector = Contrast()
    for item in inspect(detector, find_images([parts]), batch_size=4):
        alone = detector(item.item.id)
        assert item.value.score == pytest.approx(alone.score, abs=1e-6)
        assert np.allclose(item.value.map, alone.map, atol=1e-6)


def test_lanes_work_side_by_side_and_keep_the_order(parts):
    together, sizes = threading.Barrier(3), []

    class Lanes(Contrast):
        def side_by_side(self):
            return self, 3

        def batch(self, images, *, errors="raise", **options):
            sizes.append(len(images))
            together.wait(timeout=20)  # breaks unless three threads are here at a time
            return super().batch(images, errors=errors, **options)

    items = list(inspect(Lanes(), find_images([parts])))
    plain = list(inspect(Contrast(), find_images([parts])))
    assert len(items) == 9 and [i.item for i in items] == [i.item for i in plain]
    assert [i.value.score for i in items] == pytest.approx([i.value.score for i in plain], abs=1e-6)
    assert sizes == [1] * 9
    assert len(list(inspect(Lanes(), find_images([parts]), batch_size=3))) == 9
    assert sizes[9:] == [3] * 3


def test_an_image_that_does_not_fit_in_memory_fails_alone(parts):
    class Hungry(Contrast):
        def batch(self, images, *, errors="raise", **options):
            if any("p3" in image.name for image in images):
                raise MemoryError
            return super().batch(images, errors=errors, **options)

    items = list(inspect(Hungry(), find_images([parts])))
    assert [bool(item.value) for item in items] == [i != 3 for i in range(9)]
    assert items[3].error.endswith("p3.png: does not fit in memory; cut it up first")


# ---- names


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=0, max_size=150))
def test_safe_names_law(label):
    name = safe_name(label)
    assert name and len(name.encode()) <= 100
    assert not set('/\\:*?"<>|\0\n') & set(name) and name not in (".", "..") and name == name.strip(". ")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a/x.png", "b/x.png", "x.png", "X.png", "x.jpg", "e\u0301.png", "\u00e9.png", "?.png"]))
)
def test_names_are_unique_law(labels):
    names = Names()
    given_names = [names.give(label, f"/root/{i}/{label}") for i, label in enumerate(labels)]
    assert len({name.casefold() for name in given_names}) == len(labels)


def test_names_never_leave_the_folder():
    for label in ("../../etc/passwd.png", "/abs/x.png", "C:\\x\\y.png", "..", "nul", "a\x00b", ""):
        assert (
            "/" not in safe_name(label) and "\\" not in safe_name(label) and safe_name(label) not in ("", "..", "nul")
        )


@posix
def test_links_survive_any_bytes():
    assert link("/data/a b#?%.png", Path("/data/out")) == "../a%20b%23%3F%25.png"
    assert link(os.fsdecode(b"/data/\xff\n.png"), Path("/data")) == "%FF%0A.png"
    assert link("/data/javascript:alert(1).png", Path("/data")) == "javascript%3Aalert%281%29.png"


# ---- rows


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda t: "\0" not in t),
    st.floats(0, 1),
    st.integers(0, 10**9),
)
def test_rows_survive_json_law(name, score, area):
    region = Region((1, 2, 3, 4), area, round(score, 6), (1.5, 2.25))
    row = Row(
        name,
        "r",
        "m",
        "1-2",
        score=round(score, 6),
        verdict="anomalous",
        fired=("score",),
        thresholds=Thresholds("never", 0.5, rule="region"),
        outline=0.5,
        regions=(region,),
        region_count=1,
    )
    line = row.to_line()
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert from_line(line) == row


@posix
def test_names_that_are_not_utf_8_come_back_exactly():
    name = os.fsdecode(b"/x/\xff\xfe.png")
    line = Row(name, error="no").to_line()
    assert json.loads(line)["file"] == "/x/\\udcff\\udcfe.png"
    assert from_line(line).file == name


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b'{"file": 3}', b'{"file": "x", "new": 1}', b"\xff", b'{"regions": 3}']
)
def test_damaged_lines_are_left_out(line):
    assert from_line(line) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 0.2), st.floats(0.01, 0.99))
def test_peak_agrees_with_the_verdict_law(seed, min_area, pixel):
    values = np.random.default_rng(seed).random((20, 30), dtype=np.float32)
    values[5:15, 5:20] += 0.4
    result = Result(0.0, np.clip(values, 0, 1), Thresholds("never", pixel, min_area))
    assert (peak_of(result) >= pixel) == bool(result.regions)


# ---- the run


def test_everything_is_written(parts, tmp_path):
    (parts / "broken.png").write_bytes(b"x")
    out = tmp_path / "out"
    rows, progress = go(parts, out, maps="npy")
    assert (progress.total, progress.done, progress.failed) == (10, 10, 1)
    assert progress.anomalous == 0 and {row.verdict for row in rows} == {None}  # no threshold is given
    assert list(read_rows(out / "results.jsonl")) == [from_line(row.to_line()) for row in rows]
    assert rows[0].error.endswith("broken.png: not an image that can be read; give PNG, JPEG, TIFF, WebP or BMP")
    for row in rows[1:]:
        assert set(row.files) == {"overlay", "heatmap", "map"}
        values = np.load(out / row.files["map"], allow_pickle=False)
        assert values.shape == (30, 40) and values.dtype == np.float32
        with Image.open(out / row.files["overlay"]) as overlay, Image.open(out / row.files["heatmap"]) as heat:
            assert overlay.size == heat.size == (40, 30)
            assert np.abs(np.asarray(heat) / 255 - values).max() < 0.002
    assert (out / "report.html").read_bytes().rstrip().endswith(b"</html>")
    assert not list(out.rglob("*.part"))


def test_png16_maps(parts, tmp_path):
    rows, _ = go(parts, tmp_path / "out", maps="png16", report=False)
    with Image.open(tmp_path / "out" / rows[-1].files["map"]) as image:
        values = np.asarray(image, np.float64) / 65535
    assert np.abs(values - Contrast()(rows[-1].file).map).max() < 1e-5
    assert not (tmp_path / "out" / "report.html").exists()


def test_same_stem_in_two_folders(tmp_path):
    files = [part(tmp_path / "in" / name) for name in ("a/x.png", "b/x.png", "x.png")]
    rows: list[Row] = []
    detect(Contrast(), find_images(files), Options(out=tmp_path / "out"), lambda row, _: rows.append(row))
    assert len({row.files["overlay"] for row in rows}) == 3
    assert len(list((tmp_path / "out" / "overlay").iterdir())) == 3


def test_only_rows(parts, tmp_path):
    progress = detect(Contrast(), find_images([parts]), Options(rows=tmp_path / "deep" / "r.jsonl"))
    assert progress.done == len(list(read_rows(tmp_path / "deep" / "r.jsonl"))) == 9
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "r.jsonl"]


def test_a_vanished_file_is_a_row(parts):
    sources = find_images([parts])
    (parts / "p4.png").unlink()
    rows: list[Row] = []
    progress = detect(Contrast(), sources, Options(), lambda row, _: rows.append(row))
    assert progress.failed == 1 and rows[4].error.endswith("p4.png: no such file")


# ---- resume and interruption


class Counting(Contrast):
    seen: list[str] = []  # noqa: RUF012

    def batch(self, images, *, errors="raise", **options):
        self.seen.extend(Path(image.name).name for image in images)
        return super().batch(images, errors=errors, **options)


def test_an_interruption_while_an_image_is_recorded(parts, tmp_path, monkeypatch):
    """It falls between the row and the report; both have the image, and the caller is told of it."""
    take, told = ReportPage.take, []

    def interrupted(self, item, row, prepared):
        if len(told) == 1:
            signal.raise_signal(signal.SIGINT)
        take(self, item, row, prepared)

    monkeypatch.setattr(ReportPage, "take", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores interruptions
    try:
        with pytest.raises(KeyboardInterrupt):
            detect(Contrast(), find_images([parts]), Options(out=tmp_path / "out"), lambda row, _: told.append(row))
    finally:
        signal.signal(signal.SIGINT, before)
    rows = (tmp_path / "out" / "results.jsonl").read_bytes().splitlines()
    assert len(rows) == len(told) >= 2
    assert f'"state":"stopped","done":{len(rows)},' in (tmp_path / "out" / "report.html").read_text()


def test_resume_does_only_the_rest(parts, tmp_path):
    out = tmp_path / "out"
    (parts / "broken.png").write_bytes(b"x")
    go(parts, out)
    journal = out / "results.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:6]) + lines[6][:50])  # killed while writing the seventh
    Counting.seen = []
    rows, progress = go(parts, out, resume=True, detector=Counting())
    assert sorted(Counting.seen) == ["p5.png", "p6.png", "p7.png", "p8.png"]
    assert (progress.done, progress.skipped, progress.failed) == (10, 5, 1)  # the failed one was tried again
    assert sorted(row.file for row in read_rows(journal)) == sorted(row.file for row in rows)
    assert len(journal.read_bytes().splitlines()) == 10
    page = (out / "report.html").read_text()
    assert len(page.partition('id="card-data">')[2].partition("</script>")[0].split()) == 9


def test_resume_reads_only_the_images_whose_exhibits_stay(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "HIGHEST", 2)
    monkeypatch.setattr(choice, "RANDOM", 1)
    decoded = []

    class Watched(Contrast):
        def decode(self, path):
            decoded.append(Path(path).name)
            return super().decode(path)

    out = tmp_path / "out"
    go(parts, out)  # scores rise: each image is the highest when it comes
    go(parts, out, resume=True, detector=Watched())
    assert len(decoded) == 3 and {"p7.png", "p8.png"} < set(decoded)


def test_a_journal_that_changes_while_it_is_read(parts, tmp_path):
    go(parts, tmp_path / "out")
    journal = tmp_path / "out" / "results.jsonl"
    earlier = EarlierRows(journal)
    for place, row in read_places(journal):
        earlier.note(row, place)
    journal.write_bytes(b"x" * 1000)
    with pytest.raises(OutputError, match=r"results\.jsonl: another program changed it"):
        next(earlier.rows([str(parts / "p3.png")]))


def test_resume_notices_a_changed_image_and_a_lost_overlay(parts, tmp_path):
    out = tmp_path / "out"
    go(parts, out)
    part(parts / "p2.png", spot=99)
    (out / "overlay" / "p5.jpg").unlink()
    Counting.seen = []
    go(parts, out, resume=True, detector=Counting())
    assert sorted(Counting.seen) == ["p2.png", "p5.png"]
    assert (out / "overlay" / "p5.jpg").is_file()


def test_resume_refuses_other_settings(parts, tmp_path):
    out = tmp_path / "out"
    go(parts, out)
    told = r"other thresholds: image not given, pixel not given, rule either; now image 0\.7, pixel not given"
    with pytest.raises(UsageError, match=told):
        go(parts, out, resume=True, detector=Contrast(thresholds=Thresholds(0.7)))
    with pytest.raises(UsageError, match="other options"):
        go(parts, out, resume=True, settings={"tile": 64})
    with pytest.raises(UsageError, match="--resume needs"):
        detect(Contrast(), [], Options(resume=True))


def test_resume_without_a_first_run_begins(parts, tmp_path):
    assert go(parts, tmp_path / "out", resume=True)[1].done == 9


def test_ctrl_c_keeps_what_is_finished(parts, tmp_path):
    out = tmp_path / "out"

    class Interrupted(Contrast):
        calls = 0

        def batch(self, images, *, errors="raise", **options):
            Interrupted.calls += 1
            if Interrupted.calls == 3:
                raise KeyboardInterrupt
            return super().batch(images, errors=errors, **options)

    told = []
    with pytest.raises(KeyboardInterrupt):
        options = Options(out, batch_size=2)
        detect(
            Interrupted(), find_images([parts]), options, lambda row, progress: told.append((row.file, progress.done))
        )
    rows = list(read_rows(out / "results.jsonl"))
    assert told == [(row.file, i + 1) for i, row in enumerate(rows)]
    assert [Path(row.file).name for row in rows] == ["p0.png", "p1.png", "p2.png", "p3.png"]
    assert len((out / "results.jsonl").read_bytes().splitlines()) == 4
    assert '"state":"stopped","done":4,"total":9' in (out / "report.html").read_text()
    _, progress = go(parts, out, resume=True, batch_size=2)
    assert (progress.done, progress.skipped) == (9, 4)


# ---- places that refuse


def test_two_runs_into_one_folder(parts, tmp_path):
    out = tmp_path / "out"

    class Nested(Contrast):
        def batch(self, images, *, errors="raise", **options):
            with pytest.raises(OutputError, match="another run is writing here"):
                go(parts, out)
            return super().batch(images, errors=errors, **options)

    assert go(parts, out, detector=Nested())[1].done == 9
    assert go(parts, out)[1].done == 9  # the lock is free again


def test_disk_full_while_writing_pictures(parts, tmp_path, monkeypatch):
    out = tmp_path / "out"
    replace = Path.replace

    def full(self, target):
        if "p6" in Path(target).name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"p6\.jpg: no space left to write; free some, then go on with --resume"):
        go(parts, out)
    monkeypatch.undo()
    rows = list(read_rows(out / "results.jsonl"))
    assert len(rows) >= 6 and not any(row.error for row in rows)
    assert not list(out.rglob("*.part"))
    assert go(parts, out, resume=True)[1].skipped == len(rows)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_disk_full_while_writing_rows(parts):
    with pytest.raises(OutputError, match="/dev/full: no space left"):
        detect(Contrast(), find_images([parts]), Options(rows=Path("/dev/full")))


def test_a_full_disk_leaves_whole_lines(parts, tmp_path, monkeypatch):
    lines = LineFile(tmp_path / "r.jsonl")
    lines.write(Row("a").to_line())

    class Full:
        def __init__(self, file):
            self._file, self._left = file, 10

        def write(self, data):
            if not self._left:
                raise OSError(errno.ENOSPC, "full")
            written = self._file.write(data[: self._left])
            self._left = 0
            return written

        def __getattr__(self, name):
            return getattr(self._file, name)

    lines._file = Full(lines._file)
    with pytest.raises(OutputError, match="no space left"):
        lines.write(Row("b").to_line())
    lines.close()
    assert [row.file for row in read_rows(tmp_path / "r.jsonl")] == ["a"]
    assert (tmp_path / "r.jsonl").read_bytes().count(b"\n") == 1


def test_a_file_where_the_folder_should_be(parts, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="a file of that name is in the way"):
        go(parts, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "text"),
    [(errno.ENOSPC, "no space left"), (errno.EROFS, "not allowed to write"), (errno.EIO, "can't write")],
)
def test_what_the_system_says_becomes_one_line(code, text):
    with pytest.raises(OutputError, match=text), output_errors(Path("out")):
        raise OSError(code, os.strerror(code))


@posix
def test_names_with_newlines_and_bytes(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    strange = [b"two\nlines.png", b"\xff\xfe.png", b"<b>.png", b"-x.png", "\u00fc \U0001f600.png".encode(), b"100%.png"]
    for name in strange:
        part(Path(os.fsdecode(bytes(folder) + b"/" + name)))
    rows, progress = go(folder, tmp_path / "out")
    assert progress.failed == 0 and progress.done == len(strange)
    assert {os.fsencode(Path(row.file).name) for row in read_rows(tmp_path / "out" / "results.jsonl")} == set(strange)
    for row in rows:
        assert (tmp_path / "out" / row.files["overlay"]).is_file()
        assert row.files["overlay"].isprintable()


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    psutil = pytest.importorskip("psutil")
    path = part(tmp_path / "x.png", size=(160, 160))
    process, seen = psutil.Process(), []
    sources = [Item(f"{i}", f"{i}.png", path) for i in range(600)]

    def look(row, progress):
        if progress.done in (200, 600):
            seen.append(process.memory_info().rss)

    detect(Contrast(), sources, Options(), look)
    assert seen[1] - seen[0] < 15e6  # 400 maps of 160 x 160 alone are 41 MB
