"""Weights, images and prompts of the small golden set T, drawn from its seed; see ``compact_golden.py``."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.parity_checks import Files
from benchmarks.parity_set import drawn_table

CONFIG: dict[str, Any] = {
    "seed": 7,
    "vw": 128,
    "vl": 3,
    "patch": 8,
    "grid": 5,
    "tw": 64,
    "tl": 3,
    "ed": 48,
    "img": 32,
    "batch": 3,
    "n_ctx": 6,
    "depth": 6,
    "t_n_ctx": 2,
    "dpam": 3,
    "feats": [1, 2, 3],
    "sigma": 4,
    "mlp_ratio": 1,
    "labels": [1, 0, 1],
    "made_by": "tests/oracles/compact_golden.py",
}
DTYPES = {"ln_": torch.float32, "embedding": torch.float32}


def draw_weights(config: dict[str, Any]) -> dict[str, Tensor]:
    """Draw a state dict in OpenAI's layout and types, with layer norms that are not 1 and 0."""
    generator = torch.Generator().manual_seed(config["seed"])
    weights: dict[str, Tensor] = {}

    def put(name: str, *shape: int, std: float, mean: float = 0.0) -> None:
        value = mean + std * torch.randn(*shape, generator=generator)
        weights[name] = value.to(next((d for key, d in DTYPES.items() if key in name), torch.float16))

    def norm(name: str, width: int) -> None:
        put(f"{name}.weight", width, std=0.2, mean=1.0)
        put(f"{name}.bias", width, std=0.1)

    def tower(prefix: str, width: int, blocks: int) -> None:
        hidden = width * config["mlp_ratio"]
        for index in range(blocks):
            block = f"{prefix}transformer.resblocks.{index}"
            norm(f"{block}.ln_1", width)
            norm(f"{block}.ln_2", width)
            for name, rows, columns in (
                ("attn.in_proj_", 3 * width, width),
                ("attn.out_proj.", width, width),
                ("mlp.c_fc.", hidden, width),
                ("mlp.c_proj.", width, hidden),
            ):
                put(f"{block}.{name}weight", rows, columns, std=columns**-0.5)
                put(f"{block}.{name}bias", rows, std=0.05)

    vision, text, embed = config["vw"], config["tw"], config["ed"]
    put("visual.conv1.weight", vision, 3, config["patch"], config["patch"], std=0.05)
    put("visual.class_embedding", vision, std=0.5)
    put("visual.positional_embedding", config["grid"] ** 2 + 1, vision, std=0.5)
    put("visual.proj", vision, embed, std=vision**-0.5)
    norm("visual.ln_pre", vision)
    norm("visual.ln_post", vision)
    tower("visual.", vision, config["vl"])
    put("positional_embedding", 77, text, std=0.1)
    put("text_projection", text, embed, std=text**-0.5)
    norm("ln_final", text)
    tower("", text, config["tl"])
    weights["logit_scale"] = torch.tensor(4.6052)
    for name, value in (
        ("input_resolution", config["patch"] * config["grid"]),
        ("context_length", 77),
        ("vocab_size", 49408),
    ):
        weights[name] = torch.tensor(value)
    return weights


def draw_inputs(config: dict[str, Any]) -> Files:
    """Draw images, masks and prompts; the token ids are CLIP's of the published strings."""
    rng = np.random.default_rng(config["seed"])
    size, width, context = config["img"], config["tw"], config["n_ctx"]
    masks = np.zeros((config["batch"], size, size), np.float32)
    for mask, label in zip(masks, config["labels"], strict=True):
        y, x = rng.integers(0, size // 2, 2)
        mask[y : y + 9, x : x + 12] = label
    words = {"pos": [14115, 269], "neg": [13568, 14115, 269]}  # "object." and "damaged object."
    inputs: Files = {
        "image": rng.standard_normal((config["batch"], 3, size, size), dtype=np.float32),
        "mask": masks,
        "label": np.array(config["labels"], np.int64),
        "token_ids": np.array([0, 269, 343, 13568, 14115, 49406, 49407]),
    }
    table = drawn_table(config)
    inputs["token_embedding_sha256"] = np.array(hashlib.sha256(table.tobytes()).hexdigest())
    inputs["token_embedding_rows"] = table[inputs["token_ids"]]
    for sign, tail in words.items():
        ids = np.zeros(77, np.int32)
        row = [49406, *[343] * context, *tail, 49407]
        ids[: len(row)] = row
        inputs[f"prompt.tokenized_prompts_{sign}"] = ids[None, None]
        inputs[f"prompt.token_prefix_{sign}"] = table[ids[:1]][None, None]
        inputs[f"prompt.token_suffix_{sign}"] = table[ids[1 + context :]][None, None]
        inputs[f"prompt.ctx_{sign}"] = 0.25 * rng.standard_normal((1, 1, context, width), dtype=np.float32)
    for index in range(config["depth"] - 1):
        deep = 0.25 * rng.standard_normal((config["t_n_ctx"], width), dtype=np.float32)
        inputs[f"prompt.compound_prompts_text.{index}"] = deep
    return inputs
