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

from .drawn_parts import MICRO

CODE = """
import json, os, sys
from pathlib import Path
from zsad.training import train
data, backbone, out, cache, gb, head, lr = sys.argv[1:]
done = train(data, backbone, out, recipe="anomalyclip", image_size=56, epochs=2, batch_size=5, cache=cache,
             cache_gb=float(gb), head=head, lr=float(lr))
Path(f"{out}.losses{os.environ['RANK']}.json").write_text(json.dumps(done.losses))
"""
"""What each process runs; a file apiece for the losses, since lines of two processes on one pipe may mix."""

TWICE = """
import sys
from pathlib import Path
from zsad.training import train
from zsad.training.processes import Processes
data, backbone, out, cache = sys.argv[1:]
for name in ("first", "second"):
    train(data, backbone, Path(out, name), image_size=56, epochs=1, head="weights", cache=cache)
group = Processes.join()
assert group.world == 2 and group.owned
group.leave()
"""


def test_shares_cover_the_batch_once():
    for world in (1, 2, 3, 5):
        for count in (0, 1, 4, 8):
            shares = [Processes(rank, world).share(list(range(count))) for rank in range(world)]
            assert [item for share in shares for item in share] == list(range(count))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def under_torchrun(folder, code, *arguments, timeout=600):
    """Run a script in two processes."""
    script = folder / "run.py"
    script.write_text(code)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=timeout
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_one_process_trains_twice(tree, tmp_path):
    """The second run meets anew, instead of waiting at the first one's meeting place for ever."""
    under_torchrun(tmp_path, TWICE, f"mvtec:{tree}", MICRO, tmp_path, tmp_path / "cache", timeout=150)
    first, second = (load_file(tmp_path / name / "prompt.safetensors") for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("cache_gb", ["1", "0"])
def test_two_processes_equal_one_with_the_same_global_batch(tree, tmp_path, cache_gb):
    """Batches of 5, 5 and 2 over two processes; an image that can't be read is missing in both.

    Gradients are summed in another order, so that they differ in the last bits of float32. Adam divides them by
    their own size, hence parameters whose gradient is near zero differ most: losses agree to 1e-5, vectors to 1e-4.
    """
    (tree / "part/test/good/001.png").write_bytes(b"not an image")
    two, cache = tmp_path / "two", tmp_path / "cache2"
    under_torchrun(tmp_path, CODE, f"mvtec:{tree}", MICRO, two, cache, cache_gb, "prompt", "1e-3")
    said = [json.loads((tmp_path / f"two.losses{rank}.json").read_text()) for rank in range(2)]
    assert said[0] == said[1]
    one = train(
        f"mvtec:{tree}", MICRO, tmp_path / "one", recipe="anomalyclip", image_size=56, epochs=2, batch_size=5,
        cache=tmp_path / "cache1", cache_gb=float(cache_gb),
    )  # fmt: skip
    assert np.allclose(one.losses, said[0], rtol=1e-5)
    a, b = (load_file(tmp_path / name / "prompt.safetensors") for name in ("one", "two"))
    for name in ("vectors.image", "vectors.pixel"):
        assert torch.allclose(a[name], b[name], atol=1e-4), name
