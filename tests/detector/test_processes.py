"""Detectors in other processes: opened again from what they were opened from, or refused in words."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

import zsad
from zsad import errors
from zsad.errors import ForkedError, MissingExtraError, ModelError, ZsadError

SMALL = Path(__file__).with_name("small.onnx")
IMAGE = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)


def subclasses(kind):
    return {kind, *(below for one in kind.__subclasses__() for below in subclasses(one))}


@pytest.mark.parametrize("kind", sorted(subclasses(ZsadError), key=lambda kind: kind.__name__))
def test_every_error_can_be_pickled_and_copied(kind):
    error = kind("zsad train", "torch") if kind is MissingExtraError else kind("a.png: what is wrong")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind and str(again) == str(error) and vars(again) == vars(error)
    assert kind.__module__ == errors.__name__


@pytest.fixture(params=["onnx", pytest.param("torch", marks=pytest.mark.torch)])
def detector(request):
    if request.param == "onnx":
        return zsad.load(SMALL, threads=1)
    pytest.importorskip("open_clip")
    from zsad.paths import asset

    folder = asset("tiny/open_clip_config.json").parent
    return zsad.load(f"local-dir:{folder}", prompt=folder / "prompt.safetensors")


def test_a_pickled_detector_is_opened_again_with_its_options(detector):
    changed = detector.with_options(bits=12).with_thresholds(zsad.Thresholds(image=0.25))
    wanted, data = changed(IMAGE), pickle.dumps(changed)
    assert len(data) < 200_000  # no weights
    for again in (pickle.loads(data), copy.deepcopy(changed)):
        found = again(IMAGE)
        assert found.score == wanted.score and np.array_equal(found.map, wanted.map)
        assert again.bits == 12 and again.thresholds == changed.thresholds and again.card == changed.card


def test_a_copy_shares_the_network(detector):
    name = "_session" if hasattr(detector, "_session") else "backbone"
    assert getattr(copy.copy(detector), name) is getattr(detector, name)


def score_in_child(detector, queue):
    queue.put(detector(IMAGE).score)


def test_a_spawned_process_scores_the_same(detector):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=score_in_child, args=(detector, queue))
    process.start()
    try:
        assert queue.get(timeout=120) == detector(IMAGE).score
    finally:
        process.join(10)
        process.kill()


def test_a_file_that_changed_or_went_is_not_opened_again(tmp_path):
    path = tmp_path / "m.onnx"
    shutil.copy(SMALL, path)
    data = pickle.dumps(zsad.load(path, threads=1))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ModelError, match="has changed"):
        pickle.loads(data)
    path.unlink()
    with pytest.raises(ModelError, match="no such file here"):
        pickle.loads(data)


@pytest.mark.torch
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.parametrize("detector", ["torch"], indirect=True)
def test_a_forked_process_says_so_instead_of_hanging(detector):
    detector(IMAGE)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            detector(IMAGE)
        except ForkedError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert 'get_context("spawn")' in pipe.read()
