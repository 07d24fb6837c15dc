"""Writes small.onnx, the few-kilobyte model that the torch-free tests run on: ``python tests/runtime/make_small.py``.

It is no vision model: two convolutions stand for two feature layers. Names, shapes, metadata, the exchangeable
directions and the stored phrases are those of every exported file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from zsad.card import CARD_KEY, ModelCard
from zsad.detector.phrases import PHRASES_KEY, PhraseBook

S, PATCH, D = 32, 8, 8
G = S // PATCH

CARD = ModelCard.of(
    name="small test model",
    backbone="none",
    image_size=S,
    patch_size=PATCH,
    embed_dim=D,
    quick_gelu=False,
    vv_blocks=1,
    layers=(1, 2),
    sigma=0.0,
    temperature=0.5,
    prompt="industrial",
    licence="Apache-2.0",
    description="Not a vision model: for tests of the runtime.",
)

GRAPH = f"""
<ir_version: 10, opset_import: ["" : 20]>
small (
    float[batch, 3, {S}, {S}] image, float[{D}] image_direction, float[2, {D}] pixel_direction
) => (float[batch, {S}, {S}] map, float[batch] score) {{
    first = Conv <kernel_shape = [{PATCH}, {PATCH}], strides = [{PATCH}, {PATCH}]> (image, first_weight)
    second = Conv <kernel_shape = [{PATCH}, {PATCH}], strides = [{PATCH}, {PATCH}]> (image, second_weight)
    first_unit = LpNormalization <axis = 1, p = 2> (first)
    second_unit = LpNormalization <axis = 1, p = 2> (second)
    zero = Constant <value_int = 0> ()
    one = Constant <value_int = 1> ()
    first_direction = Gather <axis = 0> (pixel_direction, zero)
    second_direction = Gather <axis = 0> (pixel_direction, one)
    first_logit = Einsum <equation = "bdhw,d->bhw"> (first_unit, first_direction)
    second_logit = Einsum <equation = "bdhw,d->bhw"> (second_unit, second_direction)
    first_map = Sigmoid (first_logit)
    second_map = Sigmoid (second_logit)
    small_map = Mean (first_map, second_map)
    channel = Constant <value_ints = [1]> ()
    small_image = Unsqueeze (small_map, channel)
    scales = Constant <value_floats = [1.0, 1.0, {PATCH}.0, {PATCH}.0]> ()
    large = Resize <mode = "linear"> (small_image, , scales)
    map = Squeeze (large, channel)
    mean = ReduceMean <keepdims = 0> (first, spatial)
    mean_unit = LpNormalization <axis = 1, p = 2> (mean)
    logit = Einsum <equation = "bd,d->b"> (mean_unit, image_direction)
    score = Sigmoid (logit)
}}
"""


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    x = rng.standard_normal(shape).astype(np.float32)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def small_model() -> onnx.ModelProto:
    rng = np.random.default_rng(5)
    pair, screw = unit(rng, 2, D), unit(rng, 2, D)
    book = PhraseBook(
        texts={"a clean surface": unit(rng, D), "a scratch": unit(rng, D)},
        pairs={"industrial": {"": pair, "screw": screw}, "medical": {"": unit(rng, 2, D)}},
    )
    direction = (pair[1] - pair[0]) / np.float32(CARD.scoring.temperature)
    model = onnx.parser.parse_model(GRAPH)
    weights = {
        "first_weight": rng.standard_normal((D, 3, PATCH, PATCH)).astype(np.float32),
        "second_weight": rng.standard_normal((D, 3, PATCH, PATCH)).astype(np.float32),
        "image_direction": direction,
        "pixel_direction": np.stack([direction, direction]),
        "spatial": np.array([2, 3], np.int64),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    onnx.helper.set_model_props(model, {CARD_KEY: CARD.to_json(), PHRASES_KEY: book.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    onnx.save(small_model(), Path(__file__).with_name("small.onnx"))
