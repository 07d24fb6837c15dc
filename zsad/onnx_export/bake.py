"""A bundle's memory goes into the ONNX file of its backbone: with the package onnx alone, without torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from zsad.card import CARD_KEY, ModelCard
from zsad.detector.base import Detector
from zsad.detector.bundle import Bundle
from zsad.detector.learned import LEARNED_KEY, listed
from zsad.detector.onnx_detector import CLS, IMAGE, MAP, PATCHES, SCORE, OnnxDetector
from zsad.errors import ModelError
from zsad.onnx_export.files import SPLIT_BYTES, check_place, data_path, lowest_ir_version, size, written_beside
from zsad.onnx_export.report import TOLERANCES, ExportReport, hold, judged_card
from zsad.onnx_export.verify import check_images, compare
from zsad.scoring.memory import SIGMA, Memory
from zsad.scoring.smoothing import smoothing_matrix, top_count
from zsad.types import ImageLike

PART = 8192
"""Patches of the memory in one matrix product."""


def bake(
    bundle: Bundle,
    detector: Detector,
    source: Path,
    out: Path,
    *,
    fused: bool = False,
    features: bool = False,
    check: Sequence[ImageLike] | None = None,
) -> ExportReport:
    """Write a backbone's file with a memory in it; it is compared with the bundle's detector first.

    Args:
        bundle: what goes in.
        detector: the bundle's own, as loaded, memory alone or fused as ``fused`` says.
        source: the backbone's ONNX file, with features.
        out: where the file goes; it appears complete and checked, or not at all.
        fused: whether the network's own map counts, too; its prompt is then fixed in the file.
        features: whether the file still gives its features.
        check: images to compare on, at batch 1 and 2; by default two generated contents.

    Raises:
        ModelError: the file is too far from the detector.
        OutputError: the place can't be written.
    """
    check_place(out, [source])
    model = onnx.load(str(source))
    _put_in(model, bundle, fused, features)
    learned = {LEARNED_KEY: listed(detector.learned)} if detector.learned else {}
    helper.set_model_props(model, {CARD_KEY: _card(detector, bundle).to_json(), **learned})
    with written_beside(out) as part:
        _save(model, part)
        onnx.checker.check_model(str(part), full_check=True)
        images = check_images(detector.card.input.image_size) if check is None else check
        written = OnnxDetector(part, tile=detector.tile, bits=detector.bits, orient=detector.orient)
        difference = compare(detector, written, images)
        del written  # an open file can't be renamed on every system
        hold(out, difference, TOLERANCES["float32"])
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return ExportReport(out, size(out), len(model.graph.node), opset, "float32", difference, TOLERANCES["float32"])


class _Graph:
    """Appends operators to a graph; every value has a name of its own."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self._count = 0

    def constant(self, value: Any) -> str:
        """Add a constant."""
        name = self._name("constant")
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, called: str = "", **attributes: Any) -> str:
        """Add an operator and return its first result, ``called`` so if that is given."""
        outputs = [called or self._name(operator)]
        if operator == "TopK":
            outputs.append(self._name("places"))
        name = self._name("node")
        self._graph.node.append(helper.make_node(operator, list(inputs), outputs, name, **attributes))
        return outputs[0]

    def reduce(self, operator: str, value: str, axis: int, *, keep: int = 0, called: str = "") -> str:
        """Reduce over one axis, as the graph's operator set writes it."""
        if self._opset >= 18 or operator == "ReduceSum":
            return self.add(operator, value, self.constant(np.array([axis], np.int64)), called=called, keepdims=keep)
        return self.add(operator, value, called=called, axes=[axis], keepdims=keep)

    def _name(self, what: str) -> str:
        self._count += 1
        return f"zsad_{what}_{self._count}"


def _put_in(model: onnx.ModelProto, bundle: Bundle, fused: bool, features: bool) -> None:
    """Change a model with features so that map and score are those of a bundle."""
    outputs = {value.name for value in model.graph.output}
    needed = {PATCHES, MAP} if fused else {PATCHES}
    if not needed <= outputs:
        raise ModelError(f"{bundle.label}: its backbone's file has no {', '.join(sorted(needed - outputs))}")
    _rename(model, {MAP: "zsad_own_map", SCORE: "zsad_own_score"})
    graph, card = _Graph(model), bundle.model
    values = _map(graph, bundle.memory, card)
    if fused:
        values = _fuse(graph, values, "zsad_own_map", bundle)
    graph.add("Identity", values, called=MAP)
    S = card.input.image_size
    flat = graph.add("Reshape", MAP, graph.constant(np.array([-1, S * S], np.int64)))
    highest = graph.add("TopK", flat, graph.constant(np.array([top_count(S)], np.int64)), axis=1)
    graph.reduce("ReduceMean", highest, 1, called=SCORE)
    kept = [value for value in model.graph.output if features and value.name in (CLS, PATCHES)]
    batch = helper.make_tensor_value_info
    float32 = onnx.TensorProto.FLOAT
    del model.graph.output[:]
    model.graph.output.extend([batch(MAP, float32, ["batch", S, S]), batch(SCORE, float32, ["batch"]), *kept])
    _without_the_unused(model)


def _map(graph: _Graph, memory: Memory, card: ModelCard) -> str:
    """Add what :class:`~zsad.scoring.memory_scorer.MemoryScorer` computes: patches -> map."""
    G = card.grid
    squares = graph.reduce("ReduceSum", graph.add("Mul", PATCHES, PATCHES), -1, keep=1)
    length = graph.add("Max", graph.add("Sqrt", squares), graph.constant(np.float32(1e-12)))
    units = graph.add("Div", PATCHES, length)  # (B, L, N, D)
    each = []
    last = ""
    for number, layer in enumerate(memory.layers, len(card.reading.layers) - len(memory.layers)):
        last = graph.add("Gather", units, graph.constant(np.int64(number)), axis=1)  # (B, N, D)
        each.append(_distance(graph, last, layer))
    total = graph.add("Sum", *each)
    mean = graph.add("Div", total, graph.constant(np.float32(len(each))))
    distance = graph.add("Clip", mean, graph.constant(np.float32(0)), graph.constant(np.float32(1)))  # (B, N)
    grid = graph.add("Reshape", distance, graph.constant(np.array([-1, 1, G, G], np.int64)))
    if memory.foreground is not None:
        along = graph.add("MatMul", last, graph.constant(memory.foreground.direction[:, None]))  # (B, N, 1)
        above = graph.add("Greater", along, graph.constant(np.float32(memory.foreground.threshold)))
        inside = _as_float(graph, above)
        square = graph.add("Reshape", inside, graph.constant(np.array([-1, 1, G, G], np.int64)))
        grid = graph.add("Mul", grid, graph.add("MaxPool", square, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    matrix = smoothing_matrix(card.input.image_size, G, SIGMA).astype(np.float32)  # (S, G)
    flat = graph.add("Reshape", grid, graph.constant(np.array([-1, G, G], np.int64)))
    wide = graph.add("MatMul", graph.constant(matrix), flat)  # (B, S, G)
    smooth = graph.add("MatMul", wide, graph.constant(np.ascontiguousarray(matrix.T)))  # (B, S, S)
    smooth = graph.add("Clip", smooth, graph.constant(np.float32(0)), graph.constant(np.float32(1)))
    return graph.add("Div", smooth, graph.add("Add", smooth, graph.constant(np.float32(memory.scale))))


def _distance(graph: _Graph, units: str, layer: np.ndarray[Any, Any]) -> str:
    """Add ``(1 - highest cosine) / 2`` of ``(B, N, D)`` with one layer's memory, part by part: ``(B, N)``."""
    best = []
    for start in range(0, len(layer), PART):
        part = np.ascontiguousarray(layer[start : start + PART].T).astype(np.float16)  # (D, M), half the size
        cosine = graph.add("MatMul", units, _as_float(graph, graph.constant(part)))
        best.append(graph.reduce("ReduceMax", cosine, -1))
    highest = graph.add("Max", *best) if len(best) > 1 else best[0]
    apart = graph.add("Sub", graph.constant(np.float32(1)), highest)
    return graph.add("Mul", apart, graph.constant(np.float32(0.5)))


def _fuse(graph: _Graph, memory: str, own: str, bundle: Bundle) -> str:
    """Add the rule of :class:`~zsad.scoring.fusion.Fusion`."""
    rule = bundle.card.fusion
    assert rule is not None  # who asks for a fused scorer is told before
    above = graph.add("Sub", own, graph.constant(np.float32(rule.centre)))
    above = graph.add("Max", above, graph.constant(np.float32(0)))
    drawn = graph.add("Div", above, graph.add("Add", above, graph.constant(np.float32(rule.scale - rule.centre))))
    first = graph.add("Mul", memory, graph.constant(np.float32(rule.weight)))
    second = graph.add("Mul", drawn, graph.constant(np.float32(1) - np.float32(rule.weight)))
    return graph.add("Add", first, second)


def _as_float(graph: _Graph, value: str) -> str:
    return graph.add("Cast", value, to=onnx.TensorProto.FLOAT)


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    """Call values otherwise, wherever they come from and go to."""
    for node in model.graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)


def _without_the_unused(model: onnx.ModelProto) -> None:
    """Leave out operators and constants that no output needs, and inputs that could be exchanged."""
    graph = model.graph
    needed = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):  # they are in order: what makes a value stands before what uses it
        if needed & set(node.output):
            nodes.append(node)
            needed |= {name for name in node.input if name} | _outer(node)
    constants = [value for value in graph.initializer if value.name in needed]
    inputs = [value for value in graph.input if value.name == IMAGE]
    del graph.node[:], graph.initializer[:], graph.input[:], graph.value_info[:]
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(constants)
    graph.input.extend(inputs)


def _outer(node: onnx.NodeProto) -> set[str]:
    """Return names that an operator's inner graphs use."""
    inner = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return {name for graph in inner for each in graph.node for name in (*each.input, *_outer(each))}


def _card(detector: Detector, bundle: Bundle) -> ModelCard:
    """Return the detector's card, with its thresholds and with what was learned."""
    card, good = detector.card, len(bundle.card.images)
    told = {"good_images": str(good), "fitted_to": bundle.card.base.fingerprint, "chosen": bundle.card.chosen}
    name = f"{card.label} with {good} good {'image' if good == 1 else 'images'}"
    return judged_card(detector).changed(
        name=name[:200], classes=("anomalous",), details=card.provenance.details | told
    )


def _save(model: onnx.ModelProto, path: Path) -> None:
    model.ir_version = lowest_ir_version({entry.domain: entry.version for entry in model.opset_import})
    weights = sum(math.prod(value.dims) * 4 for value in model.graph.initializer)
    if weights > SPLIT_BYTES:
        onnx.save(model, str(path), save_as_external_data=True, location=data_path(path).name)
    else:
        onnx.save(model, str(path))
