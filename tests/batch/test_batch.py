import os
import subprocess
import sys
import tarfile
import time

import pytest
from typer.testing import CliRunner

from tests.fakes import BrightDetector
from tests.part_images import part, write_parts
from zsad.errors import OccupiedError, OutputError, UsageError
from zsad.thresholds import ThresholdsFile, write_thresholds
from zsad.types import Look, Thresholds

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

from zsad.batch.inputs import listed  # noqa: E402
from zsad.batch.job import Chunk, Job  # noqa: E402
from zsad.batch.processes import by_processes  # noqa: E402
from zsad.batch.run import Plan, run  # noqa: E402
from zsad.cli import app  # noqa: E402


def batch(*words):
    return CliRunner().invoke(app, ["batch", *map(str, words)])


def table(folder):
    return sorted(parquet.read_table(folder).to_pylist(), key=lambda row: row["path"])


class Deadly(BrightDetector):
    """Ends its process at one image."""

    def __call__(self, image):
        if self.decode(image).name.endswith("p1.png"):
            os._exit(9)
        return super().__call__(image)


def test_the_command_scores_each_input_once_goes_on_and_refuses_other_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path / "parts", 4, step=60)
    (tmp_path / "parts" / "bad.png").write_bytes(b"nonsense")
    with tarfile.open("s.tar", "w") as archive:
        archive.add("parts/p0.png", "p0.png")
    parquet.write_table(pa.table({"path": ["parts/p1.png", "gone.png"]}), "l.parquet")
    words = ["parts", "s.tar", "l.parquet", "--out", "scores", "--workers", "1"]
    first = batch(*words)
    assert first.exit_code == 1 and "scored 7 " in first.output and "2 failed" in first.output, first.output
    found = table("scores")
    assert [row["path"] for row in found] == ["gone.png", "parts/bad.png", *(f"parts/p{n}.png" for n in range(4)),
                                              "s.tar::p0.png"]  # fmt: skip
    assert [row["path"] for row in found if row["error"]] == ["gone.png", "parts/bad.png"]
    again = batch(*words)
    assert again.exit_code == 1 and "scored 0, 7 were done before, 2 failed" in again.output
    assert table("scores") == found
    part(tmp_path / "parts" / "p3.png", spot=5)
    part(tmp_path / "gone.png")
    third = batch(*words, "--retry")
    assert "scored 3 " in third.output and "4 were done before, 1 failed" in third.output
    assert [row["path"] for row in table("scores")] == [row["path"] for row in found]
    (tmp_path / "t.json").write_text('{"image": 0.2}')
    other = batch(*words, "--thresholds", "t.json")
    assert other.exit_code == 2 and "other settings or thresholds" in other.stderr


def test_a_device_that_is_not_there_is_refused(tmp_path):
    done = batch(part(tmp_path / "a.png"), "--out", tmp_path / "o", "--device", "NoSuchExecutionProvider")
    assert done.exit_code == 1 and "NoSuchExecutionProvider is not available here" in done.stderr
    assert not (tmp_path / "o").exists()


def test_thresholds_that_were_measured_at_other_bits_are_refused(tmp_path):
    write_thresholds(tmp_path / "t.json", ThresholdsFile(Thresholds(0.5), look=Look(None, 12)))
    words = (part(tmp_path / "a.png"), "--out", tmp_path / "o", "--thresholds", tmp_path / "t.json")
    done = batch(*words)
    assert done.exit_code == 2 and "measured without tiles at 12 bits, not without tiles at 16 bits" in done.stderr
    assert "give --bits 12" in done.stderr and batch(*words, "--bits", "7").exit_code == 2
    assert not (tmp_path / "o").exists()


def test_an_actor_asks_for_a_gpu_only_where_the_provider_runs_on_one(tmp_path, monkeypatch):
    plans = []

    def noted(detector, inputs, out, plan, **_):
        plans.append(plan)
        raise UsageError("noted")

    monkeypatch.setattr("zsad.batch.run.run", noted)
    for device in ("cpu", "CPUExecutionProvider"):
        assert batch(part(tmp_path / "a.png"), "--out", tmp_path / "o", "--device", device).exit_code == 2
    assert [plan.gpu for plan in plans] == [False, False]


def test_a_batch_that_is_killed_goes_on_and_its_workers_end(tmp_path, monkeypatch):
    psutil = pytest.importorskip("psutil")
    write_parts(tmp_path / "parts", 30, step=4)
    command = [sys.executable, "-m", "zsad", "batch", "parts", "--out", "scores", "--workers", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    end = time.monotonic() + 60
    while not list((tmp_path / "scores").glob("part-*")) and time.monotonic() < end:
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert workers and not psutil.wait_procs(workers, 20)[1]
    kept = parquet.read_table(tmp_path / "scores").num_rows
    assert 0 < kept < 30
    monkeypatch.chdir(tmp_path)
    done = batch("parts", "--out", "scores", "--workers", "1")
    assert done.exit_code == 0 and f"{kept} were done before" in done.output
    assert [row["path"] for row in table(tmp_path / "scores")] == sorted(f"parts/p{n}.png" for n in range(30))
    assert [one.name for one in (tmp_path / "scores").iterdir() if one.name.startswith(".")] == []


def test_an_input_that_ends_its_worker_is_a_row_and_the_others_have_theirs(tmp_path):
    write_parts(tmp_path / "parts", 2)
    inputs = listed([str(tmp_path / "parts")], say=print)
    out = tmp_path / "scores"
    progress = run(Deadly(thresholds=Thresholds(image=0.8)), inputs, out, Plan(workers=1))
    assert (progress.scored, progress.failed) == (2, 1)
    failed = [row for row in table(out) if row["error"]]
    assert [row["path"] for row in failed] == [str(tmp_path / "parts" / "p1.png")]
    assert "was killed" in failed[0]["error"] and len(table(out)) == 2


def test_what_a_worker_raises_is_the_command_s(tmp_path):
    inputs = tuple(listed([str(part(tmp_path / "a.png"))], say=print))
    job = Job(BrightDetector(), str(tmp_path / "file" / "out"), str(tmp_path), {"run": "r"})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="in the way"):
        list(by_processes(job, [Chunk(inputs)], 1))


def test_a_folder_that_is_not_ours_and_rows_that_are_damaged_are_refused(tmp_path):
    inputs = listed([str(part(tmp_path / "a.png"))], say=print)
    out = tmp_path / "out"
    part(out / "mine.png")
    with pytest.raises(OccupiedError, match=r"other files \(mine.png\)"):
        run(BrightDetector(), inputs, out)
    (out / "mine.png").unlink()
    parquet.write_table(pa.table({"path": ["x"]}), out / "part-000000.parquet")
    with pytest.raises(OccupiedError, match="not written by zsad"):
        run(BrightDetector(), inputs, out)
    (out / "part-000000.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(OutputError, match="delete it and run again"):
        run(BrightDetector(), inputs, out)
    for plan, says in ((Plan(workers=0), "at least 1"), (Plan(address="x"), "--engine ray")):
        with pytest.raises(UsageError, match=says):
            run(BrightDetector(), inputs, tmp_path / "new", plan)
