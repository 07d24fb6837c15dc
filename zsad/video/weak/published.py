"""Names of published checkpoints' parameters, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zsad.errors import ModelError
from zsad.outside import shown

Names = list[tuple[str, str]]

VADCLIP: Names = [
    (r"frame_position_embeddings\.weight", r"temporal.position"),
    (r"temporal\.resblocks\.(\d+)\.ln_([12])\.(weight|bias)", r"temporal.layers.\1.norm\2.\3"),
    (r"temporal\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)", r"temporal.layers.\1.attention.qkv.\2"),
    (r"temporal\.resblocks\.(\d+)\.attn\.out_proj\.(weight|bias)", r"temporal.layers.\1.attention.out.\2"),
    (r"temporal\.resblocks\.(\d+)\.mlp\.c_fc\.(weight|bias)", r"temporal.layers.\1.mlp.wide.\2"),
    (r"temporal\.resblocks\.(\d+)\.mlp\.c_proj\.(weight|bias)", r"temporal.layers.\1.mlp.back.\2"),
    (r"gc1\.(.+)", r"context.similar.0.\1"),
    (r"gc2\.(.+)", r"context.similar.1.\1"),
    (r"gc3\.(.+)", r"context.near.0.\1"),
    (r"gc4\.(.+)", r"context.near.1.\1"),
    (r"linear\.(weight|bias)", r"context.join.\1"),
    (r"mlp1\.c_fc\.(weight|bias)", r"head.text_mlp.wide.\1"),
    (r"mlp1\.c_proj\.(weight|bias)", r"head.text_mlp.back.\1"),
    (r"mlp2\.c_fc\.(weight|bias)", r"head.snippet_mlp.wide.\1"),
    (r"mlp2\.c_proj\.(weight|bias)", r"head.snippet_mlp.back.\1"),
    (r"classifier\.(weight|bias)", r"head.classifier.\1"),
    (r"text_prompt_embeddings\.weight", r"text.table"),
]
VADCLIP_DEAD = r"disAdj\.sigma|clipmodel\..+"
"""A parameter that is never used, and CLIP itself, which is read apart."""

URDMU: Names = [
    (r"embedding\.conv_1\.0\.(weight|bias)", r"temporal.embedding.\1"),
    (r"self_?att(?:n)?\.layers\.(\d+)\.0\.norm\.(weight|bias)", r"temporal.layers.\1.norm1.\2"),
    (r"self_?att(?:n)?\.layers\.(\d+)\.0\.fn\.to_qkv\.weight", r"temporal.layers.\1.attention.parts.weight"),
    (r"self_?att(?:n)?\.layers\.(\d+)\.0\.fn\.to_out\.0\.(weight|bias)", r"temporal.layers.\1.attention.out.\2"),
    (r"self_?att(?:n)?\.layers\.(\d+)\.1\.norm\.(weight|bias)", r"temporal.layers.\1.norm2.\2"),
    (r"self_?att(?:n)?\.layers\.(\d+)\.1\.fn\.net\.([03])\.(weight|bias)", r"temporal.layers.\1.mlp.\2.\3"),
    (r"Amemory\.memory_block", r"context.abnormal.slots"),
    (r"Nmemory\.memory_block", r"context.normal.slots"),
    (r"encoder_(mu|var)\.0\.(weight|bias)", r"context.\1.\2"),
    (r"cls_head\.mlp\.([02])\.(weight|bias)", r"head.mlp.\1.\2"),
]
"""UR-DMU, and Holmes-VAU's scorer, which calls its transformer ``self_attn``."""


def renamed(where: str, state: Mapping[str, Any], names: Names, dead: str = "") -> dict[str, Any]:
    """Return a state dict by this project's names.

    Raises:
        ModelError: it holds something that no name stands for.
    """
    found: dict[str, Any] = {}
    for name, value in state.items():
        for old, new in names:
            if re.fullmatch(old, name):
                found[re.sub(old, new, name)] = value
                break
        else:
            if not re.fullmatch(dead, name):
                raise ModelError(f"{where}: unknown tensor {shown(name)}; give a checkpoint of the published layout")
    return found
