from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zsad.training import train
from zsad.training.processes import Processes

from .drawn_parts import MICRO, write_tree

CODE = """
import json, os, sys
from pathlib import Path
from zsad.training import train
from zsad.training.processes import Processes
data, backbone, out = sys.argv[1:]
for gb in ("1", "0"):
    done = train(data, backbone, Path(out, "two" + gb), recipe="anomalyclip", image_size=56, epochs=2, batch_size=5,
                 cache=Path(out, "cache"), cache_gb=float(gb))
    Path(out, f"losses{gb}.{os.environ['RANK']}.json").write_text(json.dumps(done.losses))
for name in ("first", "second"):
    train(data, backbone, Path(out, name), image_size=56, epochs=1, head="weights", cache=Path(out, "cache"))
group = Processes.join()
assert group.world == 2 and group.owned
group.leave()
"""
"""What each process runs, everything in one start; a file apiece for losses: lines of two on one pipe may mix."""


def test_shares_cover_the_batch_once():
    for world in (1, 2, 3, 5):
        for count in (0, 1, 4, 8):
            shares = [Processes(rank, world).share(list(range(count))) for rank in range(world)]
            assert [item for share in shares for item in share] == list(range(count))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Everything that two processes do; one image of the data can't be read."""
    folder = tmp_path_factory.mktemp("two")
    data = write_tree(folder / "data")
    (data / "part/test/good/001.png").write_bytes(b"not an image")
    script = folder / "run.py"
    script.write_text(CODE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command += [f"mvtec:{data}", MICRO, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_one_process_trains_again_and_again(ran):
    """The second run meets anew, instead of waiting at the first one's meeting place for ever."""
    first, second = (load_file(ran / name / "prompt.safetensors") for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("cache_gb", ["1", "0"])
def test_two_processes_equal_one_with_the_same_global_batch(ran, tmp_path, cache_gb):
    """Batches of 5, 5 and 2 over two processes; an image that can't be read is missing in both.

    Gradients are summed in another order, so that they differ in the last bits of float32. Adam divides them by
    their own size, hence parameters whose gradient is near zero differ most: losses agree to 1e-5, vectors to 1e-4.
    """
    said = [json.loads((ran / f"losses{cache_gb}.{rank}.json").read_text()) for rank in range(2)]
    assert said[0] == said[1]
    one = train(
        f"mvtec:{ran / 'data'}", MICRO, tmp_path / "one", recipe="anomalyclip", image_size=56, epochs=2, batch_size=5,
        cache=tmp_path / "cache", cache_gb=float(cache_gb),
    )  # fmt: skip
    assert np.allclose(one.losses, said[0], rtol=1e-5)
    a, b = (load_file(folder / "prompt.safetensors") for folder in (tmp_path / "one", ran / f"two{cache_gb}"))
    for name in ("vectors.image", "vectors.pixel"):
        assert torch.allclose(a[name], b[name], atol=1e-4), name
