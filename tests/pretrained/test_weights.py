"""Weights as arrays: what is refused, and one fingerprint with and without torch."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from tests.pretrained.small import hugging_face_graph, random_tensors, random_weights
from zsad.backbone.tower import fingerprint
from zsad.errors import ModelError
from zsad.pretrained.sources import read_dinov2, saliency_weights
from zsad.pretrained.weights import VitWeights, evenly_spaced


def test_sizes_are_read_from_the_shapes():
    weights = random_weights()
    assert (weights.width, weights.depth, weights.patch, weights.grid) == (64, 3, 14, 5)


def test_the_fingerprint_is_that_of_torch():
    tensors = random_tensors()
    as_torch = [(name, torch.from_numpy(value)) for name, value in tensors.items()]
    assert VitWeights(tensors, "x").fingerprint == fingerprint(as_torch)
    tensors["blocks.2.ls2.gamma"] = tensors["blocks.2.ls2.gamma"] + 1
    assert VitWeights(tensors, "x").fingerprint != fingerprint(as_torch)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 100, 999_983, 1370 * 384, 384 * 1536])
def test_places_are_those_of_linspace(size):
    want = torch.linspace(0, size - 1, min(64, size)).long().numpy()
    np.testing.assert_array_equal(evenly_spaced(size), want)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("cls_token"), "no cls_token"),
        (lambda t: t.pop("blocks.1.ls1.gamma"), "lacks tensor 'blocks.1.ls1.gamma'"),
        (lambda t: t.update(reg_token=np.zeros((1, 4, 64), np.float32)), "unknown tensor 'reg_token'"),
        (lambda t: t.update({"norm.bias": np.zeros(63, np.float32)}), "needed is finite float32 (64,)"),
        (lambda t: t.update({"norm.bias": np.full(64, np.nan, np.float32)}), "norm.bias"),
    ],
)
def test_other_networks_are_refused(change, words):
    tensors = random_tensors()
    change(tensors)
    with pytest.raises(ModelError) as error:
        VitWeights(tensors, "file.safetensors")
    assert words in str(error.value) and "file.safetensors" in str(error.value)


def test_an_exported_hugging_face_network_is_read_by_timms_names():
    tensors = random_tensors()
    found = saliency_weights(hugging_face_graph(tensors), "x.onnx")
    assert found.tensors.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(found.tensors[name], value)


def test_another_graph_is_refused():
    empty = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []))
    with pytest.raises(ModelError, match="not the graph"):
        saliency_weights(empty, "x.onnx")
    graph = hugging_face_graph(random_tensors())
    graph.graph.initializer[0].name = "other"
    with pytest.raises(ModelError, match="no 'backbone"):
        saliency_weights(graph, "x.onnx")


def test_files_of_timm_and_meta_are_read_alike(tmp_path):
    from safetensors.numpy import save_file

    tensors = random_tensors()
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save(
        {name: torch.from_numpy(value) for name, value in tensors.items()} | {"mask_token": torch.zeros(1, 64)},
        tmp_path / "b.pth",
    )
    one, other = (read_dinov2(str(tmp_path / name)) for name in ("a.safetensors", "b.pth"))
    assert one.fingerprint == other.fingerprint == random_weights().fingerprint
    with pytest.raises(ModelError, match="no such file"):
        read_dinov2(str(tmp_path / "c.safetensors"))
    (tmp_path / "d.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not a readable"):
        read_dinov2(str(tmp_path / "d.safetensors"))
