"""Thresholds as a JSON file and as options: read strictly, written whole, and held against the model they belong to.

A file is an object with these keys, each of which may be absent or null::

    {"image": 0.61, "pixel": 0.7, "min_area": 0.0005, "rule": "either", "source": "300 good bolts of May",
     "model": {"name": "tiny", "fingerprint": "0f1e2d3c4b5a6978"}, "tile": null, "bits": 16,
     "roi": [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.8], [0.1, 0.8]]],
     "n": 300, "rate": 0.01, "confidence": 0.95, "guarantee": true,
     "good": {"scores": [0.31, ...], "peaks": [0.44, ...], "tie": [-1.2, 0.8, -0.4, 0.5]}}

The first five are :class:`zsad.types.Thresholds`. ``model``, ``tile`` and ``bits`` say whose scores they were measured
on, and how it looked at the images: another model, other tiles or other bits are one clear error. ``roi`` are the
regions of interest as polygons, in fractions of width and height: outside of them the map does not count. ``n`` to
``guarantee`` say how thresholds were measured: on ``n`` good images, of which a share of ``rate`` is rejected at most
with this ``confidence``, and whether that is guaranteed. ``good`` is what those images had, for `zsad calibrate
--check`: scores, the highest pixel threshold at which each still has a region, and the lines that tie image and pixel
threshold (:class:`zsad.calibration.family.Family`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from zsad.card import ModelCard
from zsad.documents import Entries, Limits, is_whole, read_json
from zsad.errors import UsageError
from zsad.files import write_whole
from zsad.outputs import check_output, holds
from zsad.outside import printable, shown
from zsad.roi import Roi, roi_of
from zsad.types import NEVER, RULES, Limit, Look, Rule, Thresholds

_LIMITS = Limits(size=16 << 20, entries=400_000)  # two numbers for each good part
_LONGEST = 300
"""Characters of a text in it at most."""


@dataclass(frozen=True)
class Good:
    """What the good images had that thresholds rest on.

    Attributes:
        scores: of each image, in [0, 1].
        peaks: the highest pixel threshold at which each still has a region that counts, in [0, 1].
        tie: middle and width of the score's line, then of the region's; None where the rule looks at one of them.
    """

    scores: tuple[float, ...]
    peaks: tuple[float, ...]
    tie: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ThresholdsFile:
    """What a file of thresholds says.

    Attributes:
        thresholds: the thresholds.
        model: ``(name, fingerprint)`` of the model that they were measured on; None if the file does not say.
        n: good images that they were measured on.
        rate: share of good images that they reject at most, in [0, 1].
        confidence: of that statement, in [0, 1].
        guarantee: whether the statement holds for any images of the same kind, whatever their distribution.
        good: what those images had, or None if the file does not say.
        look: how the model looked at them; None if the file does not say.
    """

    thresholds: Thresholds
    model: tuple[str, str] | None = None
    n: int | None = None
    rate: float | None = None
    confidence: float | None = None
    guarantee: bool | None = None
    good: Good | None = None
    look: Look | None = None


def read_thresholds(path: str | Path, card: ModelCard | None = None, look: Look | None = None) -> Thresholds:
    """Read the thresholds of a file.

    Args:
        path: the file.
        card: of the model that is to be judged by them.
        look: how it looks at images.

    Raises:
        UsageError: it can't be read, says something else than thresholds, or belongs to another model, or to other
            tiles or bits.
    """
    found = read_file(path)
    if card is not None:
        check_model(found, card, path)
    if look is not None:
        check_look(found, look, path)
    return found.thresholds


def read_file(path: str | Path) -> ThresholdsFile:
    """Read a file of thresholds whole; errors as :func:`read_thresholds`, but for the model."""
    where = printable(path)
    data = Entries.of(read_json(path, UsageError, _LIMITS), where, UsageError).data
    known = {*_VALUES, *_STATEMENT, "model", "tile", "bits", "good", "roi"}
    unknown = [key for key in data if key not in known]
    if unknown:
        raise UsageError(f"{where}: unknown key {printable(unknown[0])[:40]!r}; it may have {', '.join(sorted(known))}")
    for key, (must, good) in {**_VALUES, **_STATEMENT}.items():
        value = data.get(key)
        if value is not None and not good(value):
            raise UsageError(f"{where}: {key} must be {must}, got {shown(value)}")
    values = {key: data[key] for key in _VALUES if data.get(key) is not None}
    given = Thresholds(**values, roi=_roi(data.get("roi"), where))
    if not given.judges:
        raise UsageError(f"{where}: has no threshold that makes a verdict{_rule_says(given)}; give image or pixel")
    source = f"{where}: {printable(given.source)}" if given.source else where
    statement = {key: data.get(key) for key in _STATEMENT}
    kept, look = _good(data.get("good"), where), _look(data.get("tile"), data.get("bits"), where)
    model = _model(data.get("model"), where)
    return ThresholdsFile(replace(given, source=source), model, **statement, good=kept, look=look)


def check_place(path: str | Path) -> None:
    """Refuse to write thresholds over anything that :func:`write_thresholds` did not write.

    Raises:
        OccupiedError: such a file is there, or a folder.
    """
    check_output(Path(path), holds(b'"min_area": '), "choose another --out")


def write_thresholds(path: str | Path, found: ThresholdsFile) -> None:
    """Write a file of thresholds, whole or not at all.

    Raises:
        OutputError: no space, not allowed to write, or something else is there (OccupiedError).
    """
    check_place(path)
    data: dict[str, Any] = asdict(found.thresholds)
    del data["roi"]
    if found.thresholds.roi is not None:
        data["roi"] = found.thresholds.roi.polygons
    if found.model is not None:
        data["model"] = {"name": found.model[0], "fingerprint": found.model[1]}
    data |= {} if found.look is None else asdict(found.look)
    data |= {key: value for key in _STATEMENT if (value := getattr(found, key)) is not None}
    text = json.dumps(data, indent=1, allow_nan=False)
    if found.good is not None:  # thousands of numbers, on one line each
        lists = {key: value for key, value in asdict(found.good).items() if value is not None}
        inner = ",\n".join(f'  "{key}": {json.dumps(value, allow_nan=False)}' for key, value in lists.items())
        text = f'{text[:-2]},\n "good": {{\n{inner}\n }}\n}}'
    write_whole(Path(path), f"{text}\n".encode())


def model_of(card: ModelCard) -> tuple[str, str]:
    """Return name and fingerprint of what decides on a model's scores: its whole card but for the thresholds."""
    values = card.changed(**{entry.name: entry.default for entry in fields(card.scoring) if entry.name in _JUDGING})
    return card.label, hashlib.blake2b(values.to_json().encode(), digest_size=8).hexdigest()


def fingerprint_of(model: str, look: Look) -> str:
    """Return a fingerprint of what scores depend on: that of a model, by :func:`model_of`, with how it looks."""
    return hashlib.blake2b(f"{model} {look.tile} {look.bits}".encode(), digest_size=8).hexdigest()


def check_look(found: ThresholdsFile, look: Look, path: str | Path) -> None:
    """Refuse thresholds that were measured with other tiles or bits.

    Raises:
        UsageError: they were.
    """
    theirs = found.look
    if theirs is not None and theirs != look:
        raise UsageError(
            f"{printable(path)}: these thresholds were measured {theirs.told()}, not {look.told()}; "
            f"{theirs.instead_of(look)}, or measure them anew"
        )


def check_model(found: ThresholdsFile, card: ModelCard, path: str | Path) -> None:
    """Refuse thresholds that were measured on another model.

    Raises:
        UsageError: they were.
    """
    ours = model_of(card)
    if found.model is None or found.model[1] == ours[1]:
        return
    theirs, mine = printable(found.model[0]), printable(ours[0])
    other = f"model {theirs}, not {mine}" if theirs != mine else f"another {theirs}: its prompt or its weights differ"
    raise UsageError(f"{printable(path)}: these thresholds were measured on {other}; measure them on this one")


def chosen(
    file: str | Path | Thresholds | None = None,
    *,
    image: float | str | None = None,
    pixel: float | str | None = None,
    min_area: float | None = None,
    rule: str | None = None,
    card: ModelCard | None = None,
    look: Look | None = None,
) -> Thresholds:
    """Return what a person asks for: single options override a file, and the source says so.

    Args:
        file: a file of thresholds, or thresholds.
        image: image threshold: a number in [0, 1], also as text, or ``"never"``.
        pixel: pixel threshold, likewise.
        min_area: smallest region, as a fraction of the image's pixels.
        rule: ``"either"``, ``"score"`` or ``"region"``.
        card: of the model that is to be judged.
        look: how it looks at images.

    Raises:
        UsageError: a value out of its range, or a file that can't be used.

    >>> chosen(image="0.7", rule="score").source
    'threshold 0.7, rule score'
    """
    given_file = file if isinstance(file, Thresholds | None) else read_thresholds(file, card, look)
    base = Thresholds() if given_file is None else given_file
    given = {"threshold": image, "pixel threshold": pixel, "min area": min_area, "rule": rule}
    said = ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)
    if rule is not None and rule not in RULES:
        raise UsageError(f"rule must be {', '.join(RULES[:-1])} or {RULES[-1]}, got {printable(rule)!r:.40}")
    known: Rule | None = next((one for one in RULES if one == rule), None)
    own = Thresholds(_limit("threshold", image), _limit("pixel threshold", pixel), min_area, known, said or None)
    return own.over(base)


def card_thresholds(card: ModelCard) -> Thresholds:
    """Return the thresholds that a card states: a calibrated one's; of any other, only its smallest region.

    A number above 1, which cards of zsad 0.1 may have, says never.
    """
    scoring = card.scoring
    area = min(1.0, scoring.min_area) or None
    if not scoring.calibrated:
        return Thresholds(min_area=area)
    image, pixel = (NEVER if x > 1 else x for x in (scoring.image_threshold, scoring.pixel_threshold))
    rule: Rule | None = None if scoring.verdict_rule == "either" else scoring.verdict_rule
    return Thresholds(
        None if rule == "region" else image, None if rule == "score" else pixel, area, rule, "the model's card"
    )


def check_judges(thresholds: Thresholds, *, rule: str | None = None, fail_on: str | None = None) -> None:
    """Refuse a command line that asks for verdicts where there can be none.

    Args:
        thresholds: what images are judged by.
        rule: ``--rule``, if it was given.
        fail_on: ``--fail-on``, if it was given.

    Raises:
        UsageError: no threshold to go by, or ``fail_on`` is not ``"anomalous"``.
    """
    if fail_on not in (None, "anomalous"):
        raise UsageError(f"--fail-on is anomalous, not {printable(fail_on):.40}")
    option = f"--rule {rule}" if rule else "--fail-on anomalous" if fail_on else ""
    if option and not thresholds.judges:
        limit = {"region": "--pixel-threshold 0.6"}.get(thresholds.rule or "either", "--threshold 0.5")
        what = "a pixel threshold" if "pixel" in limit else "a threshold"
        raise UsageError(f"{option} needs {what}: add {limit}, or --thresholds FILE")


def _limit(name: str, value: float | str | None) -> Limit:
    """Read a threshold that may be text."""
    if value is None or value == NEVER:
        return None if value is None else NEVER
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise UsageError(f"{name} must be a number of 0 to 1, or never, got {printable(value):.40}")
    return number


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


_share = _number(0, 1)
_Check = tuple[str, Callable[[Any], bool]]
_VALUES: dict[str, _Check] = {
    "image": ("a number of 0 to 1, or never", lambda value: value == NEVER or _share(value)),
    "pixel": ("a number of 0 to 1, or never", lambda value: value == NEVER or _share(value)),
    "min_area": ("a number of 0 to 1, a fraction of the image's pixels", _share),
    "rule": (f"{', '.join(RULES[:-1])} or {RULES[-1]}", lambda value: isinstance(value, str) and value in RULES),
    "source": (f"text of at most {_LONGEST} characters", _text),
}
_STATEMENT: dict[str, _Check] = {
    "n": ("a whole number of at least 1", lambda value: isinstance(value, int) and _number(1, 1e12)(value)),
    "rate": ("a number of 0 to 1", _share),
    "confidence": ("a number of 0 to 1", _share),
    "guarantee": ("true or false", lambda value: isinstance(value, bool)),
}
_JUDGING = ("image_threshold", "pixel_threshold", "min_area", "verdict_rule", "calibrated")


def _model(value: Any, where: str) -> tuple[str, str] | None:
    if value is None:
        return None
    good = isinstance(value, dict) and set(value) == {"name", "fingerprint"} and all(map(_text, value.values()))
    if not good:
        raise UsageError(f"{where}: model must be an object with name and fingerprint, both text, got {shown(value)}")
    return value["name"], value["fingerprint"]


def _look(tile: Any, bits: Any, where: str) -> Look | None:
    if tile not in (None, "auto") and not is_whole(tile, 1, 1_000_000):
        raise UsageError(f"{where}: tile must be auto or a side in pixels, got {shown(tile)}")
    if bits is not None and not is_whole(bits, 8, 16):
        raise UsageError(f"{where}: bits must be a whole number of 8 to 16, got {shown(bits)}")
    return None if tile is None and bits is None else Look(tile, 16 if bits is None else bits)


def _good(value: Any, where: str) -> Good | None:
    if value is None:
        return None
    known = isinstance(value, dict) and {"scores", "peaks"} <= set(value) <= {"scores", "peaks", "tie"}
    scores, peaks = (value["scores"], value["peaks"]) if known else ((), ())
    lists = isinstance(scores, list) and isinstance(peaks, list) and len(scores) == len(peaks) > 0
    if not lists or not all(map(_share, [*scores, *peaks])):
        raise UsageError(f"{where}: good must have scores and peaks, lists of as many numbers of 0 to 1")
    tie = value.get("tie")
    line = _number(-1e6, 1e6)
    if tie is not None and not (isinstance(tie, list) and len(tie) == 4 and all(map(line, tie)) and min(tie[1::2]) > 0):
        raise UsageError(f"{where}: good: tie must be four numbers, the second and the fourth above 0")
    return Good(tuple(map(float, scores)), tuple(map(float, peaks)), None if tie is None else tuple(map(float, tie)))


def _roi(value: Any, where: str) -> Roi | None:
    try:
        return None if value is None else roi_of(polygons=value)
    except UsageError as error:
        raise UsageError(f"{where}: roi: {error}") from None


def _rule_says(given: Thresholds) -> str:
    return f" by its rule {given.rule}" if given.rule else ""
