from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zsad
from tests.contrast import Contrast
from tests.part_images import part, write_parts
from zsad.cli import app
from zsad.types import Thresholds

SMALL = Path(__file__).parents[1] / "detector" / "small.onnx"
run = CliRunner()


@pytest.fixture
def loaded(monkeypatch):
    """Replaces zsad.load; holds what it was called with."""
    seen: dict = {}

    def load(model=None, **options):
        seen.update(options, model=model)
        return Contrast()

    monkeypatch.setattr(zsad, "load", load)
    return seen


@pytest.fixture
def parts(tmp_path):
    return write_parts(tmp_path / "in", 5, step=30)


def detect(*arguments):
    return run.invoke(app, ["detect", *map(str, arguments)], env={"COLUMNS": "120", "TERM": "dumb"})


def test_table_pictures_rows_report(parts, tmp_path, loaded):
    out = tmp_path / "out"
    done = detect(parts, "--out", out)
    assert done.exit_code == 0, done.output
    for word in (
        "file",
        "score",
        "largest outline",
        "latency",
        " ms ",
        "throughput",
        "p4.png",
        "uncalibrated",
        "5 images",
    ):
        assert word in done.output
    assert "anomalous" not in done.output and "verdict " not in done.output
    assert re.search(r"p4\.png .* 1[01]x1[01] px at (9|10),(9|10) ", done.output)
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {
        "overlay",
        "heatmap",
        "results.jsonl",
        "results.csv",
        "report.html",
    }
    assert [line.split(",")[0][-6:] for line in (out / "results.csv").read_text().splitlines()[1:]] == [
        f"p{i}.png" for i in range(5)
    ]
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [Path(row["file"]).name for row in rows] == [f"p{i}.png" for i in range(5)]
    assert loaded["model"] is None and loaded["device"] == "cpu"


def test_without_out_nothing_is_written(parts, loaded, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert detect(parts / "p0.png").exit_code == 0
    assert list(Path().iterdir()) == []


def test_exit_1_names_each_failure_and_does_the_rest(parts, tmp_path, loaded):
    (parts / "broken.png").write_bytes(b"x")
    done = detect(parts, tmp_path / "absent.png", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "broken.png: not an image" in done.stderr and "absent.png: no such file" in done.stderr
    assert "2 failed" in done.stdout and "p4.png" in done.stdout


def test_if_nothing_could_be_read_no_advice_hides_it(loaded):
    done = detect("absent/")
    assert done.exit_code == 2 and done.stderr == "zsad: absent: no such file or folder\n" and done.stdout == ""


GOOD = str(Path(__file__).parents[2] / "examples" / "knit_good.jpg")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing argument"),
        ([GOOD, "--nonsense"], "No such option"),
        ([GOOD, "--threshold", "high"], "threshold"),
        ([GOOD, "--threshold", "-1"], "threshold must be a number of 0 to 1, or never"),
        ([GOOD, "--threshold", "nan"], "threshold must be a number of 0 to 1, or never"),
        ([GOOD, "--threshold", "1.0001"], "threshold must be a number of 0 to 1, or never, got 1.0001"),
        ([GOOD, "--pixel-threshold", "inf"], "pixel threshold must be a number of 0 to 1, or never"),
        ([GOOD, "--min-area", "50"], "min_area must be a number of 0 to 1, a fraction"),
        ([GOOD, "--rule", "both"], "rule must be either, score or region"),
        ([GOOD, "--rule", "region", "--threshold", "0.5"], "--rule region needs a pixel threshold: add --pixel-thr"),
        ([GOOD, "--fail-on", "anomalous"], "--fail-on anomalous needs a threshold: add --threshold 0.5, or"),
        ([GOOD, "--fail-on", "normal", "--threshold", "0.5"], "--fail-on is anomalous, not normal"),
        ([GOOD, "--thresholds", "absent.json"], "absent.json: no such file"),
        ([GOOD, "--tile", "8"], "use at least 32 px"),
        ([GOOD, "--bits", "20"], "bits must lie in 8..16"),
        ([GOOD, "--save-maps", "exr", "--out", "o"], "--save-maps is npy or png16, not exr"),
        ([GOOD, "--save-maps", "npy"], "--save-maps needs --out"),
        ([GOOD, "--resume"], "--resume needs"),
        ([GOOD, "--batch-size", "0"], "batch-size"),
        ([GOOD, "--csv", "-"], "--csv needs a file of its own"),
        ([GOOD, "--csv", "r", "--json", "r"], "--csv needs a file of its own"),
    ],
)
def test_wrong_usage_is_exit_2(arguments, says, loaded):
    done = detect(*arguments)
    assert done.exit_code == 2
    assert says in done.output and "Traceback" not in done.output


def test_json_to_a_file_and_to_standard_output(parts, tmp_path, loaded):
    assert detect(parts, "--json", tmp_path / "rows.jsonl").exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    piped = detect(parts, "--json", "-")
    again = [json.loads(line) for line in piped.stdout.splitlines()]
    assert [row["score"] for row in again] == [row["score"] for row in rows] and len(rows) == 5
    keys = "file stamp run model fingerprint score verdict fired mutual peak width height regions region_count area"
    assert set(rows[4]) == {*keys.split(), "thresholds", "outline", "notes", "ms", "files"}
    assert rows[4]["regions"][0]["box"][:2] != [0, 0] and rows[4]["model"] == "contrast"


def test_table_for_a_spreadsheet(parts, tmp_path, loaded):
    (parts / "broken.png").write_bytes(b"x")
    done = detect(parts, "--csv", tmp_path / "t.csv")
    assert done.exit_code == 1 and f"Wrote {tmp_path / 't.csv'}" in done.stdout.replace("\n", "")
    with (tmp_path / "t.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [Path(line["file"]).name for line in lines] == ["broken.png", *(f"p{i}.png" for i in range(5))]
    assert "not an image" in lines[0]["error"] and float(lines[5]["score"]) > float(lines[1]["score"])


def test_batch_size_reaches_the_network(parts, monkeypatch):
    write_parts(parts, 70, step=1)
    sizes = []

    class Counting(Contrast):
        def _network(self, x):
            sizes.append(len(x))
            return super()._network(x)

    monkeypatch.setattr(zsad, "load", lambda model=None, **_: Counting())
    assert detect(parts, "--batch-size", 32).exit_code == 0 and sizes == [32, 32, 6]
    sizes.clear()
    assert detect(parts).exit_code == 0 and max(sizes) == 8


def test_two_runs_into_one_file_of_rows(parts, tmp_path, monkeypatch):
    rows, inner = tmp_path / "rows.jsonl", []

    class Nested(Contrast):
        def _network(self, x):
            if not inner:
                inner.append(None)
                inner.append(detect(parts, "--json", rows))
            return super()._network(x)

    monkeypatch.setattr(zsad, "load", lambda model=None, **_: Nested())
    assert detect(parts, "--json", rows).exit_code == 0
    assert inner[1].exit_code == 2 and inner[1].stderr.count("\n") == 1
    assert "rows.jsonl: another run is writing here; wait for it, or choose another place" in inner[1].stderr
    assert len(rows.read_text().splitlines()) == 5


def test_thresholds_decide(parts, tmp_path, loaded):
    never = detect(parts, "--threshold", "never", "--pixel-threshold", "never")
    assert "0 of 5 images anomalous" in never.stdout and "uncalibrated" not in never.stdout
    all_of_them = detect(parts, "--threshold", "0")
    assert "5 of 5" in all_of_them.stdout and "anomalous (score)" in all_of_them.stdout
    assert "Anomalous by rule either: score from 0 (from threshold 0)" in all_of_them.stdout


def good_parts(folder, count=299):
    """Write so many small images without much in them: 299 support 1 % at 95 % confidence."""
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.full((8, 8), 120, np.uint8)
        pixels[i // 8 % 8, i % 8] += 1 + i // 64  # no two are the same
        Image.fromarray(pixels).save(folder / f"{i}.png")


def test_without_thresholds_the_order_is_by_score_and_every_hint_runs(parts, tmp_path, loaded, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good_parts(tmp_path / "good")
    (parts / "p0.png").rename(parts / "it's [red] p0.png")
    done = detect("in", "--model", "m.onnx")
    assert re.findall(r"p(\d)\.png", done.stdout) == ["4", "3", "2", "1", "0"]
    assert "Uncalibrated: no threshold is given, so there are no verdicts." in done.stdout
    hints = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [hint.split()[1] for hint in hints] == ["detect", "calibrate", "detect"]
    assert hints[1] == "zsad calibrate m.onnx --normals good/ --out thresholds.json"
    for hint in hints:
        told = run.invoke(app, shlex.split(hint)[1:])
        assert told.exit_code == 0, told.output
        if "detect" in hint:
            assert re.search(r"[0-5] of 5 images anomalous", told.stdout) and "ncalibrated" not in told.stdout
    assert "(from thresholds.json" in told.stdout


def test_every_command_on_an_uncalibrated_page_runs(parts, tmp_path, loaded, monkeypatch):
    detect(parts, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    (told,) = re.findall(r'<p id="uncalibrated".*?</p>', page, re.S)
    commands = re.findall(r"<code>(zsad .*?)</code>", told)
    monkeypatch.chdir(tmp_path)
    parts.rename("parts")
    good_parts(tmp_path / "good")
    assert len(commands) == 3
    for command in commands:
        assert run.invoke(app, shlex.split(command)[1:]).exit_code == 0, command


def test_hints_go_on_with_the_same_command(parts, tmp_path, loaded, monkeypatch):
    monkeypatch.chdir(parts)
    part(Path("-odd.png"))
    part(Path("deep/er.png"))
    done = detect("-r", "--bits", 12, "--no-report", "--out", "o ut", "--object", "metal nut", "--", "-odd.png", "deep")
    (hint, *_) = [line.strip() for line in done.stdout.splitlines() if line.startswith("  zsad")]
    same = "zsad detect ./-odd.png deep --object 'metal nut' --out 'o ut' --no-report --recursive --bits 12 --threshold"
    assert hint.startswith(same), done.output
    again = run.invoke(app, shlex.split(hint)[1:])
    assert again.exit_code == 0 and "of 2 images anomalous" in again.stdout


def test_a_large_image_without_tiles_gets_a_hint_that_runs(tmp_path, loaded, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deep = tmp_path / "a lot" / "below"
    deep.mkdir(parents=True)
    part(deep / "just.png", size=(256, 256))
    assert "small defects vanish" not in detect("a lot", "-r").output
    part(deep / "large.png", size=(257, 200))
    done = detect("a lot", "-r")
    assert "1 image is over 256 px, seen at 64 px: small defects vanish" in done.stdout
    (hint,) = [line.strip() for line in done.stdout.splitlines() if line.strip().endswith("--tile auto")]
    told = run.invoke(app, shlex.split(hint)[1:])
    assert told.exit_code == 0 and "2 images" in told.stdout and "vanish" not in told.output
    piped = detect("a lot", "-r", "--json", "-")
    assert len([json.loads(line) for line in piped.stdout.splitlines()]) == 2 and "--tile auto" in piped.stderr


def test_a_single_option_overrides_the_file_and_says_so(parts, tmp_path, loaded):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"image": 0.9, "pixel": 0.8, "min_area": 0.001, "rule": "score", "source": "May"}))
    done = detect(parts, "--thresholds", path, "--threshold", "0.1", "--json", "-")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    source = f"{path}: May; threshold 0.1"
    judged = {"image": 0.1, "pixel": 0.8, "min_area": 0.001, "rule": "score", "source": source}
    assert [row["thresholds"] for row in rows] == [judged] * 5 and rows[0]["outline"] == 0.8
    assert [row["fired"] for row in rows] == [["score"] if row["score"] >= 0.1 else [] for row in rows]
    assert {row["verdict"] for row in rows} == {"anomalous", "normal"}
    again = detect(parts, "--thresholds", path, "--min-area", "0.5", "--rule", "region")
    assert "0 of 5 images anomalous" in again.stdout
    assert "by rule region: a region from 0.8 of at least 50 % of the image" in again.stdout.replace("\n", " ")


def test_fail_on_anomalous_is_exit_3(parts, tmp_path, loaded):
    gate = ("--fail-on", "anomalous", "--threshold")
    assert detect(parts, *gate, "never").exit_code == 0
    assert detect(parts, *gate, "0").exit_code == 3
    (parts / "broken.png").write_bytes(b"x")
    assert detect(parts, *gate, "never").exit_code == 1
    out = tmp_path / "out"
    assert detect(parts, *gate, "0", "--out", out).exit_code == 3  # the anomalous image says more than the broken one
    assert detect(parts, *gate, "0", "--out", out, "--resume").exit_code == 3  # images that were done before count too
    assert detect(parts, "--threshold", "0").exit_code == 1


def test_thresholds_of_another_model(parts, tmp_path, loaded):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"image": 0.5, "model": {"name": "big", "fingerprint": "00"}}))
    done = detect(parts, "--thresholds", path)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert "measured on model big, not contrast" in done.stderr


def test_rows_of_0_1_are_refused_by_name(parts, tmp_path, loaded):
    rows = tmp_path / "rows.jsonl"
    detect(parts, "--json", rows)
    new = [json.loads(line) for line in rows.read_text().splitlines()]
    for row in new:
        row["anomalous"] = row.pop("verdict") == "anomalous"
        row["thresholds"] = {"image": 0.5, "pixel": 0.5, "min_area": 0.0, "calibrated": False}
        del row["fired"], row["outline"]
    old = "".join(json.dumps(row) + "\n" for row in new)
    rows.write_text(old)
    done = detect(parts, "--json", rows, "--resume")
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and rows.read_text() == old
    assert "rows.jsonl: has rows of zsad 0.1 (`anomalous` in place of `verdict` and `fired`)" in done.stderr
    assert detect(parts, "--json", rows).exit_code == 0  # the remedy


def test_words_reach_the_loader(parts, loaded):
    detect(parts, "--model", "m.onnx", "--prompt", "industrial", "--object", "metal nut", "--device", "cuda")
    assert loaded == {"model": "m.onnx", "prompt": "industrial", "object": "metal nut", "device": "cuda"}
    loaded.clear()
    detect(parts, "--normal", "good", "--anomalous", "bad", "--dtype", "bfloat16")
    assert (loaded["normal"], loaded["anomalous"], loaded["dtype"]) == ("good", "bad", "bfloat16")


def test_maps_tiles_and_bits(parts, tmp_path, loaded):
    Image.fromarray(np.full((20, 300), 4000, np.uint16)).save(parts / "long.png")
    assert detect(parts / "long.png").exit_code == 1  # 15:1
    done = detect(parts / "long.png", "--tile", "64", "--bits", "12", "--save-maps", "npy", "--out", tmp_path / "o")
    assert done.exit_code == 0 and "12-bit scaled by 1/16.0588" in done.stdout
    assert np.load(tmp_path / "o" / "map" / "long.npy", allow_pickle=False).shape == (20, 300)


def test_recursive(parts, loaded):
    part(parts / "deep" / "er" / "x.png")
    assert "of 5 images" in detect(parts, "--threshold", "0.5").stdout
    assert "of 6 images" in detect(parts, "-r", "--threshold", "0.5").stdout


def test_resume(parts, tmp_path, loaded):
    out = tmp_path / "out"
    detect(parts / "p0.png", parts / "p1.png", "--out", out)
    done = detect(parts, "--out", out, "--resume")
    # Another list of inputs is the same run: what counts is model, thresholds and options.
    assert done.exit_code == 0 and "2 done before" in done.stdout
    other = detect(parts, "--out", out, "--resume", "--threshold", "0.7")
    assert other.exit_code == 2 and "can't resume" in other.stderr


def test_a_long_run_shows_the_highest(tmp_path, loaded):
    for i in range(60):
        part(tmp_path / "in" / f"{i:02d}.png", spot=2 * i)
    done = detect(tmp_path / "in")
    assert "The 20 highest of 60" in done.stdout
    assert "59.png" in done.stdout and "00.png" not in done.stdout


def test_names_are_printed_as_one_line(tmp_path, loaded):
    if os.name != "posix":
        pytest.skip("needs POSIX names")
    part(tmp_path / "in" / "two\nlines [red] \x1b[31m.png")
    done = detect(tmp_path / "in", tmp_path / "no\nfile[/].png")
    assert "two\\nlines [red] \\x1b[31m.png" in done.stdout and "\x1b[31m" not in done.stdout
    assert "no\\nfile[/].png: no such file" in done.stderr


def test_calibrated_thresholds_are_not_marked(parts, monkeypatch):
    monkeypatch.setattr(zsad, "load", lambda model=None, **_: Contrast(thresholds=Thresholds(0.5)))
    assert "uncalibrated" not in detect(parts).stdout


def test_an_unexpected_error_is_one_line(parts, monkeypatch):
    def broken(model=None, **_):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(zsad, "load", broken)
    done = detect(parts)
    assert done.exit_code == 1
    assert done.stderr.startswith("zsad: unexpected RuntimeError in ") and done.stderr.count("\n") == 1


# ---- the real program


def program(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "zsad", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(zsad.__file__).parents[1],
        **options,
    )


@pytest.fixture
def running(tmp_path):
    """The program over 300 images, when it has written some rows."""
    if os.name != "posix":
        pytest.skip("needs POSIX signals")
    part(tmp_path / "in" / "000.png", size=(640, 480))
    for i in range(1, 300):
        os.link(tmp_path / "in" / "000.png", tmp_path / "in" / f"{i:03d}.png")
    rows = tmp_path / "out" / "results.jsonl"
    # A shell starts its background jobs with SIGINT ignored, nohup with SIGHUP, and a child would inherit that.
    heard = {"preexec_fn": lambda: [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGHUP)]}
    process = program("detect", tmp_path / "in", "--model", SMALL, "--out", tmp_path / "out", **heard)
    end = time.monotonic() + 60
    while not (rows.is_file() and rows.stat().st_size > 2000) and time.monotonic() < end:
        time.sleep(0.01)
    yield process
    if process.poll() is None:
        process.kill()
        process.communicate()


def finished(out: Path) -> int:
    """Return how many images are done; each row is whole, and so is the page."""
    lines = (out / "results.jsonl").read_bytes().splitlines()
    assert 0 < len(lines) < 300 and all(json.loads(line)["score"] >= 0 for line in lines)
    assert (out / "report.html").read_bytes().rstrip().endswith(b"</html>")
    return len(lines)


def test_ctrl_c(running, tmp_path):
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in errors and b"--resume goes on" in errors
    done = finished(tmp_path / "out")
    assert f'"state":"stopped","done":{done},' in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_what_asks_a_program_to_end(running, tmp_path, name):
    running.send_signal(getattr(signal, name))
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + getattr(signal, name)
    assert b"Traceback" not in errors and b"--resume goes on" in errors
    done = finished(tmp_path / "out")
    assert f'"state":"stopped","done":{done},' in (tmp_path / "out" / "report.html").read_text()


def test_sigterm_where_nothing_is_written(tmp_path):
    if os.name != "posix":
        pytest.skip("needs POSIX signals")
    place = tmp_path / "figures.json"
    process = program("bench", "speed", "--model", SMALL, "--calls", 10**6, "--json", place)
    # By the time that onnxruntime is there, signals are heard; a library that is just loading makes an error of them.
    loaded = Path(f"/proc/{process.pid}/maps")
    end = time.monotonic() + (60 if loaded.exists() else 4)
    while time.monotonic() < end and not (loaded.exists() and "onnxruntime" in loaded.read_text()):
        time.sleep(0.02)
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143 and errors in (b"zsad: terminated\n", b"") and not place.exists()


def test_a_full_disk_leaves_the_old_page_and_whole_rows(tmp_path):
    if os.name != "posix":
        pytest.skip("needs POSIX limits")
    import resource

    for i in range(12):
        part(tmp_path / "in" / f"{i:03d}.png", size=(64, 48))
    out, command = tmp_path / "out", ("detect", tmp_path / "in", "--model", SMALL, "--out", tmp_path / "out")
    assert detect(*command[1:], "--csv", tmp_path / "t.csv").exit_code == 0
    page, table = (out / "report.html").read_bytes(), (tmp_path / "t.csv").read_bytes()
    for i in range(12, 60):
        part(tmp_path / "in" / f"{i:03d}.png", size=(64, 48))
    most = len(page) - 1000  # no page gets in, but every picture and many rows do
    full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))}
    process = program(*command, "--csv", tmp_path / "t.csv", "--resume", **full)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and errors.count(b"\n") == 1
    assert b"report.html: larger than a file may be here" in errors and b"go on with --resume" in errors
    assert (out / "report.html").read_bytes().rstrip().endswith(b"</html>") and not list(tmp_path.rglob("*.part"))
    rows = (out / "results.jsonl").read_bytes()
    assert rows.endswith(b"\n") and all(json.loads(line)["file"] for line in rows.splitlines())
    assert (tmp_path / "t.csv").read_bytes().startswith(table[:200])
    assert detect(*command[1:], "--csv", tmp_path / "t.csv", "--resume").exit_code == 0
    assert len((out / "results.jsonl").read_bytes().splitlines()) == 60
    assert (tmp_path / "t.csv").read_text().count("\n") == 61


def test_kill(running, tmp_path):
    running.kill()
    running.communicate(timeout=60)
    finished(tmp_path / "out")
    assert '"state":"running"' in (tmp_path / "out" / "report.html").read_text()


def test_broken_pipe(tmp_path):
    if os.name != "posix":
        pytest.skip("needs POSIX pipes")
    part(tmp_path / "000.png")
    for i in range(1, 600):  # more rows than a pipe holds, so that the writer can't be done before it is closed
        os.link(tmp_path / "000.png", tmp_path / f"{i:03d}.png")
    process = program("detect", tmp_path, "--model", SMALL, "--json", "-")
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert errors == b""


def test_a_model_that_is_none(parts):
    done = detect(parts, "--model", parts / "p0.png.onnx")
    assert done.exit_code == 1 and "no such file" in done.stderr and done.stderr.count("\n") == 1
