"""What is exported: backbone and head as one graph, with the prompt's directions as exchangeable values."""

from __future__ import annotations

from typing import Any

import torch
from onnxscript import ir
from onnxscript import opset18 as op
from torch import Tensor, nn

from zsad.backbone import Backbone
from zsad.detector.onnx_detector import CLS, IMAGE, MAP, PATCHES, SCORE
from zsad.errors import ModelError

ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
"""The operator that :func:`attention` translates."""
_SCOPES = "pkg.torch.onnx.name_scopes"


class DetectorGraph(nn.Module):
    """Network input -> map and score, as :class:`~zsad.detector.torch_detector.TorchDetector` computes them.

    Args:
        backbone: the frozen backbone, float32.
        head: the scorer's torch twin; buffers that it calls ``exchangeable`` come in as arguments, so that they stay
            apart from the weights.
        features: whether the features are given out as well.
    """

    def __init__(self, backbone: Backbone, head: nn.Module, features: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.features = features

    def forward(self, image: Tensor, buffers: dict[str, Tensor] | None = None) -> tuple[Tensor, ...]:
        """Map ``(B, 3, S, S)`` and the exchangeable buffers to ``(B, S, S)`` and ``(B,)``; then cls and patches."""
        cls, patches = self.backbone(image)
        values, score = torch.func.functional_call(self.head, buffers or {}, (cls, patches))
        return (values, score, cls, patches) if self.features else (values, score)


def exchangeable(head: nn.Module) -> tuple[str, ...]:
    """Return the names of the buffers that stay replaceable in the file."""
    names: tuple[str, ...] = getattr(head, "exchangeable", ())
    return names


def trace(backbone: Backbone, head: nn.Module, opset: int, *, features: bool = False) -> ir.Model:
    """Translate to ONNX: a free batch axis, everything else fixed, and exchangeable buffers as default values.

    Args:
        backbone: float32, on the CPU.
        head: its scorer's torch twin.
        opset: ONNX operator set; from 23 on attention is one operator instead of five.
        features: whether the file also gives ``cls`` ``(B, D)`` and ``patches`` ``(B, L, N, D)``.

    Returns:
        The model with inputs ``image``, and the exchangeable ones that may be left out.
    """
    S = backbone.image_size
    buffers = {name: getattr(head, name) for name in exchangeable(head)}
    free: dict[str, Any] = {"image": {0: torch.export.Dim("batch", min=1)}}
    program = torch.onnx.export(
        DetectorGraph(backbone, head, features).eval(),
        (torch.zeros(2, 3, S, S),),
        kwargs={"buffers": buffers} if buffers else {},
        dynamo=True,
        verbose=False,
        opset_version=opset,
        input_names=[IMAGE, *buffers],
        output_names=[MAP, SCORE, CLS, PATCHES] if features else [MAP, SCORE],
        dynamic_shapes=free | ({"buffers": dict.fromkeys(buffers)} if buffers else {}),
        custom_translation_table=None if opset >= 23 else {ATTENTION: attention},
    )
    assert program is not None  # it is None only without dynamo
    model: ir.Model = program.model
    for name, value in buffers.items():
        _make_optional(model, name, value)
    tidy(model)
    return model


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Translate attention to two matrix products and a softmax; the exporter's own way takes twice as many operators.

    The arguments are those of ``torch.nn.functional.scaled_dot_product_attention``, as values of the graph.

    Args:
        query: ``(B, h, T, d)``, float32; d is fixed.
        key: ``(B, h, S, d)``.
        value: ``(B, h, S, d)``.
        attn_mask: only None.
        dropout_p: only 0.
        is_causal: whether no row reads a later one; S is T then.
        scale: factor of the products; by default ``d ** -0.5``.
        enable_gqa: only False.

    Returns:
        ``(B, h, T, d)``: softmax(scale Q Kᵀ) V.

    Raises:
        ModelError: attention with another mask, dropout or fewer heads of keys, which no tower read here has.

    Source: Vaswani et al., 2017, equation 1.
    """
    if attn_mask is not None or dropout_p or enable_gqa:
        raise ModelError("attention with a mask, dropout or shared keys can't be written; export with opset 23")
    factor = float(query.shape[3]) ** -0.5 if scale is None else scale
    logits = op.MatMul(op.Mul(query, op.Constant(value_float=factor)), op.Transpose(key, perm=[0, 1, 3, 2]))
    if is_causal:
        T = op.Shape(query, start=2, end=3)
        never = op.Expand(op.Constant(value_float=float("-inf")), op.Concat(T, T, axis=0))  # (T, T)
        logits = op.Add(logits, op.Trilu(never, op.Constant(value_int=1), upper=1))
    return op.MatMul(op.Softmax(logits, axis=-1), value)  # (B, h, T, d)


def _make_optional(model: ir.Model, name: str, value: Tensor) -> None:
    """Give an input a default value: ONNX calls an input that is also an initializer overridable."""
    entry = next(v for v in model.graph.inputs if v.name == name)
    entry.const_value = ir.tensor(value.detach().cpu().numpy().copy(), name=name)
    model.graph.initializers[name] = entry


def tidy(model: ir.Model) -> None:
    """Name nodes for where they stand, then drop the exporter's notes: stack traces hold paths of this machine."""
    for number, node in enumerate(model.graph.all_nodes()):
        node.name = f"{_scope(node.metadata_props.get(_SCOPES, ''))}/{node.op_type}_{number}"
        node.doc_string = None
        node.metadata_props.clear()
        for output in node.outputs:
            output.metadata_props.clear()
    values: list[Any] = [*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()]
    for value in values:
        value.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.metadata_props.clear()
    model.graph.name = "zsad"


def _scope(scopes: str) -> str:
    """Return the innermost module of the exporter's note ``"['', 'backbone', 'backbone.vision', 'view']"``."""
    modules = [name for name in scopes.strip("[]").replace("'", "").split(", ") if name][:-1]
    return modules[-1] if modules and modules[-1].startswith(("backbone", "head")) else "graph"
