"""The text tower inside a checkpoint of CLIP's layout, where its vision tower is absent or not needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zsad.backbone import TextTower
from zsad.errors import ModelError, first_line


def text_tower(where: str, weights: Mapping[str, Tensor], heads: int | None = None, tokenizer: Any = None) -> TextTower:
    """Build a frozen text tower from CLIP's text tensors, in float32 or whatever they are in.

    Args:
        where: names the source in errors.
        weights: by CLIP's names; vision tensors are ignored.
        heads: attention heads; by default one for each 64 of the width, as all published ones have.
        tokenizer: open_clip's; by default that of CLIP.

    Raises:
        ModelError: tensors are missing, or do not fit each other.
    """
    import open_clip
    from open_clip.transformer import QuickGELU, TextTransformer

    layers = {name.split(".")[2] for name in weights if name.startswith("transformer.resblocks.")}
    own = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")
    try:
        (positions, width), out = weights["positional_embedding"].shape, weights["text_projection"].shape[1]
        model = TextTransformer(
            context_length=positions,
            vocab_size=len(weights["token_embedding.weight"]),
            width=width,
            heads=heads or max(1, width // 64),
            layers=len(layers),
            output_dim=out,
            act_layer=QuickGELU,
        )
        dtype = weights["text_projection"].dtype
        model.to(dtype if dtype == torch.float64 else torch.float32)
        model.load_state_dict({k: v for k, v in weights.items() if k.startswith(own)}, strict=True)
    except (KeyError, IndexError, ValueError, RuntimeError, AssertionError) as error:
        raise ModelError(f"{where}: no CLIP text tower ({first_line(error)}); give a complete checkpoint") from None
    tower = TextTower(model, tokenizer or open_clip.SimpleTokenizer(context_length=positions))
    return tower.eval().requires_grad_(False)
