"""No output replaces an input or a file that zsad did not write, in any command; what zsad wrote is replaced."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zsad
from tests.contrast import Contrast
from tests.fakes import BrightDetector, write_class
from tests.part_images import part, write_parts
from zsad.cli import app
from zsad.data.spec import load_samples, parse_data_specs
from zsad.errors import OccupiedError, OutputError, UsageError
from zsad.evaluation import evaluate
from zsad.outputs import check_output, is_figures, is_output_folder, is_page, is_rows, is_table, other_files
from zsad.runtime import __main__ as runtime
from zsad.stream import Options, detect, find_images, read_rows
from zsad.synthetic import __main__ as synthetic

SMALL = Path(__file__).parent / "detector" / "small.onnx"
program = CliRunner()
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX links or devices")


@pytest.fixture(autouse=True)
def loaded(monkeypatch):
    monkeypatch.setattr(zsad, "load", lambda *arguments, **options: Contrast())


@pytest.fixture
def parts(tmp_path):
    return write_parts(tmp_path / "in", 3)


def zsad_(*arguments):
    return program.invoke(app, [*map(str, arguments)], env={"COLUMNS": "200", "TERM": "dumb"})


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FOREIGN = {
    "notes.txt": b"mine\n", "data.json": b'{"name": "mine", "version": "1.0"}', "list.csv": b"image,label\na.png,0\n",
    "page.html": b"<html><title>mine</title></html>", "rows.jsonl": b'{"id": 1}\n', "list.json": b"[1, 2]",
}  # fmt: skip


# ---- detect


@pytest.mark.parametrize("option", ["--json", "--csv"])
@pytest.mark.parametrize("name", ["p1.png", *FOREIGN])
def test_detect_replaces_no_foreign_file_and_makes_nothing(parts, option, name):
    if name in FOREIGN:
        (parts / name).write_bytes(FOREIGN[name])
    before = files_of(parts.parent)
    done = zsad_("detect", parts, option, parts / name, "--out", parts.parent / "out")
    unread, refused = done.stderr.splitlines() if name in FOREIGN else ["not read", *done.stderr.splitlines()]
    assert done.exit_code == 2 and "not read" in unread, done.output
    assert name in refused and f"choose another {option}" in refused
    assert files_of(parts.parent) == before and not (parts.parent / "out").exists()


@pytest.mark.parametrize(
    "name", ["results.jsonl", "report.html", "overlay/mine.jpg", "heatmap/x.png", "map", "overlay"]
)
def test_an_out_folder_with_foreign_files_of_our_names(parts, tmp_path, name):
    place = tmp_path / "out" / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b"mine")
    before = files_of(tmp_path)
    done = zsad_("detect", parts, "--out", tmp_path / "out", "--save-maps", "npy")
    assert done.exit_code == 2 and "choose another --out" in done.stderr and done.stderr.count("\n") == 1
    assert files_of(tmp_path) == before


def test_out_that_is_a_file(parts, tmp_path):
    done = zsad_("detect", parts, "--out", parts / "p0.png")
    assert done.exit_code == 2 and "a file of that name is in the way; choose another --out" in done.stderr


def test_a_folder_of_other_files_is_said_and_they_stay(parts):
    (parts / "notes.txt").write_text("mine")
    before = files_of(parts)
    done = zsad_("detect", parts, "--out", parts)
    assert done.exit_code == 0 and f"{parts} holds 4 other files" in done.stderr
    assert f"--out {parts / 'zsad'} keeps them apart" in done.stderr
    assert before.items() <= files_of(parts).items()
    again = zsad_("detect", parts, "--out", parts)  # ours by now
    assert again.exit_code == 0 and "other files" not in again.stderr and "3 of" not in again.stderr
    assert other_files(parts / "absent", ()) == 0


def test_what_zsad_wrote_is_replaced(parts, tmp_path):
    outputs = ("--out", tmp_path / "out", "--json", tmp_path / "r.jsonl", "--csv", tmp_path / "t.csv")
    assert zsad_("detect", parts, *outputs).exit_code == 0
    part(parts / "p9.png")
    assert zsad_("detect", parts, *outputs).exit_code == 0
    assert len(list(read_rows(tmp_path / "r.jsonl"))) == 4 == (tmp_path / "t.csv").read_text().count("\n") - 1
    assert '"done":4,' in (tmp_path / "out" / "report.html").read_text()
    for torn in (b"", b'{"fi', b'{"file": "a.png", "sta'):  # as a power cut may leave it
        (tmp_path / "r.jsonl").write_bytes(torn)
        assert zsad_("detect", parts, "--json", tmp_path / "r.jsonl").exit_code == 0


def test_an_input_is_not_written_over_even_if_it_is_ours(parts, tmp_path):
    out = tmp_path / "out"
    detect(Contrast(), find_images([parts]), Options(out))
    before = files_of(out)
    for inputs in (out / "overlay", out / "overlay" / "p1.jpg", out / "heatmap" / ".." / "overlay"):
        done = zsad_("detect", inputs, "--out", out)
        assert done.exit_code == 2 and "is an input and lies where --out writes pictures" in done.stderr
    rows = out / "results.jsonl"
    done = zsad_("detect", parts / "p0.png", rows, "--json", rows)
    assert done.exit_code == 2 and "is an input and is not written over" in done.stderr
    assert files_of(out) == before


@pytest.mark.parametrize("clash", [("--json", "same", "--csv", "same"), ("--out", "o", "--json", "o/report.html"),
                                   ("--out", "o", "--csv", "o/results.jsonl")])  # fmt: skip
def test_two_outputs_into_one_file(parts, tmp_path, monkeypatch, clash):
    monkeypatch.chdir(tmp_path)
    done = zsad_("detect", parts, *clash)
    assert done.exit_code == 2 and "of its own" in done.stderr


@posix
def test_links_lead_to_the_file_and_devices_are_written_to(parts, tmp_path):
    (tmp_path / "photo.jsonl").symlink_to(parts / "p0.png")
    before = files_of(parts)
    done = zsad_("detect", parts, "--json", tmp_path / "photo.jsonl")
    assert done.exit_code == 2 and files_of(parts) == before
    (tmp_path / "t.csv").symlink_to(tmp_path / "real.csv")
    (tmp_path / "r.jsonl").symlink_to(tmp_path / "real.jsonl")
    for _ in range(2):
        assert zsad_("detect", parts, "--csv", tmp_path / "t.csv", "--json", tmp_path / "r.jsonl").exit_code == 0
    assert (tmp_path / "t.csv").is_symlink() and (tmp_path / "r.jsonl").is_symlink()
    assert is_table(tmp_path / "real.csv") and is_rows(tmp_path / "real.jsonl")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert zsad_("detect", parts, "--csv", tmp_path / "pipe").exit_code == 0
    assert os.read(reader, 60).startswith(b"file,error,score,")
    os.close(reader)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_lock_that_is_a_file_of_somebody_else(parts, tmp_path):
    lock = tmp_path / ".r.jsonl.lock"
    lock.write_bytes(b"mine")
    done = zsad_("detect", parts, "--json", tmp_path / "r.jsonl")
    assert done.exit_code == 2 and ".r.jsonl.lock: was not written by zsad" in done.stderr
    assert lock.read_bytes() == b"mine"


def test_pictures_of_an_earlier_run_are_no_parts(parts, monkeypatch):
    monkeypatch.chdir(parts)
    for out in ("out", "other/deep"):
        assert zsad_("detect", ".", "--out", out).exit_code == 0
    done = zsad_("detect", ".", "-r", "--json", "rows.jsonl", "--out", "third")
    assert done.exit_code == 0 and len(list(read_rows(Path("rows.jsonl")))) == 3
    assert "not read: ./out: heatmap, overlay of an earlier run; name such a folder itself" in done.stderr
    assert "not read: ./other/deep: heatmap, overlay" in done.stderr
    assert len(find_images(["out/overlay"])) == 3  # as it was asked for
    assert len(find_images(["."], recursive=True)) == 3
    part(Path("mine/overlay/x.png"))  # a folder of that name alone is none
    assert len(find_images(["."], recursive=True)) == 4 and not is_output_folder(Path("mine"))


def test_debris_of_a_kill_is_swept(parts, tmp_path):
    detect(Contrast(), find_images([parts]), Options(tmp_path / "out"))
    left, mine = tmp_path / "out" / "overlay" / f".{'0a' * 16}.part", tmp_path / "out" / "overlay" / ".mine.part"
    left.write_bytes(b"half")
    mine.write_bytes(b"mine")
    detect(Contrast(), find_images([parts]), Options(tmp_path / "out"))
    assert not left.exists() and mine.exists()


# ---- measuring


@pytest.fixture
def measured(tmp_path, monkeypatch):
    monkeypatch.setattr(zsad, "load", lambda *arguments, **options: BrightDetector())
    return write_class(tmp_path / "parts" / "nut").parent


@pytest.mark.parametrize("name", ["photo", *FOREIGN])
def test_eval_json(measured, tmp_path, name):
    target = measured / "nut/test/good/000.png" if name == "photo" else tmp_path / name
    if name in FOREIGN:
        target.write_bytes(FOREIGN[name])
    before = target.read_bytes()
    done = zsad_("eval", "--data", f"mvtec:{measured}", "--json", target)
    assert done.exit_code == 2 and "choose another --json" in done.stderr and target.read_bytes() == before


def test_figures_are_replaced(measured, tmp_path):
    for _ in range(2):
        assert zsad_("eval", "--data", f"mvtec:{measured}", "--json", tmp_path / "f.json").exit_code == 0
        assert zsad_("bench", "speed", "--calls", 2, "--batch", 1, "--json", tmp_path / "s.json").exit_code == 0
    assert is_figures(tmp_path / "f.json") and is_figures(tmp_path / "s.json")
    (tmp_path / "s.json").write_text("{")
    assert zsad_("bench", "speed", "--calls", 2, "--batch", 1, "--json", tmp_path / "s.json").exit_code == 2


def test_maps_of_an_evaluation(measured, tmp_path):
    (loaded,) = [load_samples(spec) for spec in parse_data_specs([f"mvtec:{measured}"])]
    maps = tmp_path / "maps"
    for _ in range(2):
        evaluate(BrightDetector(), loaded.samples, save_maps=maps)
    assert len((maps / "scores.jsonl").read_text().splitlines()) == 6 == len(list(maps.rglob("*.npy")))
    foreign = tmp_path / "mine"
    path = foreign / next(maps.rglob("*.npy")).relative_to(maps)
    for place in (foreign / "scores.jsonl", path):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"mine")
        with pytest.raises(OccupiedError, match="choose another folder for the maps"):
            evaluate(BrightDetector(), loaded.samples, save_maps=foreign)
        assert place.read_bytes() == b"mine" and len([p for p in foreign.rglob("*") if p.is_file()]) == 1
        place.unlink()


@pytest.mark.parametrize("name", ["README.md", "report.html", "r.json"])
def test_bench_quality_and_merge_keep_foreign_files(measured, tmp_path, name):
    suite, out = tmp_path / "suite.yaml", tmp_path / "results"
    suite.write_text("name: s\nruns:\n  - {name: r, entries: [{key: parts, layout: mvtec, path: parts}]}\n")
    arguments = ("bench", "quality", suite, "--out", out, "--data-root", measured.parent)
    for _ in range(2):
        done = zsad_(*arguments)
        assert done.exit_code == 0, done.output
    assert is_page(out / "report.html") and is_figures(out / "r.json")
    assert zsad_("bench", "merge", out).exit_code == 0
    (out / name).write_text("# mine\n")
    before = files_of(out)
    for command in (arguments, ("bench", "merge", out)):
        done = zsad_(*command)
        assert done.exit_code == 2 and "choose another --out" in done.stderr and files_of(out) == before


# ---- the programs of modules


def test_runtime_maps(parts, tmp_path, capsys):
    out, images = tmp_path / "out", [str(parts / "p0.png"), str(parts / "p1.png")]
    part(parts / "deep" / "p0.png")
    images.append(str(parts / "deep" / "p0.png"))  # a second one of that name
    for _ in range(2):
        assert runtime.main([str(SMALL), *images, "--out", str(out), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()][:3]
    assert len({row["files"]["map"] for row in rows}) == 3 == len(list(out.iterdir()))
    assert rows[0]["files"]["map"] == "p0.png.map.png"
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(out / "p1.png.map.png")
    before = files_of(out)
    assert runtime.main([str(SMALL), *images, "--out", str(out)]) == 2
    assert runtime.main([str(SMALL), *images, str(out / "p0.png.map.png"), "--out", str(out)]) == 2
    assert runtime.main([str(SMALL), *images, "--out", images[0]]) == 2
    said = capsys.readouterr().err
    assert "p1.png.map.png: was not written by zsad" in said and "p0.png.map.png: is an input" in said
    assert files_of(out) == before


def test_contact_sheet(tmp_path, capsys):
    arguments = ["--count", "1", "--size", "64", "--show", "40", "--out"]
    for _ in range(2):
        assert synthetic.main([*arguments, str(tmp_path / "sheet.png")]) == 0
    part(tmp_path / "mine.png")
    before = files_of(tmp_path)
    assert synthetic.main([*arguments, str(tmp_path / "mine.png")]) == 2
    assert files_of(tmp_path) == before and "was not written by zsad" in capsys.readouterr().err


# ---- the door itself


def test_what_is_refused_and_what_is_fine(tmp_path):
    assert issubclass(OccupiedError, OutputError) and issubclass(OccupiedError, UsageError)  # exit code 2
    for fine in (tmp_path / "absent", Path(os.devnull)):
        check_output(fine, is_rows, "choose another")
    (tmp_path / "empty").touch()
    check_output(tmp_path / "empty", is_rows, "choose another")
    with pytest.raises(OccupiedError, match="is a folder; give the name of a file"):
        check_output(tmp_path, is_rows, "choose another")
    (tmp_path / "deep.json").write_text("[" * 200_000)
    assert not is_figures(tmp_path / "deep.json")
