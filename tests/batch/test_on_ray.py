"""Ray on this machine: two actors, one of which is killed midway. Skipped where Ray is not installed."""

import os
import signal

import pytest

from tests.fakes import BrightDetector
from tests.part_images import write_parts
from zsad.errors import UsageError

pytest.importorskip("ray")
pytest.importorskip("pyarrow")
from pyarrow import parquet

from zsad.batch import on_ray
from zsad.batch.folder import OutFolder
from zsad.batch.input import Input
from zsad.batch.inputs import listed
from zsad.batch.job import Chunk, Job, chunks_of
from zsad.cli.console import only_our_remarks


def test_a_worker_that_is_killed_midway_costs_nothing(tmp_path):
    write_parts(tmp_path / "parts", 40, step=3)
    inputs = [*listed([str(tmp_path / "parts")], say=print), Input("gone.png", "gone.png")]
    folder = OutFolder(tmp_path / "out", {"run": "r"})
    killed, dones = [], []
    with folder.held(), only_our_remarks(), on_ray.connected(2, None) as workers:
        job = Job(BrightDetector(), str(tmp_path / "out"), str(tmp_path), {"run": "r"})
        for done in on_ray.by_ray(job, chunks_of(inputs, workers), workers):
            dones.append(done)
            folder.add(done)
            if not killed:
                os.kill(done.process, signal.SIGKILL)
                killed.append(done.process)
    assert workers == 2 and len({done.process for done in dones}) >= 2
    rows = parquet.read_table(tmp_path / "out").to_pylist()
    assert sorted(row["path"] for row in rows) == sorted(one.id for one in inputs)
    assert [row["path"] for row in rows if row["error"]] == ["gone.png"]


def test_a_chunk_that_kills_its_actors_is_given_up(tmp_path):
    job = Job(BrightDetector(), str(tmp_path), str(tmp_path), {"run": "r"})
    actor, chunk = on_ray._Actor(job), Chunk((Input("a.png", "a.png"),))
    left = []
    job_do, Job.do = Job.do, lambda self, chunk: left.append(1) or (_ for _ in ()).throw(KeyboardInterrupt)
    try:
        for _ in range(3):  # as if it had been killed: nothing cleans up
            with pytest.raises(KeyboardInterrupt):
                actor({"chunk": [chunk]})
    finally:
        Job.do = job_do
    said = actor({"chunk": [chunk]})["said"][0]
    assert len(left) == 3 and "killed 3 times; use --engine local" in str(said)


def test_no_cluster_is_one_line():
    with only_our_remarks(), pytest.raises(UsageError, match=r"no Ray cluster at 127.0.0.1:1 .*--ray-address"), \
            on_ray.connected(1, "127.0.0.1:1"):  # fmt: skip
        pass
