"""Positions at another grid, against torch and against onnxruntime's own Resize."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from zsad.pretrained.positions import cubic_matrix, resize_positions


@pytest.mark.parametrize(("own", "grid"), [(37, 16), (37, 24), (5, 8), (4, 4), (3, 2)])
def test_as_torch_resizes(own, grid):
    table = np.random.default_rng(0).standard_normal((1, 1 + own**2, 6)).astype(np.float32)
    square = torch.from_numpy(table[:, 1:].reshape(1, own, own, 6)).permute(0, 3, 1, 2)
    want = F.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    found = resize_positions(table, grid)
    # torch computes its places in float32
    np.testing.assert_allclose(found[0, 1:].T.reshape(6, grid, grid), want[0].numpy(), atol=5e-5)
    np.testing.assert_array_equal(found[:, 0], table[:, 0])


def test_as_onnxruntime_resizes():
    table = np.random.default_rng(1).standard_normal((1, 1, 37, 37)).astype(np.float32)
    node = onnx.helper.make_node(
        "Resize",
        ["x", "", "", "s"],
        ["y"],
        mode="cubic",
        cubic_coeff_a=-0.75,
        coordinate_transformation_mode="half_pixel",
    )
    sizes = onnx.numpy_helper.from_array(np.array([1, 1, 16, 16], np.int64), "s")
    kinds = [onnx.helper.make_tensor_value_info(name, 1, None) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", [kinds[0]], [kinds[1]], [sizes])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    matrix = cubic_matrix(37, 16)
    np.testing.assert_allclose(session.run(None, {"x": table})[0][0, 0], matrix @ table[0, 0] @ matrix.T, atol=1e-5)


@given(st.integers(1, 40), st.integers(1, 60))
def test_a_constant_table_stays_constant(own, grid):
    np.testing.assert_allclose(cubic_matrix(own, grid).sum(axis=1), 1.0, atol=1e-12)
