"""A ViT and a head as an ONNX graph, written node by node with the onnx package alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zsad.card import CARD_KEY, ModelCard
from zsad.detector.onnx_detector import CLS, IMAGE, IMAGE_DIRECTION, MAP, PATCHES, PIXEL_DIRECTION, SCORE
from zsad.errors import MissingExtraError
from zsad.pretrained.positions import resize_positions
from zsad.pretrained.weights import VitWeights
from zsad.scoring.directions import graph_directions
from zsad.scoring.smoothing import smoothing_matrix, top_count
from zsad.types import PromptVectors

if TYPE_CHECKING:
    import onnx

OPSET = 20
"""ONNX operator set: the first with Gelu."""
EPSILON = 1e-6
"""Of every layer norm of DINOv2."""
HEAD_WIDTH = 64
"""Width of an attention head in every DINOv2."""


def require_onnx() -> Any:
    """Import onnx.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("writing an ONNX file", "dinov2") from None
    return onnx


class _Graph:
    """Nodes and constants, added in order; every method returns the name of what it made."""

    def __init__(self) -> None:
        self.onnx = require_onnx()
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = self.onnx.numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def op(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        name = to or f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], name=f"node_{name}", **attributes))
        return name

    def integers(self, *values: int) -> str:
        return self.constant("i" + "_".join(map(str, values)).replace("-", "m"), np.array(values, np.int64))


def vit_model(weights: VitWeights, card: ModelCard, head: PromptVectors | None) -> onnx.ModelProto:
    """Write a ViT that gives its features, and with a head also map and score.

    Args:
        weights: the network's.
        card: how it is read and scored; its layers and size are what the graph computes. ``cls`` is the class token
            after the deepest of the layers, through the final norm, as the patches of each layer are.
        head: a normal and an anomalous direction for each layer; None for a file with features only, which scorers
            of its own are fitted on.

    Returns:
        A checked model with input ``image (B, 3, S, S)``.

    Raises:
        MissingExtraError: onnx is not installed.

    Source: Oquab et al., DINOv2 (2023); Dosovitskiy et al., 2021, for the ViT.
    """
    graph = _Graph()
    S, L, D, N = card.input.image_size, len(card.reading.layers), weights.width, card.grid**2
    cls, patches = _features(graph, weights, card)
    helper, float32 = graph.onnx.helper, graph.onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(IMAGE, float32, ["batch", 3, S, S])]
    outputs = [
        helper.make_tensor_value_info(cls, float32, ["batch", D]),
        helper.make_tensor_value_info(patches, float32, ["batch", L, N, D]),
    ]
    if head is not None:
        _direction_head(graph, card, head, patches)
        inputs += [  # an input that is also a constant may be exchanged
            helper.make_tensor_value_info(IMAGE_DIRECTION, float32, [D]),
            helper.make_tensor_value_info(PIXEL_DIRECTION, float32, [L, D]),
        ]
        outputs = [
            helper.make_tensor_value_info(MAP, float32, ["batch", S, S]),
            helper.make_tensor_value_info(SCORE, float32, ["batch"]),
            *outputs,
        ]
    drawn = helper.make_graph(graph.nodes, "zsad", inputs, outputs, list(graph.constants.values()))
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(drawn, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]))
    model.producer_name = "zsad"
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    graph.onnx.checker.check_model(model, full_check=True)
    return model


def _features(graph: _Graph, weights: VitWeights, card: ModelCard) -> tuple[str, str]:
    """Add the network up to the deepest layer that is read; return the names of ``cls`` and ``patches``."""
    W, p, layers = weights.width, weights.patch, card.reading.layers
    for name, value in weights.tensors.items():
        block = int(name.split(".")[1]) if name.startswith("blocks.") else 0
        if block < max(layers) and name not in ("pos_embed", "cls_token"):
            linear = value.ndim == 2
            graph.constant(name, value.T if linear else value)
    x = graph.op("Conv", IMAGE, "patch_embed.proj.weight", "patch_embed.proj.bias", strides=[p, p])  # (B, W, G, G)
    x = graph.op("Transpose", graph.op("Reshape", x, graph.integers(0, W, -1)), perm=[0, 2, 1])  # (B, N, W)
    table = resize_positions(weights.tensors["pos_embed"], card.grid)
    x = graph.op("Add", x, graph.constant("positions", table[:, 1:]))
    first = graph.constant("class_token", weights.tensors["cls_token"] + table[:, :1])  # (1, 1, W)
    batch = graph.op("Shape", IMAGE, start=0, end=1)
    rows = graph.op("Expand", first, graph.op("Concat", batch, graph.integers(1, W), axis=0))
    x = graph.op("Concat", rows, x, axis=1)  # (B, 1 + N, W)
    read: dict[int, str] = {}
    for i in range(max(layers)):
        x = _block(graph, x, f"blocks.{i}.", W)
        if i + 1 in layers:
            read[i + 1] = _norm(graph, x, "norm")
    deepest = read[max(layers)]
    one, end = graph.integers(1), graph.integers(2**31)
    rest = [graph.op("Slice", read[layer], one, end, one) for layer in layers]  # (B, N, W) each
    patches = [graph.op("Unsqueeze", x, one) for x in rest]
    cls = graph.op("Gather", deepest, graph.constant("zero", np.int64(0)), to=CLS, axis=1)  # (B, W)
    return cls, graph.op("Concat", *patches, to=PATCHES, axis=1)  # (B, L, N, W)


def _norm(graph: _Graph, x: str, name: str) -> str:
    return graph.op("LayerNormalization", x, f"{name}.weight", f"{name}.bias", axis=-1, epsilon=EPSILON)


def _linear(graph: _Graph, x: str, name: str) -> str:
    return graph.op("Add", graph.op("MatMul", x, f"{name}.weight"), f"{name}.bias")


def _block(graph: _Graph, x: str, name: str, width: int) -> str:
    """Add attention and MLP, each with a norm before and a scale after."""
    heads = width // HEAD_WIDTH
    y = _linear(graph, _norm(graph, x, f"{name}norm1"), f"{name}attn.qkv")  # (B, T, 3 W)
    y = graph.op("Reshape", y, graph.integers(0, 0, 3, heads, HEAD_WIDTH))
    y = graph.op("Transpose", y, perm=[2, 0, 3, 1, 4])  # (3, B, h, T, d)
    q, k, v = (
        graph.op("Gather", y, graph.constant(f"at_{i}", np.int64(i)), axis=0)
        for i in range(3)  # (B, h, T, d)
    )
    q = graph.op("Mul", q, graph.constant("scale", np.float32(HEAD_WIDTH**-0.5)))
    weights = graph.op("Softmax", graph.op("MatMul", q, graph.op("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    y = graph.op("Transpose", graph.op("MatMul", weights, v), perm=[0, 2, 1, 3])  # (B, T, h, d)
    y = _linear(graph, graph.op("Reshape", y, graph.integers(0, 0, width)), f"{name}attn.proj")
    x = graph.op("Add", x, graph.op("Mul", y, f"{name}ls1.gamma"))
    y = graph.op("Gelu", _linear(graph, _norm(graph, x, f"{name}norm2"), f"{name}mlp.fc1"))
    y = _linear(graph, y, f"{name}mlp.fc2")
    return graph.op("Add", x, graph.op("Mul", y, f"{name}ls2.gamma"))


def _direction_head(graph: _Graph, card: ModelCard, vectors: PromptVectors, patches: str) -> None:
    """Add map and score of one anomalous direction per layer, as :class:`zsad.scoring.DirectionScorer` has them."""
    S, G = card.input.image_size, card.grid
    image, pixel = graph_directions(vectors, card.scoring.temperature)  # (D,), (L, D)
    graph.constant(IMAGE_DIRECTION, image)
    graph.constant(PIXEL_DIRECTION, pixel)
    column = graph.op("Unsqueeze", PIXEL_DIRECTION, graph.integers(2))  # (L, D, 1)
    logits = graph.op("MatMul", patches, column)  # (B, L, N, 1)
    prob = graph.op("Sigmoid", graph.op("Div", logits, _length(graph, patches)))
    share = np.asarray(card.scoring.map_weights(len(card.reading.layers)), np.float32)[None, :, None, None]
    weighted = graph.op("Mul", prob, graph.constant("layer_weights", share))
    grid = graph.op("ReduceSum", weighted, graph.integers(1), keepdims=0)  # (B, N, 1)
    grid = graph.op("Reshape", grid, graph.integers(-1, G, G))
    smooth = smoothing_matrix(S, G, card.scoring.sigma).astype(np.float32)  # (S, G)
    rows = graph.op("MatMul", graph.constant("smoothing", smooth), grid)
    values = graph.op("MatMul", rows, graph.constant("smoothing_t", smooth.T))  # (B, S, S)
    low, high = graph.constant("low", np.float32(0)), graph.constant("high", np.float32(1))
    values = graph.op("Clip", values, low, high, to=MAP)
    by_class = graph.op("MatMul", CLS, IMAGE_DIRECTION)  # (B,)
    by_class = graph.op("Sigmoid", graph.op("Div", by_class, _length(graph, CLS, keep=0)))
    flat = graph.op("Reshape", values, graph.integers(0, -1))
    count = graph.integers(top_count(S))
    graph.nodes.append(graph.onnx.helper.make_node("TopK", [flat, count], ["top", "top_places"], sorted=0))
    top = graph.op("ReduceMean", "top", graph.integers(-1), keepdims=0)  # (B,)
    weight = card.scoring.fusion
    parts = [graph.op("Mul", top, graph.constant("top_share", np.float32(weight)))]
    parts.append(graph.op("Mul", by_class, graph.constant("class_share", np.float32(1 - weight))))
    graph.op("Add", *parts, to=SCORE)


def _length(graph: _Graph, x: str, keep: int = 1) -> str:
    length = graph.op("ReduceL2", x, graph.integers(-1), keepdims=keep)
    return graph.op("Max", length, graph.constant("least", np.float32(1e-12)))
