"""What a sink is promised, and the sinks that a detection has not by itself."""

from __future__ import annotations

import csv
import errno
import os
import signal
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.contrast import Contrast
from tests.part_images import part, write_parts
from zsad.errors import InUseError, OutputError, Terminated, UsageError
from zsad.regions import Region
from zsad.report import exhibits
from zsad.stream import Options, Sink, detect, find_images, from_iterable, read_rows, run
from zsad.stream.sinks import pictures
from zsad.stream.sinks.journal import Journal
from zsad.stream.sinks.rows import Row
from zsad.stream.sinks.table import COLUMNS, _cells, cell


@pytest.fixture
def parts(tmp_path):
    return write_parts(tmp_path / "in", 9)


class Noting(Sink):
    """Keeps what it is given, as a database would."""

    def __init__(self):
        self.calls, self.rows = [], []

    def open(self, job):
        self.calls.append(("open", job.total, job.detector.card.provenance.name))

    def start(self, done, earlier):
        self.calls.append(("start", len(done)))

    def skip(self, item, row):
        self.calls.append(("skip", item.label))

    def prepare(self, finished):
        return finished.row, float(finished.result.map.max())

    def take(self, item, row, prepared):
        self.rows.append((item.label, row, prepared))

    def close(self, finished):
        self.calls.append(("close", finished))


# ---- what a sink is promised


def test_each_item_once_and_in_order_with_what_was_prepared(parts):
    (parts / "broken.png").write_bytes(b"x")
    sink = Noting()
    progress = run(Contrast(), find_images([parts]), [sink])
    assert [label for label, *_ in sink.rows] == ["broken.png", *(f"p{i}.png" for i in range(9))]
    assert sink.rows[0][1].error and sink.rows[0][2] is None
    assert sink.rows[-1][2] == pytest.approx(Contrast()(parts / "p8.png").map.max())
    assert sink.calls == [("open", 10, "contrast"), ("start", 0), ("close", True)]
    assert (progress.total, progress.done, progress.failed) == (10, 10, 1)


def test_a_source_of_arrays_without_a_length(tmp_path):
    images = (np.full((20, 30), 90 + 10 * i, np.uint8) for i in range(5))
    sink = Noting()
    progress = run(Contrast(), from_iterable(images), [pictures.Pictures(tmp_path / "out"), sink])
    assert (progress.total, progress.done) == (None, 5)
    assert [row.files["overlay"] for _, row, _ in sink.rows] == [f"overlay/00000{i}.jpg" for i in range(5)]
    assert sink.calls[0] == ("open", None, "contrast")
    with pytest.raises(UsageError, match="to resume, give a list of items"):
        run(Contrast(), from_iterable([]), [Journal(tmp_path / "r.jsonl")], resume=True)


def test_an_endless_source_ends_when_it_is_told_to(tmp_path):
    def forever():
        while True:
            yield np.zeros((20, 30), np.uint8)

    sink = Noting()

    def enough(row, progress):
        if progress.done == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Contrast(), from_iterable(forever()), [sink, Journal(tmp_path / "r.jsonl")], on_row=enough)
    assert len(sink.rows) == len(list(read_rows(tmp_path / "r.jsonl"))) >= 25
    assert sink.calls[-1] == ("close", False)
    assert len(list(islice(from_iterable(forever()), 3))) == 3


def test_resume_tells_every_sink_what_is_done(parts, tmp_path):
    journal = tmp_path / "r.jsonl"
    run(Contrast(), find_images([parts])[:4], [Journal(journal)])
    sink = Noting()
    progress = run(Contrast(), find_images([parts]), [sink, Journal(journal)], resume=True)
    assert progress.skipped == 4
    assert sink.calls[1:6] == [("start", 4), *(("skip", f"p{i}.png") for i in range(4))]
    assert [label for label, *_ in sink.rows] == [f"p{i}.png" for i in range(4, 9)]


def test_a_sink_that_has_lost_an_item_gets_it_again(parts, tmp_path):
    class Forgetful(Noting):
        def has(self, row):
            return not row.file.endswith("p2.png")

    journal = tmp_path / "r.jsonl"
    run(Contrast(), find_images([parts]), [Journal(journal)])
    sink = Forgetful()
    assert run(Contrast(), find_images([parts]), [sink, Journal(journal)], resume=True).skipped == 8
    assert [label for label, *_ in sink.rows] == ["p2.png"]


def test_items_that_are_no_files_resume_by_their_content(parts, tmp_path):
    """The stamp is that of what is opened, whatever the item is called."""
    items = list(from_iterable([parts / "p0.png", parts / "p1.png"], ["first", "second"]))
    run(Contrast(), items, [Journal(tmp_path / "r.jsonl")])
    part(parts / "p1.png", spot=77)
    assert run(Contrast(), items, [Journal(tmp_path / "r.jsonl")], resume=True).skipped == 1


# ---- failures of one item


@pytest.mark.parametrize("failure", [MemoryError(), ValueError("odd"), OSError("decoder error -2")])
def test_what_fails_in_a_writer_is_a_row_and_resume_gets_past_it(parts, tmp_path, monkeypatch, failure):
    out, heatmap = tmp_path / "out", pictures.heatmap
    calls = []

    def failing(values):
        calls.append(values)
        if len(calls) == 4:
            raise failure
        return heatmap(values)

    monkeypatch.setattr(pictures, "heatmap", failing)
    rows = []
    progress = detect(Contrast(), find_images([parts]), Options(out), lambda row, _: rows.append(row))
    assert (progress.done, progress.failed) == (9, 1)
    (failed,) = [row for row in rows if row.error]
    said = "does not fit in memory; cut it up first" if isinstance(failure, MemoryError) else "unexpected"
    assert failed.error.startswith(f"{failed.file}: {said}") and not failed.files
    assert len(list((out / "overlay").iterdir())) == len(list((out / "heatmap").iterdir())) == 8
    assert '"state":"finished","done":9,"total":9' in (out / "report.html").read_text()
    again = detect(Contrast(), find_images([parts]), Options(out, resume=True))
    assert (again.done, again.skipped, again.failed) == (9, 8, 0)


def test_an_exhibit_that_can_not_be_made_is_a_row(parts, tmp_path, monkeypatch):
    def failing(image):
        raise MemoryError

    monkeypatch.setattr(exhibits, "_jpeg", failing)
    progress = detect(Contrast(), find_images([parts]), Options(tmp_path / "out"))
    assert progress.failed == 9 and progress.done == 9


def test_a_score_that_is_no_number_is_a_row_and_not_the_end(parts, tmp_path):
    class Odd(Contrast):
        def batch(self, images, **options):
            return [
                replace(one, score=float("nan")) if "p3" in one.name else one
                for one in super().batch(images, **options)
            ]

    progress = detect(Odd(), find_images([parts]), Options(tmp_path / "out", csv=tmp_path / "t.csv"))
    assert (progress.done, progress.failed) == (9, 1)
    (row,) = [row for row in read_rows(tmp_path / "out" / "results.jsonl") if row.error]
    assert row.file.endswith("p3.png") and "unexpected ValueError" in row.error


def test_an_exhibit_of_an_earlier_run_that_can_not_be_made_is_left_out(parts, tmp_path, monkeypatch):
    detect(Contrast(), find_images([parts]), Options(tmp_path / "out"))

    def failing(image):
        raise MemoryError

    monkeypatch.setattr(exhibits, "_jpeg", failing)
    again = detect(Contrast(), find_images([parts]), Options(tmp_path / "out", resume=True))
    assert (again.done, again.skipped, again.failed) == (9, 9, 0)


def test_two_journals_that_are_one_file(parts, tmp_path):
    """Whatever it is called: through a link, a link to its folder, or as a hard link."""
    rows = tmp_path / "rows.jsonl"
    run(Contrast(), find_images([parts]), [Journal(rows)])
    (tmp_path / "link.jsonl").symlink_to(rows)
    (tmp_path / "folder").symlink_to(tmp_path)
    os.link(rows, tmp_path / "hard.jsonl")
    others = [tmp_path / "link.jsonl", tmp_path / "folder" / "rows.jsonl", tmp_path / "hard.jsonl"]

    class Nested(Contrast):
        def batch(self, images, **options):
            while others:
                with pytest.raises(InUseError, match="another run is writing here"):
                    run(Contrast(), find_images([parts]), [Journal(others.pop())])
            return super().batch(images, **options)

    assert run(Nested(), find_images([parts]), [Journal(rows)]).done == 9 and not others
    assert len(list(read_rows(rows))) == 9


def test_a_network_that_fails_on_one_image(parts, tmp_path):
    class Failing(Contrast):
        def _network(self, x):
            if len(x) > 1 or x.max() > 0.9:
                raise RuntimeError("CUDA error: an illegal memory access")
            return super()._network(x)

    progress = detect(Failing(), [*find_images([part(parts / "a.png", spot=160)]), *find_images([parts])],
                      Options(tmp_path / "out"))  # fmt: skip
    assert progress.failed == 2  # the bright one, twice
    assert "unexpected RuntimeError: CUDA error" in next(read_rows(tmp_path / "out" / "results.jsonl")).error


def test_a_lost_folder_ends_the_run(parts, tmp_path, monkeypatch):
    def gone(self, target):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "replace", gone)
    with pytest.raises(OutputError, match="can't write"):
        detect(Contrast(), find_images([parts]), Options(tmp_path / "out", report=False))


# ---- one writer at a time


def test_two_runs_into_one_journal(parts, tmp_path):
    rows = tmp_path / "rows.jsonl"

    class Nested(Contrast):
        def batch(self, images, **options):
            with pytest.raises(InUseError, match=r"rows\.jsonl: another run is writing here"):
                run(Contrast(), find_images([parts]), [Journal(rows)])
            return super().batch(images, **options)

    assert issubclass(InUseError, UsageError)  # exit code 2
    assert run(Nested(), find_images([parts]), [Journal(rows)]).done == 9
    assert len(list(read_rows(rows))) == 9
    assert run(Contrast(), find_images([parts]), [Journal(rows)]).done == 9  # it is free again
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["rows.jsonl"]


def test_a_refused_run_changes_nothing(parts, tmp_path):
    out = tmp_path / "out"
    detect(Contrast(), find_images([parts]), Options(out))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    holder = Journal(out / "results.jsonl")

    class JobOf:
        detector = Contrast()

    holder.open(JobOf())
    with pytest.raises(InUseError):
        detect(Contrast(), find_images([parts])[:1], Options(out))
    holder.close(True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


# ---- the table


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=x", "\uff1d1", "\uff20x"])
def test_cells_are_no_formulas(text):
    assert cell(text) == f"'{text}" and cell(f"x{text}") == f"x{text}"


def test_table(parts, tmp_path):
    part(parts / "=cmd|' /C calc'!A0,\"x\"\n.png")
    (parts / "broken.png").write_bytes(b"x")
    table = tmp_path / "deep" / "table.csv"
    inside = os.getcwd()  # noqa: PTH109
    os.chdir(parts)
    try:
        names = sorted(path.name for path in Path().iterdir())
        detect(Contrast(), find_images(names), Options(tmp_path / "out", csv=table))
    finally:
        os.chdir(inside)
    with table.open(newline="", encoding="utf-8") as file:
        head, *lines = list(csv.reader(file))
    assert tuple(head) == COLUMNS and len(lines) == 11
    rows = {row.file: row for row in read_rows(tmp_path / "out" / "results.jsonl")}
    by_name = {line[0]: dict(zip(head, line, strict=True)) for line in lines}
    assert "'=cmd|' /C calc'!A0,\"x\"\\n.png" in by_name
    assert by_name["broken.png"]["error"].startswith("broken.png: not an image")
    assert by_name["broken.png"]["score"] == by_name["broken.png"]["overlay"] == ""
    line, row = by_name["p8.png"], rows["p8.png"]
    assert float(line["score"]) == round(row.score, 6) and line["verdict"] == (row.verdict or "")
    assert (line["overlay"], line["regions"]) == ("overlay/p8.jpg", str(row.region_count))
    assert line["largest_region"] == str(max(region.area for region in row.regions))
    assert [path.name for path in table.parent.iterdir()] == ["table.csv"]


def test_every_column_has_a_cell():
    good = Row("x", regions=(Region((0, 0, 1, 1), 1, 0.5, (0, 0)),))
    assert len(_cells(good)) == len(_cells(Row("x", error="no"))) == len(COLUMNS)


def test_the_table_of_a_stopped_run_and_of_the_one_that_goes_on(parts, tmp_path):
    table, out = tmp_path / "table.csv", tmp_path / "out"

    def stop(row, progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect(Contrast(), find_images([parts]), Options(out, csv=table), stop)
    stopped = len(table.read_text().splitlines()) - 1
    assert stopped == len(list(read_rows(out / "results.jsonl"))) >= 3
    detect(Contrast(), find_images([parts]), Options(out, csv=table, resume=True))
    assert len(table.read_text().splitlines()) == 10


# ---- an end by the system


def test_sigterm_ends_a_run_as_ctrl_c_does(parts, tmp_path):
    def end(row, progress):
        if progress.done == 3:
            signal.raise_signal(signal.SIGTERM)

    out = tmp_path / "out"
    with pytest.raises(Terminated):
        detect(Contrast(), find_images([parts]), Options(out), end)
    done = len(list(read_rows(out / "results.jsonl")))
    assert f'"state":"stopped","done":{done},"total":9' in (out / "report.html").read_text()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
