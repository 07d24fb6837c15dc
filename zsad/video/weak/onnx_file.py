"""A learned video model as one ONNX file: free batch and length, padding mask, texts inside; checked on export."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from zsad.errors import ModelError
from zsad.onnx_export.files import save, size, written_beside
from zsad.onnx_export.graph import tidy
from zsad.outputs import check_output, holds
from zsad.outside import printable
from zsad.video.learned.card import ONNX_KEY
from zsad.video.learned.carried import Carried
from zsad.video.learned.onnx_network import CARRIED_IN, CARRIED_OUT, INPUTS, OUTPUTS, OnnxNetwork
from zsad.video.weak.folder import TorchNetwork
from zsad.video.weak.readout import BankReadout

OPSET = 20
TOLERANCE = 1e-4
"""Largest difference of a score in [0, 1] that an exported file may have."""
CHECKED = (1, 7, 33)
"""Lengths that the file is compared at, besides the longest."""


@dataclass(frozen=True)
class Exported:
    """What came of an export: the file, its bytes, and the largest difference of a score."""

    path: Path
    size: int
    difference: float


def export_weak(network: TorchNetwork, path: str | Path) -> Exported:
    """Write a model as an ONNX file; it appears complete and checked, or not at all.

    Inputs ``features (B, T, D)`` and ``valid (B, T)``; outputs ``scores (B, T)`` and ``classes (B, T, C)``, in [0, 1].
    A model with banks reads tokens ``(B, T, q, D)`` of whole clips, padded ones at the end, and scores clips; what its
    banks carry from one piece of a video to the next are two further inputs and an output, which
    :class:`OnnxNetwork` sees to, as it does to the padding.

    Raises:
        ModelError: the file is too far from the model.
        OutputError: the place can't be written.
    """
    path = Path(path)
    check_output(path, holds(ONNX_KEY.encode(), within=None), "choose another --out")
    model = _traced(network)
    model.metadata_props[ONNX_KEY] = network.card.to_json()
    with written_beside(path) as part:
        save(model, part)
        onnx.checker.check_model(str(part), full_check=True)
        difference = _difference(network, OnnxNetwork(part, threads=1))
        if not difference <= TOLERANCE:
            raise ModelError(f"{printable(path)}: differs from the model by {difference:.2g}; nothing was written")
    return Exported(path, size(path), difference)


def _traced(network: TorchNetwork) -> Any:
    """Translate to ONNX; batch and length stay free."""
    given = _drawn(network, 2, 20)
    dynamic = torch.export.Dim.DYNAMIC
    free: list[dict[int, Any]] = [{0: dynamic, 1: dynamic}, {0: dynamic, 1: dynamic}]
    inputs, outputs = list(INPUTS), list(OUTPUTS)
    if isinstance(network.readout, BankReadout):
        given += tuple(torch.from_numpy(part) for part in Carried(network.card.config).of(2))
        clips = torch.export.Dim("clips", min=1) * network.card.config.temporal.clip  # whole ones, which is simpler
        free = [{0: dynamic, 1: clips}, {0: dynamic, 1: clips}, {0: dynamic}, {0: dynamic}]
        inputs, outputs = [*INPUTS, *CARRIED_IN], [*OUTPUTS, *CARRIED_OUT]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.readout,
            given,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=tuple(free),
        )
    assert program is not None  # it is None only without dynamo
    tidy(program.model)
    return program.model


def _drawn(network: TorchNetwork, batch: int, length: int) -> tuple[torch.Tensor, ...]:
    """Return features around those of CLIP, and a mask with padding in every video but the first."""
    config = network.card.config
    generator = torch.Generator().manual_seed(length)
    form = (config.temporal.tokens, config.read) if config.temporal.kind == "queries" else (config.read,)
    x = torch.randn(batch, length, *form, generator=generator) * 0.3
    valid = torch.arange(length) < torch.tensor([max(1, length - 5 * i) for i in range(batch)])[:, None]
    return x * valid.view(*valid.shape, *[1] * len(form)), valid


def _difference(network: TorchNetwork, exported: OnnxNetwork) -> float:
    """Return the largest difference of a score: padded pairs of several lengths, then one video in two pieces."""
    longest = network.card.config.temporal.length
    pairs = [[_drawn(network, 2, min(length, longest))] for length in CHECKED]
    largest = 0.0
    for pieces in [*pairs, [_drawn(network, 1, longest), _drawn(network, 1, min(7, longest))]]:
        network.begin()
        exported.begin()
        for x, valid in pieces:
            lengths = valid.sum(dim=1).tolist()
            want, have = network.run(x.numpy(), lengths), exported.run(x.numpy(), lengths)
            for a, b in zip(want, have, strict=True):
                # Unlike max, this keeps what is not a number.
                largest = float(np.maximum(largest, np.abs(a - b).max(initial=0.0)))
    network.begin()
    return largest
