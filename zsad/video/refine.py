"""Offline refiners: pure functions on the scores of a whole video, and named lists of them in YAML.

A value of these may depend on frames that come later; whoever states a figure states the refiners beside it, as
``ScoreSeries.refiners`` does. What can be used on a live stream is in :mod:`zsad.video.live`. All of them look at
positions, which are taken as evenly spaced.

A file of refiners is a list, applied from its first entry to its last::

    - median: {size: 9}
    - gaussian: {sigma: 10, size: 15}
    - centre
    - minmax
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from zsad.documents import Entries, read_yaml
from zsad.errors import ConfigError, InputError, UsageError
from zsad.near import near
from zsad.outside import printable, shown
from zsad.video.live import Causal
from zsad.video.series import ScoreSeries

Values: TypeAlias = npt.NDArray[np.float64]
FUTURE = "uses the future"
_LONGEST = 100_001


def gaussian(values: Values, sigma: float, size: int | None = None, *, edges: str = "normalised") -> Values:
    """Smooth scores by a Gaussian.

    Args:
        values: float64 ``(P,)``.
        sigma: in positions, above 0.
        size: positions that the kernel covers, odd; by default up to 4 sigma on either side.
        edges: ``"normalised"`` weighs what is there; ``"zeros"`` takes 0 beyond the ends, as VERA publishes it.

    Returns:
        float64 ``(P,)``.

    Source: VERA (Ye et al., CVPR 2025), with the kernel in the middle.
    """
    reach = int(4 * sigma + 0.5) if size is None else size // 2
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    smooth = _convolved(values, kernel / kernel.sum())
    return smooth if edges == "zeros" else smooth / _convolved(np.ones(len(values)), kernel / kernel.sum())


def median(values: Values, size: int) -> Values:
    """Return the median of the ``size`` positions (odd) around each; the ends stand for what lies beyond them."""
    reach = size // 2
    padded = np.pad(values, reach, mode="edge") if len(values) else values
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, size), axis=-1) if len(values) else values


def centre_weight(values: Values, positions: npt.NDArray[np.int64], n_frames: int) -> Values:
    """Weigh scores by how near they are to the middle of the video: exp(-((i - m) / m)² / 2), m = n_frames // 2.

    A prior, not evidence: published sets have their anomalies in the middle.

    Source: VERA (Ye et al., CVPR 2025), step 3.
    """
    middle = n_frames // 2
    weight = np.exp(-0.5 * ((positions - middle) / middle) ** 2) if middle else np.ones(len(values))
    return values * weight


def min_max(values: Values) -> Values:
    """Draw the scores of one video over [0, 1]; of equal ones, all become 0."""
    if not len(values):
        return values
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros(len(values))


def retrieval(
    values: Values, features: npt.NDArray[Any], share: float = 0.15, temperature: float = 0.1, block: int = 1024
) -> Values:
    """Replace each score by those of the most alike positions of the video, weighed by a softmax of their cosines.

    Args:
        values: float64 ``(P,)``.
        features: ``(P, D)``, one for each position.
        share: of the positions that count for each, itself included; all, if that is less than one.
        temperature: cosines are divided by it.
        block: positions that are compared at a time.

    Returns:
        float64 ``(P,)``.

    Source: VERA (Ye et al., CVPR 2025), step 2; LAVAD (Zanella et al., CVPR 2024) with ten and temperature 1.
    """
    units = np.asarray(features, np.float64)
    units = units / np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
    most = int(share * len(values)) or len(values)
    out = np.empty(len(values))
    for start in range(0, len(values), block):
        cosine = units[start : start + block] @ units.T  # (b, P)
        nearest = np.argpartition(-cosine, most - 1, axis=1)[:, :most]
        weight = np.exp((np.take_along_axis(cosine, nearest, 1) - cosine.max(axis=1, keepdims=True)) / temperature)
        out[start : start + block] = (weight * values[nearest]).sum(axis=1) / weight.sum(axis=1)
    return out


def _convolved(values: Values, kernel: Values) -> Values:
    """Return the middle of a convolution with zeros beyond the ends; right for any lengths."""
    if not len(values):
        return values
    reach = len(kernel) // 2
    if len(kernel) * len(values) > 1 << 22:
        from scipy.signal import fftconvolve

        return np.asarray(fftconvolve(values, kernel)[reach : reach + len(values)])
    return np.convolve(values, kernel)[reach : reach + len(values)]


Bounds: TypeAlias = tuple[float, float]
Apply: TypeAlias = Callable[[Values, ScoreSeries, Mapping[str, Any], npt.NDArray[Any] | None], Values]


@dataclass(frozen=True)
class _Kind:
    """A refiner: what it does, its numbers with their default and range, and whether it looks ahead."""

    apply: Apply
    numbers: Mapping[str, tuple[float | None, Bounds]] = field(default_factory=dict)
    future: bool = True


_ODD: Bounds = (1, _LONGEST)
REFINERS: dict[str, _Kind] = {
    "gaussian": _Kind(
        lambda v, s, o, f: gaussian(v, o["sigma"], o["size"] and int(o["size"]), edges=o["edges"]),
        {"sigma": (5.0, (0.01, 10_000)), "size": (None, _ODD)},
    ),
    "median": _Kind(lambda v, s, o, f: median(v, int(o["size"])), {"size": (9, _ODD)}),
    "centre": _Kind(lambda v, s, o, f: centre_weight(v, s.positions, s.n_frames)),
    "minmax": _Kind(lambda v, s, o, f: min_max(v)),
    "retrieval": _Kind(
        lambda v, s, o, f: retrieval(v, _needed(f, v), o["share"], o["temperature"]),
        {"share": (0.15, (0.0, 1.0)), "temperature": (0.1, (1e-3, 1e3))},
    ),
    "causal_mean": _Kind(lambda v, s, o, f: Causal("mean", int(o["size"])).all(v), {"size": (9, _ODD)}, future=False),
    "causal_median": _Kind(
        lambda v, s, o, f: Causal("median", int(o["size"])).all(v), {"size": (9, _ODD)}, future=False
    ),
}  # fmt: skip
"""Name of a refiner in a file -> what it does."""


@dataclass(frozen=True)
class Refiner:
    """One entry of a list: a name of :data:`REFINERS` and its numbers.

    Raises:
        ConfigError: an unknown name or number, or one out of its range.

    >>> str(Refiner("median", {"size": 5})), str(Refiner("causal_mean"))
    ('median size 5 (uses the future)', 'causal_mean size 9')
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in REFINERS:
            raise ConfigError(
                f"refiner {shown(self.name)}: there is none{near(self.name, REFINERS)}; known: {', '.join(REFINERS)}"
            )
        numbers = REFINERS[self.name].numbers
        given = Entries(dict(self.options), f"refiner {self.name}")
        given.only(*numbers, *(("edges",) if self.name == "gaussian" else ()))
        full: dict[str, Any] = {}
        for key, (default, (low, high)) in numbers.items():
            value = default if given.data.get(key) is None else given.number(key, low, high)
            if key == "size" and value is not None and (value != int(value) or (self._centred and value % 2 == 0)):
                raise ConfigError(
                    f"refiner {self.name}: size must be {'odd' if self._centred else 'whole'}, got {value:g}"
                )
            full[key] = value
        if self.name == "gaussian":
            full["edges"] = given.text("edges", default="normalised")
            if full["edges"] not in ("normalised", "zeros"):
                raise ConfigError(f"refiner gaussian: edges must be normalised or zeros, got {shown(full['edges'])}")
        object.__setattr__(self, "options", full)

    @property
    def _centred(self) -> bool:
        return not self.name.startswith("causal")

    def __str__(self) -> str:
        numbers = [f"{key} {value:g}" for key, value in self.options.items() if isinstance(value, int | float)]
        edges = ["edges zeros"] if self.options.get("edges") == "zeros" else []
        future = [f"({FUTURE})"] if REFINERS[self.name].future else []
        return " ".join([self.name, *numbers, *edges, *future])


CAUSAL: tuple[Refiner, ...] = (Refiner("causal_mean", {"size": 9}),)
"""What methods that look at single frames are refined by where nobody says otherwise."""


def read_refiners(path: str | Path) -> tuple[Refiner, ...]:
    """Read a list of refiners from a YAML file.

    Raises:
        ConfigError: it can't be read, is no list, or has an entry that is no refiner.
    """
    where, data = printable(path), read_yaml(path)
    if data is None or data == []:
        return ()
    if not isinstance(data, list):
        raise ConfigError(f"{where}: refiners must be a list, such as - median: {{size: 9}}; got {shown(data)}")
    return refiners_of(data, where)


def refiners_of(entries: Sequence[Any], where: str = "refiners") -> tuple[Refiner, ...]:
    """Return the refiners of a list of names, mappings ``{name: {number: value}}``, and refiners.

    Raises:
        ConfigError: an entry that is none of these.
    """
    found = []
    for entry in entries:
        if isinstance(entry, Refiner):
            found.append(entry)
            continue
        name, options = (entry, {}) if isinstance(entry, str) else _pair(entry, where)
        try:
            found.append(Refiner(name, options))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    return tuple(found)


def apply_refiners(
    series: ScoreSeries, refiners: Sequence[Any], features: npt.NDArray[Any] | None = None
) -> ScoreSeries:
    """Refine the scores of a video, and of each of its classes, and note by what.

    Args:
        series: of one video.
        refiners: as :func:`refiners_of` takes them, applied in order.
        features: ``(P, D)``, one for each position; needed by ``retrieval`` alone.

    Raises:
        ConfigError: an unknown refiner.
        InputError: features that are absent or do not fit.
    """
    chosen = refiners_of(refiners)
    values, classes = series.values, dict(series.classes)
    for refiner in chosen:
        apply = REFINERS[refiner.name].apply
        values = apply(values, series, refiner.options, features)
        classes = {label: apply(column, series, refiner.options, features) for label, column in classes.items()}
    return replace(series, values=values, classes=classes, refiners=(*series.refiners, *map(str, chosen)))


def check_live(refiners: Sequence[Refiner]) -> None:
    """Refuse refiners that look ahead, where frames come one by one.

    Raises:
        UsageError: one does.
    """
    for refiner in refiners:
        if REFINERS[refiner.name].future:
            live = ", ".join(name for name, kind in REFINERS.items() if not kind.future)
            raise UsageError(f"refiner {refiner.name}: looks at later frames, which a stream has not; live are {live}")


def _pair(entry: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ConfigError(f"{where}: each refiner is a name, or a name with its numbers; got {shown(entry)}")
    name, options = next(iter(entry.items()))
    if options is None:
        return str(name), {}
    if not isinstance(options, dict):
        raise ConfigError(f"{where}: {printable(name)[:40]}: its numbers must be a mapping, got {shown(options)}")
    return str(name), options


def _needed(features: npt.NDArray[Any] | None, values: Values) -> npt.NDArray[Any]:
    if features is None:
        raise InputError("refiner retrieval: needs features, one for each position; give them, or leave it out")
    if features.ndim != 2 or len(features) != len(values):
        raise InputError(f"refiner retrieval: {len(values)} positions, but features of shape {features.shape}")
    return features
