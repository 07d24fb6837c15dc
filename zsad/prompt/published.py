"""Published checkpoints of AnomalyCLIP: fetch, check, and convert to safetensors with a card."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zsad import paths
from zsad.backbone.state_dict import tensor_problem
from zsad.card import ModelCard
from zsad.errors import PromptError, first_line
from zsad.files import is_file
from zsad.outside import shown
from zsad.prompt.bank import load_learner
from zsad.prompt.store import Array, StoredPrompt, check_learned, save_prompt

REPOSITORY = "zqhang/AnomalyCLIP"
COMMIT = "45ed4dd35c05797d854294b5e8d585c545920089"
LICENCE = "MIT"
RAW = "https://raw.githubusercontent.com"
MAX_BYTES = 64 << 20
"""The files have about 23 MB; a much longer answer is not one of them."""


@dataclass(frozen=True)
class Published:
    """One checkpoint of the authors.

    Attributes:
        path: its path in their repository.
        blob: hash that git gives its content.
        trained_on: its auxiliary training data.
        meant_for: what it is published for.
    """

    path: str
    blob: str
    trained_on: str
    meant_for: str


PUBLISHED = {
    "anomalyclip:visa": Published(
        path="checkpoints/9_12_4_multiscale/epoch_15.pth",
        blob="c90f1d9d92d158b436a8fc193f984d4cec8b1fc8",
        trained_on="VisA (test split)",
        meant_for="MVTec AD",
    ),
    "anomalyclip:mvtec": Published(
        path="checkpoints/9_12_4_multiscale_visa/epoch_15.pth",
        blob="72adc786e031b49ea288ba5f815f0d38cf158708",
        trained_on="MVTec AD (test split)",
        meant_for="every dataset but MVTec AD",
    ),
}

# Names in a published checkpoint and here, as in timm: what is not listed must be dead, or it is an error.
NAMES = [
    (r"ctx_pos", "context_normal"),
    (r"ctx_neg", "context_anomalous"),
    (r"compound_prompts_text\.(\d+)", r"deep.\1"),
]
DEAD = r"compound_prompt_projections\.\d+\.(weight|bias)|token_(prefix|suffix)_(pos|neg)|tokenized_prompts_(pos|neg)"
"""Layers that are never used, and buffers that the text tower gives anew."""

BACKBONE, WIDTH = "ViT-L-14-336/openai", 768
"""The one backbone that the reference trains prompts for, and its text and feature width."""


def import_prompt(source: str, out: Path, *, backbone: str = "") -> Path:
    """Convert a published checkpoint; the authors' own are fetched by id.

    Args:
        source: ``anomalyclip:visa``, ``anomalyclip:mvtec``, or the path of a file in the same format.
        out: folder that the prompt is written to.
        backbone: id of the backbone that a file was trained for; by default the published one, where the
            widths are its.

    Returns:
        Path of the written ``.safetensors`` file.

    Raises:
        DownloadError: the file can't be fetched; the message says what to put where.
        PromptError: an unknown id, a file that is absent, damaged or of another format.
        OutputError: the folder can't be written.
    """
    published = PUBLISHED.get(source)
    if published is None:
        if source.startswith("anomalyclip:"):
            raise PromptError(f"{source}: unknown; published are {', '.join(PUBLISHED)}")
        path, stem = Path(source), Path(source).stem
        origin = {"source": path.name}
    else:
        path, stem = _fetched(source, published), source
        origin = {
            "source": f"https://github.com/{REPOSITORY} at {COMMIT}, {published.path} (git blob {published.blob})",
            "licence": LICENCE,
            "training_data": published.trained_on,
            "description": f"AnomalyCLIP (ICLR 2024), the authors' prompts, published for {published.meant_for}.",
        }
    prompt = convert(path, prompt=stem, backbone=backbone, **origin)
    return save_prompt(Path(out) / f"{paths.file_stem(stem)}.safetensors", prompt)


def convert(path: str | Path, *, prompt: str = "", backbone: str = "", **origin: str) -> StoredPrompt:
    """Read a checkpoint in the published format; nothing in it is unpickled but tensors.

    Args:
        path: a file with ``{"prompt_learner": state_dict}``.
        prompt: id for the card.
        backbone: id of its backbone.
        origin: fields of the card that say where it comes from.

    Raises:
        PromptError: absent, damaged, or of another format.
    """
    learned = _renamed(str(path), _state(Path(path)))
    width = learned["context_normal"].shape[1]
    words = load_learner()
    details = {"text_width": str(width), "words_normal": words.normal, "words_anomalous": words.anomalous}
    if width == WIDTH and not backbone:
        backbone, details = BACKBONE, details | {"native_size": "336", "depth": "24"}
    card = ModelCard.of(
        name=f"AnomalyCLIP {prompt}".strip(),
        backbone=backbone,
        embed_dim=width,
        prompt=prompt,
        details=details,
        **origin,
    )
    return StoredPrompt(card=card, learned=learned)


def _fetched(source: str, published: Published) -> Path:
    def check(path: Path) -> str:
        blob = paths.git_blob_sha1(path)
        return "" if blob == published.blob else f"its git blob hash is {blob}, not {published.blob}"

    return paths.fetch(
        f"{RAW}/{REPOSITORY}/{COMMIT}/{published.path}",
        paths.cache_dir() / f"{paths.file_stem(source)}-epoch_15.pth",
        check,
        max_bytes=MAX_BYTES,
    )


def _state(path: Path) -> dict[str, Any]:
    """Return the tensors of a checkpoint by their published names."""
    if not is_file(path):
        raise PromptError(f"{path}: no such file; give a checkpoint, or one of {', '.join(PUBLISHED)}")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Whatever the unpickler meets in a foreign or damaged file, it is not a checkpoint.
        raise PromptError(
            f"{path}: not a checkpoint that torch.load(weights_only=True) reads ({first_line(error)})"
        ) from None
    state = loaded.get("prompt_learner") if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise PromptError(f"{path}: no AnomalyCLIP checkpoint (it has no 'prompt_learner'); give one of that format")
    return {str(name): value for name, value in state.items()}


def _renamed(path: str, state: dict[str, Any]) -> dict[str, Array]:
    """Rename what is used, drop what is dead, refuse the rest; float32, without leading axes of 1."""
    learned: dict[str, Array] = {}
    for name, value in state.items():
        for old, new in NAMES:
            if re.fullmatch(old, name):
                if problem := tensor_problem(value):
                    raise PromptError(f"{path}: tensor {shown(name)} {problem}; save it as plain tensors")
                array = np.asarray(value.detach().float().numpy(), dtype=np.float32)
                if array.ndim > 2 and array.shape[:-2] == (1,) * (array.ndim - 2):
                    array = array.reshape(array.shape[-2:])
                learned[re.sub(old, new, name)] = array
                break
        else:
            if not re.fullmatch(DEAD, name):
                raise PromptError(f"{path}: unknown tensor {shown(name)}; give a checkpoint of AnomalyCLIP's format")
    if not learned:
        raise PromptError(f"{path}: holds no learned prompts; give a checkpoint of AnomalyCLIP's format")
    check_learned(path, learned)
    return learned
