"""Smaller files from an exported one: float16 weights, or INT8 matrix products."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from onnxscript import ir

from zsad.detector.onnx_detector import IMAGE, IMAGE_DIRECTION, PIXEL_DIRECTION
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

    The map head stays float32. Weights use 7 bits, so that processors without VNNI can't overflow. Activations take the
    range that they have in one image: a batch is worked through image by image, see :func:`image_by_image`.

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
        model = image_by_image(ir.load(raw))
        _with_inputs_of(original, model)
        model.metadata_props.clear()
        model.metadata_props.update(metadata)
        with written_beside(Path(target)) as part:
            save(model, part)


def image_by_image(model: ir.Model) -> ir.Model:
    """Wrap a graph so that each image of a batch goes through it by itself.

    What is measured on the data, as the range of activations that INT8 scales by, is then that of one image: its map
    and score don't depend on the images beside it. On a CPU this costs nothing, since one image uses every processor.

    Args:
        model: takes ``image`` ``(B, 3, S, S)``; its other inputs have default values. It is changed.

    Returns:
        The model, of the same inputs and outputs, whose graph is one ``Scan`` over the batch.

    Source: ONNX operators, Scan: with no state, the body runs once for each entry of the first axis, and the outputs of
    all runs are stacked.
    """
    graph = model.graph
    image, outputs, nodes = next(v for v in graph.inputs if v.name == IMAGE), list(graph.outputs), list(graph)
    graph.outputs.clear()
    graph.remove(nodes)
    axis = ir.val("batch_axis", const_value=ir.tensor(np.array([0], np.int64), name="batch_axis"))
    graph.initializers["batch_axis"] = axis
    one = ir.Value(name="one_image", type=image.type, shape=_of_one(image))
    first = ir.node("Unsqueeze", [one, axis], name="one_image/Unsqueeze")
    first.outputs[0].name = "one_image/batch"
    image.replace_all_uses_with(first.outputs[0])
    last = [ir.node("Squeeze", [value, axis], name=f"{value.name}/Squeeze") for value in outputs]
    scan_outputs = [ir.Value(name=value.name, type=value.type, shape=value.shape) for value in outputs]
    for value, node in zip(outputs, last, strict=True):
        found = node.outputs[0]
        found.name, found.type, found.shape = f"{value.name}/one", value.type, _of_one(value)
        value.name = f"{value.name}/batch"
    body = ir.Graph([one], [node.outputs[0] for node in last], nodes=[first, *nodes, *last], name="one_image")
    attributes = {"body": body, "num_scan_inputs": 1}
    graph.append(ir.node("Scan", [image], attributes=attributes, outputs=scan_outputs, name="images/Scan"))
    graph.outputs.extend(scan_outputs)
    return model


def _of_one(value: ir.Value) -> ir.Shape:
    return ir.Shape(list(value.shape or ())[1:])


def _with_inputs_of(original: ir.Model, model: ir.Model) -> None:
    """Put back inputs with default values that nothing reads, which the quantiser drops."""
    there = {value.name for value in model.graph.inputs}
    for value in original.graph.inputs:
        if value.name in there or value.const_value is None:
            continue
        entry = ir.Value(name=value.name, type=value.type, shape=value.shape, const_value=value.const_value)
        model.graph.inputs.append(entry)
        model.graph.initializers[str(value.name)] = entry
