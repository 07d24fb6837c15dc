"""ModelCard: what travels with weights; JSON in safetensors headers and in ONNX metadata."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from zsad.errors import CardError

CARD_KEY = "zsad_card"
"""Name of the card's entry in a safetensors header and in the ONNX metadata."""

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
FORMAT = 1

_SCORE_RULE = re.compile(r"cls|map_top1|fused\((0(\.\d+)?|1(\.0+)?)\)")


@dataclass(frozen=True)
class ModelCard:
    """How a model is fed, read and judged, and where it comes from.

    The defaults are the published AnomalyCLIP setting (CLIP ViT-L/14@336px run at 518 px).

    Attributes:
        format: version of this record; another number is an error.
        name: what a person calls the model.
        backbone: id of the frozen backbone, such as ``"ViT-L-14-336/openai"``.
        image_size: side S of the square input in pixels.
        patch_size: side of one patch in pixels; the grid side is G = S / patch_size.
        embed_dim: width D of the shared image-text space.
        mean: per-channel RGB mean that is subtracted after scaling to [0, 1].
        std: per-channel RGB divisor.
        pos_interp: ``"bilinear"`` or ``"bicubic"``, how the position table is resized to the grid.
        pos_antialias: whether that resize is anti-aliased.
        quick_gelu: whether the backbone's activation is ``x * sigmoid(1.702 x)``.
        vv_blocks: number of last blocks on the value-value path; 0 reads ordinary patch features.
        class_norm: whether the class token passes the final norm before the projection, as in CLIP's own
            image feature; the published method skips it.
        layers: 1-based indices of the blocks whose features are read.
        layer_weights: weight of each layer's map, summing to 1; empty for equal weights.
        temperature: divisor of the cosine similarities.
        sigma: Gaussian smoothing of the map, in pixels at S x S; 0 for none.
        score_rule: ``"cls"`` (class token), ``"map_top1"`` (mean of the map's highest 1 %) or
            ``"fused(w)"``: ``w * map_top1 + (1 - w) * cls``, with w in [0, 1].
        head: ``"prompt"`` (vectors from text) or ``"weights"`` (language-free vectors).
        prompt: id or words of the prompt whose vectors are baked in.
        image_threshold: image score from which an image is anomalous, in [0, 1].
        pixel_threshold: map value from which a pixel is anomalous, in [0, 1].
        min_area: smallest region that counts, as a fraction of the image's pixels.
        calibrated: whether the thresholds were set on normal parts.
        training_data: what the prompt (and, for the bundled model, the backbone) was trained on.
        licence: licence of the weights.
        source: where the weights come from.
        description: what a user should know, in a sentence or two.
        details: further facts for people (seeds, steps, hardware, hashes): strings only.
    """

    format: int = FORMAT
    name: str = ""
    backbone: str = ""
    image_size: int = 518
    patch_size: int = 14
    embed_dim: int = 768
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    pos_interp: str = "bilinear"
    pos_antialias: bool = False
    quick_gelu: bool = True
    vv_blocks: int = 19
    class_norm: bool = False
    layers: tuple[int, ...] = (24,)
    layer_weights: tuple[float, ...] = ()
    temperature: float = 0.07
    sigma: float = 4.0
    score_rule: str = "cls"
    head: str = "prompt"
    prompt: str = ""
    image_threshold: float = 0.5
    pixel_threshold: float = 0.5
    min_area: float = 0.0
    calibrated: bool = False
    training_data: str = ""
    licence: str = ""
    source: str = ""
    description: str = ""
    details: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = _first_problem(self)
        if problem:
            raise CardError(f"model card {self.name or '(unnamed)'}: {problem}")

    @property
    def grid(self) -> int:
        """Grid side G = S / patch_size."""
        return self.image_size // self.patch_size

    @property
    def fusion(self) -> float:
        """Weight of the map's highest 1 % in the image score, in [0, 1]: 0 for ``cls``.

        >>> ModelCard(score_rule="fused(0.25)").fusion
        0.25
        """
        if self.score_rule == "cls":
            return 0.0
        if self.score_rule == "map_top1":
            return 1.0
        return float(self.score_rule[len("fused(") : -1])

    @property
    def map_weights(self) -> tuple[float, ...]:
        """Weight of each feature layer's map; sums to 1."""
        return self.layer_weights or (1.0 / len(self.layers),) * len(self.layers)

    def to_json(self) -> str:
        """Return the card as one JSON object with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str = "model card") -> ModelCard:
        """Read a card; ``where`` names its file in errors.

        Raises:
            CardError: not JSON, another format, an unknown key, a wrong type or a value out of range.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CardError(f"{where}: the card is not valid JSON ({error}); export the model again") from None
        return cls.from_dict(data, where)

    @classmethod
    def from_dict(cls, data: Any, where: str = "model card") -> ModelCard:
        """Build a card from decoded JSON; see :meth:`from_json`."""
        if not isinstance(data, dict):
            raise CardError(f"{where}: the card is not a JSON object; export the model again")
        if data.get("format") != FORMAT:
            raise CardError(
                f"{where}: card format {data.get('format')!r}, this zsad reads {FORMAT}; "
                "install the zsad that wrote it, or export again"
            )
        unknown = sorted(set(data) - {f.name for f in fields(cls)})
        if unknown:
            raise CardError(
                f"{where}: unknown card key {unknown[0]!r}; install the zsad that wrote it, or export again"
            )
        try:
            return cls(**{key: _frozen(value) for key, value in data.items()})
        except CardError as error:
            raise CardError(f"{where}: {error}") from None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_number, value))


def _whole(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


_Check = tuple[tuple[str, ...], str, Callable[[Any], bool]]
_FIELD_CHECKS: tuple[_Check, ...] = (
    (
        ("name", "backbone", "prompt", "training_data", "licence", "source", "description"),
        "must be text",
        lambda value: isinstance(value, str),
    ),
    (("format",), f"must be {FORMAT}", lambda value: value == FORMAT),
    (("image_size", "patch_size", "embed_dim"), "must be an integer above 0", lambda value: _whole(value, 1)),
    (("vv_blocks",), "must be an integer of at least 0", lambda value: _whole(value, 0)),
    (("pos_antialias", "quick_gelu", "calibrated"), "must be true or false", lambda value: isinstance(value, bool)),
    (
        ("image_threshold", "pixel_threshold", "min_area", "sigma"),
        "must be a number of at least 0",
        lambda value: _number(value) and value >= 0,
    ),
    (("temperature",), "must be a number above 0", lambda value: _number(value) and value > 0),
    (("mean",), "must be three numbers", lambda value: _numbers(value) and len(value) == 3),
    (("std",), "must be three numbers above 0", lambda value: _numbers(value) and len(value) == 3 and min(value) > 0),
    (
        ("layers",),
        "must be 1-based block numbers",
        lambda value: isinstance(value, tuple) and len(value) > 0 and all(_whole(layer, 1) for layer in value),
    ),
    (
        ("layer_weights",),
        "must be empty or sum to 1",
        lambda value: _numbers(value) and (not value or abs(sum(value) - 1.0) < 1e-4),
    ),
    (("pos_interp",), "must be bilinear or bicubic", lambda value: value in ("bilinear", "bicubic")),
    (("head",), "must be prompt or weights", lambda value: value in ("prompt", "weights")),
    (
        ("score_rule",),
        "must be cls, map_top1 or fused(w) with w in [0, 1]",
        lambda value: isinstance(value, str) and _SCORE_RULE.fullmatch(value) is not None,
    ),
    (
        ("details",),
        "must map text to text",
        lambda value: isinstance(value, dict) and all(isinstance(x, str) for pair in value.items() for x in pair),
    ),
)


def _first_problem(card: ModelCard) -> str:
    """Return what is wrong with a card's values, or an empty string."""
    for names, must, good in _FIELD_CHECKS:
        for name in names:
            if not good(getattr(card, name)):
                return f"{name} {must}"
    if card.image_size % card.patch_size:
        return "image_size must be a multiple of patch_size"
    if len(card.layer_weights) not in (0, len(card.layers)):
        return "layer_weights must have one number for each layer"
    return ""
