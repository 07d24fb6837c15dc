"""ModelCard: what travels with weights; JSON in safetensors headers and in ONNX metadata.

A card has four groups: how an image becomes network input, how features are read from the network, how features are
scored, and where all of it comes from. Format 2 writes them as nested objects; format 1, of
zsad 0.1, was flat and is read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from zsad.documents import Limits, is_number, is_whole, parse_json
from zsad.errors import CardError
from zsad.outside import shown, terminal

CARD_KEY = "zsad_card"
"""Name of the card's entry in a safetensors header and in the ONNX metadata."""

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
FORMAT = 2
LARGEST_INPUT = 8192
"""Largest side of a network's input in pixels; a larger one would need terabytes of attention."""
LONGEST_TEXT = 10_000
"""Characters of one entry of a card, at most."""

_SCORE_RULE = re.compile(r"cls|map_top1|fused\((0(\.\d+)?|1(\.0+)?)\)")
_LIMITS = Limits(size=4 << 20, entries=20_000, depth=6, text=LONGEST_TEXT)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")


@dataclass(frozen=True)
class CardInput:
    """How an image becomes network input.

    Attributes:
        image_size: side S of the square input in pixels.
        mean: per-channel RGB mean that is subtracted after scaling to [0, 1].
        std: per-channel RGB divisor.
    """

    image_size: int = 518
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD


@dataclass(frozen=True)
class CardReading:
    """How features are read from the frozen network.

    Attributes:
        patch_size: side of one patch in pixels; the grid side is G = S / patch_size.
        embed_dim: width D of the features.
        pos_interp: ``"bilinear"`` or ``"bicubic"``, how the position table is resized to the grid.
        pos_antialias: whether that resize is anti-aliased.
        quick_gelu: whether the backbone's activation is ``x * sigmoid(1.702 x)``.
        vv_blocks: number of last blocks on the value-value path; 0 reads ordinary patch features.
        class_norm: whether the class token passes the final norm before the projection, as in CLIP's own
            image feature; the published method skips it.
        layers: 1-based indices of the blocks whose features are read.
    """

    patch_size: int = 14
    embed_dim: int = 768
    pos_interp: str = "bilinear"
    pos_antialias: bool = False
    quick_gelu: bool = True
    vv_blocks: int = 19
    class_norm: bool = False
    layers: tuple[int, ...] = (24,)


@dataclass(frozen=True)
class CardScoring:
    """How features become a map and a score, and when those count as anomalous; what a scorer says of itself.

    Attributes:
        head: kind of scorer: ``"prompt"`` (vectors from text), ``"weights"`` (language-free vectors), or another
            scorer's name.
        prompt: id or words of the prompt whose vectors are used.
        classes: names of the anomalous directions; one, unless the prompt tells kinds of anomalies apart.
        temperature: divisor of the cosine similarities.
        reduction: how several named anomalous directions become one probability: ``"sum"`` (any of them) or
            ``"max"`` (the likeliest of them).
        layer_weights: weight of each layer's map, summing to 1; empty for equal weights.
        sigma: Gaussian smoothing of the map, in pixels at S x S; 0 for none.
        score_rule: ``"cls"`` (class token), ``"map_top1"`` (mean of the map's highest 1 %) or
            ``"fused(w)"``: ``w * map_top1 + (1 - w) * cls``, with w in [0, 1].
        image_threshold: image score from which an image is anomalous.
        pixel_threshold: map value from which a pixel is anomalous.
        min_area: smallest region that counts, as a fraction of the image's pixels.
        verdict_rule: what makes an image anomalous: ``"score"``, ``"region"`` or ``"either"`` of them.
        calibrated: whether the thresholds were set on normal parts; if not, they make no verdict, and the pixel
            threshold only says from where regions are outlined.
    """

    head: str = "prompt"
    prompt: str = ""
    classes: tuple[str, ...] = ("anomalous",)
    temperature: float = 0.07
    reduction: str = "sum"
    layer_weights: tuple[float, ...] = ()
    sigma: float = 4.0
    score_rule: str = "cls"
    image_threshold: float = 0.5
    pixel_threshold: float = 0.5
    min_area: float = 0.0
    verdict_rule: Literal["either", "score", "region"] = "either"
    calibrated: bool = False

    @property
    def fusion(self) -> float:
        """Weight of the map's highest 1 % in the image score, in [0, 1]: 0 for ``cls``.

        >>> CardScoring(score_rule="fused(0.25)").fusion
        0.25
        """
        if self.score_rule == "cls":
            return 0.0
        if self.score_rule == "map_top1":
            return 1.0
        return float(self.score_rule[len("fused(") : -1])

    def map_weights(self, layers: int) -> tuple[float, ...]:
        """Return the weight of each of ``layers`` feature layers' maps; they sum to 1."""
        return self.layer_weights or (1.0 / layers,) * layers


@dataclass(frozen=True)
class CardProvenance:
    """Where a model comes from.

    Attributes:
        name: what a person calls the model.
        backbone: id of the frozen backbone, such as ``"ViT-L-14-336/openai"``.
        training_data: what the prompt (and, for the bundled model, the backbone) was trained on.
        licence: licence of the weights.
        source: where the weights come from.
        description: what a user should know, in a sentence or two.
        details: further facts for people (seeds, steps, hardware, hashes): strings only.
    """

    name: str = ""
    backbone: str = ""
    training_data: str = ""
    licence: str = ""
    source: str = ""
    description: str = ""
    details: dict[str, str] = field(default_factory=dict)


_GROUPS = {"input": CardInput, "reading": CardReading, "scoring": CardScoring, "provenance": CardProvenance}
_GROUP_OF = {entry.name: group for group, kind in _GROUPS.items() for entry in fields(kind)}


@dataclass(frozen=True)
class ModelCard:
    """How a model is fed, read and scored, and where it comes from.

    The defaults are the published AnomalyCLIP setting (CLIP ViT-L/14@336px run at 518 px).

    Raises:
        CardError: a value of a wrong type or out of range, or values that do not fit each other.
    """

    input: CardInput = CardInput()
    reading: CardReading = CardReading()
    scoring: CardScoring = CardScoring()
    provenance: CardProvenance = CardProvenance()

    def __post_init__(self) -> None:
        problem = _first_problem(self)
        if problem:
            raise CardError(f"model card {terminal(self.provenance.name or '(unnamed)', 60)}: {problem}")

    @classmethod
    def of(cls, **values: Any) -> ModelCard:
        """Build a card from values by their names, whatever group they are in; the rest are defaults.

        >>> ModelCard.of(image_size=224, sigma=2.0).scoring.sigma
        2.0
        """
        return cls().changed(**values)

    def changed(self, **values: Any) -> ModelCard:
        """Return the card with other values, by their names, whatever group they are in."""
        groups: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            groups.setdefault(_GROUP_OF[name], {})[name] = value
        # One step, so that values which only fit together are checked together.
        return replace(self, **{group: replace(getattr(self, group), **part) for group, part in groups.items()})

    def flat(self) -> dict[str, Any]:
        """Return all values by their names, without the groups; :meth:`of` takes them back."""
        return {name: getattr(getattr(self, group), name) for name, group in _GROUP_OF.items()}

    @property
    def grid(self) -> int:
        """Grid side G = S / patch_size."""
        return self.input.image_size // self.reading.patch_size

    @property
    def label(self) -> str:
        """The model's name, or its backbone's, or ``"unnamed"``."""
        return self.provenance.name or self.provenance.backbone or "unnamed"

    def to_json(self) -> str:
        """Return the card as one JSON object with sorted keys."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str = "model card") -> ModelCard:
        """Read a card of format 1 or 2; ``where`` names its file in errors.

        Raises:
            CardError: not JSON, a newer format, an unknown key, a wrong type or a value out of range.
        """
        return cls.from_dict(parse_json(text, f"{where}: the card", CardError, _LIMITS), where)

    @classmethod
    def from_dict(cls, data: Any, where: str = "model card") -> ModelCard:
        """Build a card from decoded JSON; see :meth:`from_json`."""
        if not isinstance(data, dict):
            raise CardError(f"{where}: the card is not a JSON object; export the model again")
        written = data.get("format")
        if written not in (1, FORMAT) or isinstance(written, bool):
            raise CardError(
                f"{where}: card format {shown(written)}, this zsad reads 1 to {FORMAT}; "
                "install the zsad that wrote it, or export again"
            )
        rest = {key: value for key, value in data.items() if key != "format"}
        values = rest if written == 1 else _without_groups(rest, where)
        unknown = sorted(set(values) - set(_GROUP_OF))
        if unknown:
            raise _unknown(where, unknown[0])
        try:
            return cls.of(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        except CardError as error:
            raise CardError(f"{where}: {error}") from None


def _without_groups(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for group, part in data.items():
        if group not in _GROUPS:
            raise _unknown(where, group)
        if not isinstance(part, dict):
            raise CardError(f"{where}: card group {shown(group)} is not a JSON object; export the model again")
        for key, value in part.items():
            if _GROUP_OF.get(key) != group:
                raise _unknown(where, f"{group}.{key}")
            values[key] = value
    return values


def _unknown(where: str, key: str) -> CardError:
    return CardError(f"{where}: unknown card key {shown(key)}; install the zsad that wrote it, or export again")


def _numbers(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(is_number, value))


_Check = tuple[tuple[str, ...], str, Callable[[Any], bool]]
_FIELD_CHECKS: tuple[_Check, ...] = (
    (
        ("name", "backbone", "prompt", "training_data", "licence", "source", "description"),
        f"must be text of at most {LONGEST_TEXT} characters",
        lambda value: isinstance(value, str) and len(value) <= LONGEST_TEXT,
    ),
    (("image_size",), f"must be an integer of 1 to {LARGEST_INPUT}", lambda value: is_whole(value, 1, LARGEST_INPUT)),
    (("patch_size", "embed_dim"), "must be an integer of 1 to 65536", lambda value: is_whole(value, 1, 65536)),
    (("vv_blocks",), "must be an integer of 0 to 1000", lambda value: is_whole(value, 0, 1000)),
    (("pos_antialias", "quick_gelu", "calibrated"), "must be true or false", lambda value: isinstance(value, bool)),
    (
        ("image_threshold", "pixel_threshold", "min_area"),
        "must be a number of at least 0",
        lambda value: is_number(value, 0),
    ),
    (("sigma",), f"must be a number of 0 to {LARGEST_INPUT}", lambda value: is_number(value, 0, LARGEST_INPUT)),
    (("temperature",), "must be a number above 0", lambda value: is_number(value, 1e-9)),
    (("mean",), "must be three numbers", lambda value: _numbers(value) and len(value) == 3),
    (("std",), "must be three numbers above 0", lambda value: _numbers(value) and len(value) == 3 and min(value) > 0),
    (
        ("layers",),
        "must be 1-based block numbers",
        lambda value: isinstance(value, tuple) and 0 < len(value) <= 100 and all(is_whole(n, 1, 1000) for n in value),
    ),
    (
        ("layer_weights",),
        "must be empty or sum to 1",
        lambda value: _numbers(value) and (not value or math.isclose(sum(value), 1.0, abs_tol=1e-4)),
    ),
    (
        ("classes",),
        "must be 1 to 1000 different names of at most 200 characters",
        lambda value: (
            isinstance(value, tuple)
            and 0 < len(value) <= 1000
            and all(isinstance(name, str) and 0 < len(name) <= 200 for name in value)
            and len(set(value)) == len(value)
        ),
    ),
    (("pos_interp",), "must be bilinear or bicubic", lambda value: value in ("bilinear", "bicubic")),
    (("verdict_rule",), "must be either, score or region", lambda value: value in ("either", "score", "region")),
    (("reduction",), "must be sum or max", lambda value: value in ("sum", "max")),
    (
        ("head",),
        "must be the name of a scorer, such as prompt or weights",
        lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
    ),
    (
        ("score_rule",),
        "must be cls, map_top1 or fused(w) with w in [0, 1]",
        lambda value: isinstance(value, str) and _SCORE_RULE.fullmatch(value) is not None,
    ),
    (
        ("details",),
        f"must map text to text, each of at most {LONGEST_TEXT} characters",
        lambda value: (
            isinstance(value, dict)
            and all(isinstance(x, str) and len(x) <= LONGEST_TEXT for pair in value.items() for x in pair)
        ),
    ),
)


def _first_problem(card: ModelCard) -> str:
    """Return what is wrong with a card's values, or an empty string."""
    values = card.flat()
    for names, must, good in _FIELD_CHECKS:
        for name in names:
            if not good(values[name]):
                return f"{name} {must}, got {shown(values[name])}"
    if card.input.image_size % card.reading.patch_size:
        return "image_size must be a multiple of patch_size"
    if len(card.scoring.layer_weights) not in (0, len(card.reading.layers)):
        return "layer_weights must have one number for each layer"
    return ""
