"""All knobs of a training run, and the two recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from zsad.card import LARGEST_INPUT
from zsad.config import from_mapping, from_yaml, knob, to_mapping
from zsad.data.augment import AugmentConfig
from zsad.documents import read_yaml
from zsad.errors import UsageError
from zsad.prompt.bank import LearnerSettings


@dataclass(frozen=True)
class TrainConfig:
    """One training run. The defaults are the recipe ``anomalyclip``; every improvement is a switch.

    Attributes:
        learner: sizes and words of the learned prompts.
        augment: what views beyond the first change at random.
    """

    recipe: Literal["anomalyclip", "default"] = knob("anomalyclip", "name of the recipe that the rest started from")
    head: Literal["prompt", "weights"] = knob("prompt", "learned text prompts, or language-free vectors")

    # What is read from the backbone
    image_size: int | None = knob(
        None, "side of the input; 518 for a patch of 14, else native", low=1, high=LARGEST_INPUT, unit="px"
    )
    layers: tuple[int, ...] = knob((), "1-based blocks that are read; empty for those of layer_shares")
    layer_shares: tuple[float, ...] = knob((1.0,), "blocks that are read, as fractions of the depth", low=0, high=1)
    vv_blocks: int | None = knob(None, "last blocks on the value-value path; 19 of 24 by default", low=0)
    pos_interp: Literal["bilinear", "bicubic"] = knob("bilinear", "how the position table is resized")
    class_norm: bool = knob(False, "whether the class token passes the final norm; published: no")
    dtype: Literal["float32", "bfloat16", "float16"] = knob("float32", "arithmetic of the vision tower")

    # What is learned
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    half_prompts: bool = knob(False, "round deep prompts to half precision, as the published code does")
    decoupled: bool = knob(False, "separate prompts for the image and the pixel decision")
    learn_layer_weights: bool = knob(False, "learn how much each layer's map counts")
    fusion: float = knob(0.0, "share of the map's highest 1 % in the image score", low=0, high=1)
    temperature: float = knob(0.07, "divisor of the cosine similarities", low=1e-3)
    sigma: float = knob(4.0, "smoothing of the finished map; not used in training", low=0, unit="px")

    # How
    epochs: int = knob(15, "passes over the data", low=1)
    batch_size: int = knob(8, "images per step, over all processes", low=1)
    lr: float = knob(1e-3, "Adam's step size", low=0)
    beta1: float = knob(0.5, "Adam's decay of the first moment", low=0, high=0.999999)
    beta2: float = knob(0.999, "Adam's decay of the second moment", low=0, high=0.999999)
    pixel_weight: float = knob(4.0, "factor of focal and dice", low=0)
    seed: int = knob(111, "seed of parameters, order and augmentation", low=0)

    # Data
    views: int = knob(1, "versions of each image, the unchanged one included; epochs take turns", low=1)
    mosaics: float = knob(0.0, "fraction of images in changed views that become four-image mosaics", low=0, high=1)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    synthetic_images: int = knob(400, "images drawn for `--data synthetic`", low=2)
    defects_per_image: int = knob(1, "defective copies of each good image for `--data normals:`", low=1)
    bits: int = knob(16, "significant bits of 16-bit images", low=8, high=16)
    masks: Literal["auto", "stored", "upright"] = knob(
        "auto", "what masks are drawn on where images have an EXIF orientation; sizes tell by default"
    )
    licence: str = knob("", "licence of the training data, for the card")
    threshold_scenes: int = knob(
        40, "drawn scenes that the card's thresholds are measured on; 0 leaves them at 0.5", low=0
    )

    # Early stop: off. It never looks at the target.
    holdout: float = knob(0.0, "part of the auxiliary images kept aside to choose the epoch by", low=0, high=0.9)
    patience: int = knob(0, "epochs without improvement on the held-out part before stopping; 0 for never", low=0)

    def __post_init__(self) -> None:
        if self.patience and not self.holdout:
            raise ValueError("patience needs a held-out part: set holdout, such as 0.1")
        if not self.layers and not self.layer_shares:
            raise ValueError("no layers: give layers or layer_shares")
        if self.layer_shares and min(self.layer_shares) <= 0:
            raise ValueError("layer_shares must lie above 0")

    def layers_of(self, depth: int) -> tuple[int, ...]:
        """Return the 1-based blocks that are read from a tower of ``depth`` blocks.

        >>> RECIPES["default"].layers_of(24)
        (12, 16, 20, 24)
        """
        chosen = self.layers or tuple(max(1, round(share * depth)) for share in self.layer_shares)
        return tuple(sorted(set(chosen)))


RECIPES: dict[str, TrainConfig] = {
    # As published: last layer only, one prompt pair for image and pixels, no augmentation. The rounding of the
    # published code (half_prompts) is off: it is a property of its arithmetic, and finished prompts do without.
    "anomalyclip": TrainConfig(),
    # Each of these has a measured effect in the literature: design notes in benchmarks/README.md.
    "default": TrainConfig(
        recipe="default", layer_shares=(0.5, 2 / 3, 5 / 6, 1.0), decoupled=True, learn_layer_weights=True, fusion=0.5
    ),
}
"""Settings by recipe name."""


def make_config(
    recipe: str | None = None, file: str | Path | None = None, changes: Mapping[str, Any] | None = None
) -> TrainConfig:
    """Build the settings of a run: recipe, then file, then single changes; later ones win.

    Args:
        recipe: ``"anomalyclip"`` or ``"default"``; by default the file's, else ``"default"``.
        file: YAML with fields of :class:`TrainConfig`.
        changes: single fields; None values are left out.

    Raises:
        UsageError: an unknown recipe.
        ConfigError: an unknown key, a wrong type or a value out of range.
    """
    written = _read(file) if file else {}
    name = recipe or written.get("recipe") or "default"
    if name not in RECIPES:
        raise UsageError(f"recipe {name!r} is unknown; use {' or '.join(RECIPES)}")
    single = {key: value for key, value in (changes or {}).items() if value is not None}
    merged = _merged(_merged(to_mapping(RECIPES[name]), written), single)
    return from_mapping(TrainConfig, merged | {"recipe": name}, str(file or "options"))


def exact(config: TrainConfig) -> bool:
    """Whether a run is the published one but for seed, sizes, data and number of epochs."""
    free = (
        "image_size", "epochs", "seed", "synthetic_images", "defects_per_image", "licence", "dtype", "threshold_scenes",
    )  # fmt: skip
    return config == replace(RECIPES["anomalyclip"], **{name: getattr(config, name) for name in free})


def _read(file: str | Path) -> dict[str, Any]:
    from_yaml(TrainConfig, file)  # names whatever is wrong with it
    data: dict[str, Any] = read_yaml(file) or {}
    return data


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], value) if both else value
    return out


def first_difference(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    free: tuple[str, ...] = ("epochs", "lr", "patience", "threshold_scenes"),
) -> str | None:
    """Return a sentence about the first setting in which two runs differ, or None.

    >>> first_difference({"beta1": 0.5, "epochs": 1}, {"beta1": 0.9, "epochs": 2})
    'beta1 was 0.5 and is now 0.9'
    """
    for key in sorted(old.keys() | new.keys()):
        if key not in free and old.get(key) != new.get(key):
            return f"{key} was {old.get(key)} and is now {new.get(key)}"
    return None
