"""Smaller files from an exported one: float16 weights, or INT8 matrix products."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from onnxscript import ir

from zsad.detector.onnx_detector import IMAGE_DIRECTION, PIXEL_DIRECTION
from zsad.onnx_export.files import SPLIT_BYTES, save, size, written_beside

_LEAST = 4096
"""Smallest number of values of a tensor that is worth storing as float16."""
_READY = "onnx.quant.pre_process"
"""Entry that tells onnxruntime's quantiser that a graph is simplified and has its shapes; else it logs advice."""


def float16_weights(source: str | Path, target: str | Path) -> None:
    """Store large float32 weights as float16, widened when the file is loaded: half the size, float32 arithmetic.

    Args:
        source: an exported file.
        target: where the smaller file goes; may be the same.

    Raises:
        OutputError: ``target`` can't be written.
    """
    model = ir.load(source)
    graph = model.graph
    casts = []
    for name, value in list(graph.initializers.items()):
        tensor = value.const_value
        # The directions stay float32, since the runtime replaces them.
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or tensor.size < _LEAST:
            continue
        if name in (IMAGE_DIRECTION, PIXEL_DIRECTION):
            continue
        half = ir.tensor(tensor.numpy().astype(np.float16), name=f"{name}.float16")
        stored = ir.val(f"{name}.float16", const_value=half)
        cast = ir.node("Cast", [stored], attributes={"to": ir.DataType.FLOAT}, name=f"{name}/Cast")
        value.replace_all_uses_with(cast.outputs[0])
        del graph.initializers[name]
        cast.outputs[0].name = name
        graph.initializers[f"{name}.float16"] = stored
        casts.append(cast)
    graph.insert_before(graph[0], casts)
    with written_beside(Path(target)) as part:
        save(model, part)


def int8_weights(source: str | Path, target: str | Path) -> None:
    """Run the backbone's matrix products in INT8, with scales per output channel and activations scaled at run time.

    The map head stays float32. Weights use 7 bits, so that processors without VNNI can't overflow.

    Args:
        source: an exported file with float32 weights.
        target: where the smaller file goes; may be the same.

    Raises:
        OutputError: ``target`` can't be written.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    original = ir.load(source)
    metadata = dict(original.metadata_props)
    head = [str(node.name) for node in original.graph if not str(node.name).startswith("backbone")]
    with tempfile.TemporaryDirectory() as folder:
        ready, raw = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
        original.metadata_props[_READY] = "onnxruntime.quant"
        save(original, ready)
        quantize_dynamic(
            str(ready),
            str(raw),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=head,
            use_external_data_format=size(ready) > SPLIT_BYTES,
            extra_options={"MatMulConstBOnly": True},
        )
        model = ir.load(raw)
        model.metadata_props.clear()
        model.metadata_props.update(metadata)
        with written_beside(Path(target)) as part:
            save(model, part)
