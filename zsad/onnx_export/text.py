"""The text tower of a backbone as an ONNX file of its own, with its tokenizer, compared with the original first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnxscript import ir
from torch import Tensor, nn

from zsad.backbone import Backbone, TextTower
from zsad.detector.text_file import IDS, TEXT_KEY, VECTORS, TextCard, TextFile
from zsad.errors import ModelError
from zsad.onnx_export.files import check_place, save, size, written_beside
from zsad.onnx_export.graph import ATTENTION, attention, tidy
from zsad.prompt.clip_tokens import ClipTokens
from zsad.prompt.ensemble import unit_vectors

TOLERANCE = 1e-4
"""Largest absolute difference of a component of a unit vector."""
OPSET = 20
_TEXTS = (
    "a van", "A man opens a “red” door & leaves; it's 12:45.", "two   people\nfight   near the café's entrance",
    "smoke " * 120, "火 in the street, ½ of it burns -- nobody's there!?", "x",
)  # fmt: skip


@dataclass(frozen=True)
class TextReport:
    """What was written, and how far it is from the original.

    Attributes:
        path: the file.
        size: bytes of it, and of its weights file if there is one.
        card: what it says of itself.
        difference: largest absolute difference of a component, over sample texts.
        allowed: what that was held against.
    """

    path: Path
    size: int
    card: TextCard
    difference: float
    allowed: float = TOLERANCE


class TextGraph(nn.Module):
    """Token ids -> unit vectors, as :class:`~zsad.backbone.text_tower.TextTower` computes them."""

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids ``(P, T)`` to ``(P, D)``."""
        tower = self.tower
        x = tower.embed(ids)  # (P, T, W)
        for output in tower.block_outputs(x):
            x = output
        ends = tower.ends(ids)[:, None, None].expand(-1, 1, x.shape[2])
        x = tower.ln_final(x.gather(1, ends).squeeze(1))  # (P, W)
        if isinstance(tower.text_projection, nn.Linear):
            x = tower.text_projection(x)  # (P, D)
        elif tower.text_projection is not None:
            x = x @ tower.text_projection  # (P, D)
        return F.normalize(x, dim=-1)


def export_text(backbone: Backbone, path: str | Path) -> TextReport:
    """Write the text tower of a backbone as an ONNX file that needs no torch.

    Args:
        backbone: with a text tower and CLIP's tokenizer, float32, on the CPU.
        path: where the file goes; it appears complete and checked, or not at all.

    Raises:
        ModelError: there is no text tower, its tokenizer is another, or the file is too far from it.
        OutputError: the place can't be written.
    """
    path = Path(path)
    check_place(path)
    tower = backbone.text_tower()
    if not tower.has_tokens:
        raise ModelError(f"{backbone.info.id}: came without its token table, so that no text can be encoded")
    tokens = tokens_of(tower, backbone.info.id)
    with torch.no_grad():
        wanted = unit_vectors(tower, _TEXTS).numpy()
        model = _traced(tower)
    card = TextCard(backbone.info.id, backbone.info.fingerprint, int(wanted.shape[1]), _trims(tower), tokens)
    model.metadata_props[TEXT_KEY] = card.to_json()
    with written_beside(path) as part:
        save(model, part)
        onnx.checker.check_model(str(part), full_check=True)
        found = TextFile(part).texts(_TEXTS)
        difference = float(np.abs(found - wanted).max())
        if not difference <= TOLERANCE:  # NaN fails as well
            raise ModelError(
                f"{path}: not written, since it is {difference:.2g} from the original (at most {TOLERANCE:g})"
            )
    return TextReport(path, size(path), card, difference)


def tokens_of(tower: TextTower, name: str) -> ClipTokens:
    """Return a tower's tokenizer as one that needs no torch, compared with the original on sample texts.

    Raises:
        ModelError: it is none of CLIP's.
    """
    refusal = ModelError(
        f"{name}: its tokenizer is none of CLIP's, so that it can't go into a file; choose another model"
    )
    ranks, ids = (getattr(tower.tokenizer, part, None) for part in ("bpe_ranks", "encoder"))
    if not isinstance(ranks, dict) or not isinstance(ids, dict) or getattr(tower.tokenizer, "reduction_fn", None):
        raise refusal
    tokens = ClipTokens(sorted(ranks, key=ranks.__getitem__), tower.context_length)
    if not (tokens.ids(_TEXTS, cut=True) == tower.tokenize(_TEXTS, cut=True).cpu().numpy()).all():
        raise refusal
    return tokens


def _trims(tower: TextTower) -> bool:
    """Whether positions after the longest text may be left out."""
    return tower.causal and tower.pool in ("argmax", "eos")


def _traced(tower: TextTower) -> ir.Model:
    shape = {0: torch.export.Dim("texts", min=1)}
    if _trims(tower):
        shape[1] = torch.export.Dim("positions", min=2, max=tower.context_length)
    program = torch.onnx.export(
        TextGraph(tower).eval(),
        (torch.ones(2, min(9, tower.context_length) if _trims(tower) else tower.context_length, dtype=torch.int64),),
        dynamo=True,
        verbose=False,
        opset_version=OPSET,
        input_names=[IDS],
        output_names=[VECTORS],
        dynamic_shapes=(shape,),
        custom_translation_table={ATTENTION: attention},
    )
    assert program is not None  # it is None only without dynamo
    model: ir.Model = program.model
    tidy(model)
    return model
