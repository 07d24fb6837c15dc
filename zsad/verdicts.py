"""What makes a verdict of scores and maps: thresholds, and the rule that looks at them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Literal, TypeAlias

from zsad.errors import UsageError
from zsad.roi import Roi

Limit: TypeAlias = float | Literal["never"] | None
"""A threshold: a number in [0, 1], ``"never"``, or None where it is not given."""
Rule: TypeAlias = Literal["either", "score", "region"]
Verdict: TypeAlias = Literal["anomalous", "normal"]
Fired: TypeAlias = Literal["score", "region"]
NEVER: Literal["never"] = "never"
"""The threshold that nothing reaches."""
RULES: tuple[Rule, ...] = ("either", "score", "region")
"""What may decide on a verdict: the score, a region, or either of them."""


@dataclass(frozen=True)
class Thresholds:
    """When an image counts as anomalous. What is None is not given, and what is not given never fires.

    Attributes:
        image: an image whose score reaches this is anomalous; in [0, 1], or ``"never"``.
        pixel: a pixel whose map value reaches this belongs to a region; in [0, 1], or ``"never"``.
        min_area: smallest region that counts, as a fraction of the image's pixels, in [0, 1]; None for one pixel.
        rule: what decides: ``"score"``, ``"region"`` or ``"either"`` of them; None for either.
        source: where the values come from, in words.
        roi: regions of interest: outside of them the map does not count, whatever it says; None for the whole image.
            The score is that of the whole image all the same.

    Raises:
        UsageError: a value out of its range, or an unknown rule.

    >>> Thresholds(image=0.7, min_area=0.001).over(Thresholds(0.5, 0.6, source="t.json"))
    Thresholds(image=0.7, pixel=0.6, min_area=0.001, rule=None, source='t.json; image 0.7, min_area 0.001')
    """

    image: Limit = None
    pixel: Limit = None
    min_area: float | None = None
    rule: Rule | None = None
    source: str | None = None
    roi: Roi | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("image", "pixel", "min_area"):
            value: Any = getattr(self, name)
            if value is None or (value == NEVER and name != "min_area"):
                continue
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not 0 <= value <= 1:
                word = ", or never" if name != "min_area" else ", a fraction of the image's pixels"
                raise UsageError(f"{_LONG[name]} must be a number of 0 to 1{word}, got {value!r:.40}")
            object.__setattr__(self, name, float(value))  # numpy's own numbers have no JSON
        if self.rule is not None and self.rule not in RULES:
            raise UsageError(f"rule must be {', '.join(RULES[:-1])} or {RULES[-1]}, got {self.rule!r:.40}")
        if self.source is not None and not isinstance(self.source, str):
            raise UsageError(f"source must be text, got {type(self.source).__name__}")

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the given thresholds that the rule looks at: of ``"image"`` and ``"pixel"``."""
        looked_at = {"score": ("image",), "region": ("pixel",)}.get(self.rule or "either", ("image", "pixel"))
        return tuple(name for name in looked_at if getattr(self, name) is not None)

    @property
    def judges(self) -> bool:
        """Whether there is a verdict at all: the rule has a threshold to go by."""
        return bool(self.uses)

    def over(self, base: Thresholds) -> Thresholds:
        """Return these thresholds, and those of ``base`` where these say nothing; the source names both."""
        mine: dict[str, Any] = {name: value for name in _VALUES if (value := getattr(self, name)) is not None}
        kept = [name for name in _VALUES if name not in mine and getattr(base, name) is not None]
        before = base.source if kept else None
        said = self.source or (", ".join(f"{name} {value}" for name, value in mine.items()) if before else None)
        sources = [text for text in (before, said) if text]
        return replace(base, **mine, source="; ".join(dict.fromkeys(sources)) or None)

    def told(self) -> str:
        """Say in words what makes an image anomalous.

        >>> Thresholds(0.5, 0.6).told()
        'score from 0.5 or a region from 0.6'
        """
        parts = {"image": f"score from {shown(self.image)}", "pixel": f"a region from {shown(self.pixel)}"}
        if self.min_area:
            parts["pixel"] += f" of at least {100 * self.min_area:g} % of the image"
        if self.roi is not None:
            parts["pixel"] += ", inside the regions of interest"
        return " or ".join(parts[name] for name in self.uses) or "no threshold is given"


_VALUES = ("image", "pixel", "min_area", "rule", "roi")
_LONG = {"image": "image threshold", "pixel": "pixel threshold", "min_area": "min_area"}


def shown(limit: Limit) -> str:
    """Return a threshold as text: its digits, ``never``, or ``not given``."""
    return "not given" if limit is None else limit if isinstance(limit, str) else f"{limit:g}"


@dataclass(frozen=True)
class Look:
    """How a detector looks at images, as far as scores depend on it, and thresholds with them.

    Attributes:
        tile: side of the tiles of large images in pixels, ``"auto"``, or None for none.
        bits: significant bits of 16-bit images, 8 to 16.
    """

    tile: int | str | None = None
    bits: int = 16

    def told(self) -> str:
        """Say it in words.

        >>> Look().told(), Look("auto").told(), Look(512, 12).told()
        ('without tiles at 16 bits', 'with tiles auto at 16 bits', 'with tiles of 512 px at 12 bits')
        """
        tiles = (
            "without tiles" if self.tile is None else f"with tiles {'' if self.tile == 'auto' else 'of '}{self.tile}"
        )
        return f"{tiles}{' px' if isinstance(self.tile, int) else ''} at {self.bits} bits"

    def instead_of(self, other: Look) -> str:
        """Return what to give on a command line to look like this.

        >>> Look("auto", 12).instead_of(Look()), Look().instead_of(Look(64))
        ('give --tile auto and give --bits 12', 'leave --tile out')
        """
        said = (
            ["leave --tile out" if self.tile is None else f"give --tile {self.tile}"] if self.tile != other.tile else []
        )
        said += [f"give --bits {self.bits}"] if self.bits != other.bits else []
        return " and ".join(said)
