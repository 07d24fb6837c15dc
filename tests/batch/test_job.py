import dataclasses
import json
import tarfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.fakes import BrightDetector
from tests.part_images import part, write_parts
from zsad.types import Result, Thresholds

pytest.importorskip("pyarrow")
from pyarrow import parquet

import zsad
from zsad.batch.input import Input
from zsad.batch.inputs import listed
from zsad.batch.job import Chunk, Job, chunks_of
from zsad.batch.rows import path_of, row_of, small_map, table_of
from zsad.cli import app


def rows(job, inputs):
    done = job.do(Chunk(tuple(inputs)))
    return parquet.read_table(f"{job.out}/{done.file}").to_pylist()


def job_of(detector, tmp_path):
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    return Job(detector, str(out), str(tmp_path), {"run": "r"})


def test_rows_are_those_of_detect_to_the_last_digit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path / "parts", 3, step=80)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (300, 410), dtype=np.uint8)).save("parts/noise.jpg")
    (tmp_path / "parts" / "bad.png").write_bytes(b"nonsense")
    limits = ["--threshold", "0.14", "--pixel-threshold", "0.14"]
    done = CliRunner().invoke(app, ["detect", "parts", "--json", "rows.jsonl", *limits])
    assert done.exit_code == 1, done.output
    wanted = {row["file"]: row for row in map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())}
    detector = zsad.load(threads=1).with_thresholds(Thresholds(image=0.14, pixel=0.14))
    found = rows(job_of(detector, tmp_path), listed(["parts"], say=print))
    assert len(found) == len(wanted) == 5 and {row["verdict"] for row in found} == {"anomalous", "normal", None}
    for row in found:
        same = wanted[row["path"]]
        keys = ("stamp", "error") if row["error"] else ("stamp", "score", "verdict", "fired", "peak", "width", "height",
                                                        "regions", "region_count", "area", "notes")  # fmt: skip
        assert {key: row[key] for key in keys} == {key: same[key] for key in keys}


def test_members_of_shards_give_what_files_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path / "parts", 3, step=80)
    (tmp_path / "parts" / "bad.png").write_bytes(b"nonsense")
    with tarfile.open("s.tar", "w") as archive:
        archive.add("parts", "../..")
    job = job_of(BrightDetector(thresholds=Thresholds(image=0.8)), tmp_path)
    inputs = listed(["parts", "s.tar"], say=print)
    found = rows(job, inputs)
    files, members = found[:4], sorted(found[4:], key=lambda row: row["path"])
    for file, member in zip(files, members, strict=True):
        assert member["path"] == f"s.tar::../../{file['path'].removeprefix('parts/')}"
        assert member["score"] == file["score"] and member["map"] == file["map"]
        assert (member["error"] or "").replace(member["path"], "") == (file["error"] or "").replace(file["path"], "")
    with (tmp_path / "s.tar").open("ab") as file:
        file.write(bytes(512))
    assert {row["error"].partition(": ")[2] for row in rows(job, inputs[4:])} == {
        "the shard changed since it was listed; run again"
    }


def test_what_changes_while_it_is_read_and_what_is_too_large_are_rows(tmp_path):
    path = part(tmp_path / "a.png")

    class Meddling(BrightDetector):
        def batch(self, images, **more):
            part(path, spot=5)
            return super().batch(images, **more)

    bomb = tmp_path / "bomb.png"
    data = bytearray(path.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb.write_bytes(data)
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        archive.add(bomb, "bomb.png")
    inputs = listed([str(path), str(bomb), str(tmp_path / "s.tar")], say=print)
    changed, *huge = rows(job_of(Meddling(), tmp_path), inputs)
    assert "changed while it was read" in changed["error"] and changed["score"] is None
    assert len(huge) == 2 and all("bomb" in row["error"] for row in huge)


def test_a_small_map_keeps_the_highest_value_of_each_cell():
    rng = np.random.default_rng(0)
    for shape in ((100, 70), (32, 32), (5, 40), (1, 1), (33, 64)):
        values = rng.random(shape, np.float32)
        small = small_map(values)
        high, wide = (min(32, side) for side in shape)
        assert small.shape == (high, wide) and small.max() == values.max()
        for i in range(high):
            for j in range(wide):
                rows_of = slice(i * shape[0] // high, (i + 1) * shape[0] // high)
                columns = slice(j * shape[1] // wide, (j + 1) * shape[1] // wide)
                assert small[i, j] == values[rows_of, columns].max()


def test_names_that_are_no_text_come_back(tmp_path):
    name = "a\udcff\n.png"
    row = row_of(name, "s", Result(0.5, np.zeros((4, 4), np.float32), Thresholds(), name), 1.0)
    row = table_of([row], {"run": "r"}).to_pylist()[0]
    assert row["path"].isprintable() and path_of(row["path"], row["path_hex"]) == name
    assert (row["map_height"], row["map_width"], row["map"]) == (4, 4, bytes(16))


def test_chunks_are_all_inputs_in_order():
    inputs = [Input(str(n), str(n)) for n in range(1000)]
    for workers in (1, 3, 64):
        chunks = chunks_of(inputs, workers)
        assert [one for chunk in chunks for one in chunk.inputs] == inputs
        assert all(len(chunk.inputs) >= 8 for chunk in chunks[:-1])
    assert dataclasses.replace(inputs[0]).stamp() == ""
