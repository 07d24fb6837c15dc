"""A ViT of two blocks with random weights, as numpy, and as the graph that Hugging Face's export makes of such one."""

from __future__ import annotations

import numpy as np
import onnx

from zsad.pretrained.weights import VitWeights

WIDTH, DEPTH, PATCH, GRID = 64, 3, 14, 5


def random_tensors(seed=0, width=WIDTH, depth=DEPTH, patch=PATCH, grid=GRID):
    rng = np.random.default_rng(seed)

    def draw(*shape, scale=0.15, mean=0.0):
        return (mean + scale * rng.standard_normal(shape)).astype(np.float32)

    tensors = {
        "cls_token": draw(1, 1, width),
        "pos_embed": draw(1, 1 + grid**2, width),
        "patch_embed.proj.weight": draw(width, 3, patch, patch, scale=0.05),
        "patch_embed.proj.bias": draw(width),
        "norm.weight": draw(width, mean=1.0),
        "norm.bias": draw(width),
    }
    for i in range(depth):
        block = {
            "norm1.weight": draw(width, mean=1.0),
            "norm1.bias": draw(width),
            "attn.qkv.weight": draw(3 * width, width),
            "attn.qkv.bias": draw(3 * width),
            "attn.proj.weight": draw(width, width),
            "attn.proj.bias": draw(width),
            "ls1.gamma": draw(width, mean=0.5),
            "norm2.weight": draw(width, mean=1.0),
            "norm2.bias": draw(width),
            "mlp.fc1.weight": draw(4 * width, width),
            "mlp.fc1.bias": draw(4 * width),
            "mlp.fc2.weight": draw(width, 4 * width),
            "mlp.fc2.bias": draw(width),
            "ls2.gamma": draw(width, mean=0.5),
        }
        tensors |= {f"blocks.{i}.{name}": value for name, value in block.items()}
    return tensors


def random_weights(**sizes):
    return VitWeights(random_tensors(**sizes), "random")


def hugging_face_graph(tensors):
    """Name the tensors as an exported Hugging Face DINOv2 has them; matrices are numbered, key before value, query."""
    depth = len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})
    named, matrices, number = {}, {}, 1900
    root = "backbone.embeddings."
    named[f"{root}cls_token"] = tensors["cls_token"]
    named[f"{root}patch_embeddings.projection.weight"] = tensors["patch_embed.proj.weight"]
    named[f"{root}patch_embeddings.projection.bias"] = tensors["patch_embed.proj.bias"]
    named["backbone.layernorm.weight"], named["backbone.layernorm.bias"] = tensors["norm.weight"], tensors["norm.bias"]
    named["decoder.final_conv.weight"] = np.zeros((1, 4, 1, 1), np.float32)
    for i in range(depth):
        block = {name.split(".", 2)[2]: value for name, value in tensors.items() if name.startswith(f"blocks.{i}.")}
        layer, inner = f"backbone.encoder.layer.{i}.", f"backbone.encoder.layer.{i}.attention."
        query, key, value = np.split(block["attn.qkv.weight"], 3)
        biases = np.split(block["attn.qkv.bias"], 3)
        for part, bias in zip(("query", "key", "value"), biases, strict=True):
            named[f"{inner}attention.{part}.bias"] = bias
        named[f"{inner}output.dense.bias"] = block["attn.proj.bias"]
        named[f"{layer}layer_scale1.lambda1"] = block["ls1.gamma"]
        named[f"{layer}layer_scale2.lambda1"] = block["ls2.gamma"]
        for part in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "mlp.fc1.bias", "mlp.fc2.bias"):
            named[layer + part] = block[part]
        in_order = (key, value, query, block["attn.proj.weight"], block["mlp.fc1.weight"], block["mlp.fc2.weight"])
        for matrix in in_order:
            number += 7
            matrices[f"onnx::MatMul_{number}"] = matrix.T
    tables = {"onnx::Concat_1800": tensors["pos_embed"][:, :1], "onnx::Reshape_1801": tensors["pos_embed"][:, 1:]}
    everything = {**named, **tables, **matrices}
    initializers = [onnx.numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in everything.items()]
    return onnx.helper.make_model(onnx.helper.make_graph([], "source", [], [], initializers))
