"""Features of videos that are drawn: as hard as CLIP's, with labels that are known, for learning without a dataset.

A snippet of a video is ``gain (m + v)``. All videos share the mean direction m, so that everything is alike, as with
CLIP; v is orthogonal to it and the sum of

- where the video was taken: an offset of its own that drifts smoothly over the video (``scene``, ``drift``);
- what always moves: a smooth wandering in a subspace that all videos share (``motion``);
- nuisance: bursts along a few directions that all videos share, as long as events and stronger, in normal and abnormal
  videos alike (``nuisance``);
- in an abnormal video, one or two events near the direction of its class (``anomaly``), at most ``share[1]`` of it;
- noise of its own in every snippet (``noise``).

The direction of a class is tied to the text of its name: ``tie`` is its cosine with ``text(name) - text(normal)``, the
rest is the class's own and in no text. Scenes and motion reach along the classes too (``overlap``), and bursts lean
towards them (``lean``). Directions belong to the seed, videos to seed, part and number: what is learned from one part
can be tested on another. Strengths are lengths of v, which is shortened where ``cosine`` to m would be less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zsad.errors import UsageError
from zsad.types import FloatArray

Vectors = NDArray[np.float64]
NORMAL = "normal"


@dataclass(frozen=True)
class Drawing:
    """How videos are drawn; lengths are relative to the mean's.

    Attributes:
        seed: of the directions, and with part and number of every video.
        rows: the fewest and the most snippets of a video.
        share: the least and the largest share of an abnormal video that is anomalous.
        events: most events of an abnormal video.
        anomaly: strength of an event.
        tie: cosine of a class's direction with that of its text, 0 to 1.
        variety: sine of an event's direction with its class's: no two look the same.
        scene: length of a video's offset.
        drift: how far the offset drifts.
        motion: length of what always moves.
        overlap: how far scenes and motion reach along a class, relative to other directions.
        nuisance: strength of a burst.
        bursts: bursts of a video for every 100 snippets.
        kinds: directions that bursts have.
        lean: cosine of a burst's direction with the mean of the classes.
        noise: length of every snippet's noise.
        cosine: no snippet's to m is less.
        gain: length of m.
        tokens: tokens of a snippet, or 0 for one feature; a burst or an event is then in half of them, twice as strong.
        every: frames of a snippet.
        fps: frames per second.
    """

    seed: int = 0
    rows: tuple[int, int] = (96, 160)
    share: tuple[float, float] = (0.08, 0.2)
    events: int = 2
    anomaly: float = 0.4
    tie: float = 0.7
    variety: float = 0.3
    scene: float = 0.2
    drift: float = 0.2
    motion: float = 0.3
    overlap: float = 0.2
    nuisance: float = 0.5
    bursts: float = 7.0
    kinds: int = 8
    lean: float = 0.3
    noise: float = 0.45
    cosine: float = 0.79
    gain: float = 10.0
    tokens: int = 0
    every: int = 16
    fps: float = 25.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """A video.

    Attributes:
        name: unique within its part.
        label: class, or ``"normal"``.
        features: float32 ``(T, D)``, or ``(T, Q, D)`` of tokens.
        spans: anomalous snippets as half-open ``(start, end)``, ascending.
        every: frames of a snippet.
    """

    name: str
    label: str
    features: FloatArray = field(repr=False)
    spans: tuple[tuple[int, int], ...]
    every: int

    @property
    def frames(self) -> int:
        """Frames of the video."""
        return len(self.features) * self.every

    def truth(self) -> NDArray[np.bool_]:
        """Return which frames are anomalous, ``(frames,)``."""
        found = np.zeros(len(self.features), np.bool_)
        for start, end in self.spans:
            found[start:end] = True
        return np.repeat(found, self.every)


@dataclass(frozen=True, eq=False)
class World:
    """Directions that all videos share, unit rows: the mean ``(D,)``, scenes, motion and bursts ``(n, D)``, classes."""

    mean: Vectors
    scenes: Vectors
    motion: Vectors
    bursts: Vectors
    classes: Mapping[str, Vectors]


def world_of(texts: Mapping[str, NDArray[np.floating]], drawing: Drawing) -> World:
    """Return the directions of a seed.

    Args:
        texts: text features ``(D,)`` by class name, one of them ``normal``.
        drawing: settings.

    Raises:
        UsageError: ``normal`` is absent, there is no other class, or a class has the very text of normal.
    """
    if NORMAL not in texts or len(texts) < 2:
        raise UsageError(f"texts: give those of {NORMAL} and of one class at least")
    rng = np.random.default_rng([drawing.seed, 0])
    mean = _unit(rng.normal(size=len(texts[NORMAL])))
    known = {name: _unit(np.asarray(text, np.float64)) for name, text in texts.items()}
    tied, own = {}, {}
    for name, text in known.items():
        if name == NORMAL:
            continue
        apart = _across(text - known[NORMAL], mean)
        if np.linalg.norm(apart) < 1e-3:
            raise UsageError(f"texts: {name} has the text of {NORMAL}; take a word that the text tower knows")
        tied[name] = _unit(apart)
    plane = np.linalg.qr(np.stack([mean, *tied.values()]).T)[0]
    for name in tied:
        free = rng.normal(size=len(mean))
        own[name] = _unit(free - plane @ (plane.T @ free))
    classes = {name: drawing.tie * tied[name] + np.sqrt(1 - drawing.tie**2) * own[name] for name in tied}
    anomalous = _unit(np.sum(list(classes.values()), axis=0))
    scenes, motion, free = (
        np.stack([_unit(_across(row, mean)) for row in rng.normal(size=(count, len(mean)))])
        for count in (24, 12, drawing.kinds)
    )
    along = drawing.overlap * np.stack(list(classes.values()))
    scenes, motion = np.concatenate([scenes, along]), np.concatenate([motion, along])
    across = np.stack([_unit(_across(row, anomalous)) for row in free])
    bursts = drawing.lean * anomalous + np.sqrt(1 - drawing.lean**2) * across
    return World(mean, scenes, motion, bursts, classes)


def draw(
    world: World, drawing: Drawing, part: int, normal: int, abnormal: int, known: Sequence[str] = ()
) -> Iterator[Drawn]:
    """Draw a part's videos: normal ones, then abnormal ones, the classes in turn.

    Args:
        world: what :func:`world_of` gives.
        drawing: settings.
        part: such as 0 for training and 1 for tests; parts share no video.
        normal: how many normal videos.
        abnormal: how many abnormal ones.
        known: classes of theirs; by default all.
    """
    names = list(known or world.classes)
    for index in range(normal + abnormal):
        label = NORMAL if index < normal else names[(index - normal) % len(names)]
        rng = np.random.default_rng([drawing.seed, 1, part, index])
        yield _video(world, drawing, rng, f"{'train' if part == 0 else 'test'}{part}_{index:04d}", label)


def _video(world: World, drawing: Drawing, rng: np.random.Generator, name: str, label: str) -> Drawn:
    rows, width = int(rng.integers(drawing.rows[0], drawing.rows[1] + 1)), len(world.mean)
    spans = _spans(rng, rows, drawing) if label != NORMAL else ()
    moved = _moved(world, drawing, rng, rows, [(span, label) for span in spans])  # (2, T, D)
    change = _across(_background(world, drawing, rng, rows) + moved.sum(axis=0), world.mean)  # (T, D)
    most = np.sqrt(1 / drawing.cosine**2 - 1)
    kept = (most / np.maximum(most, np.linalg.norm(change, axis=1)))[:, None]
    gain = drawing.gain * rng.uniform(0.95, 1.05)
    if not drawing.tokens:
        return Drawn(name, label, (gain * (world.mean + change * kept)).astype(np.float32), spans, drawing.every)
    halves = np.arange(drawing.tokens) * 2 // drawing.tokens
    apart = _across(2 * moved[halves] + _noise(drawing, rng, (drawing.tokens, rows, width)), world.mean)  # (Q, T, D)
    apart -= apart.mean(axis=0)  # the mean of the tokens is what the feature would be
    tokens = gain * (world.mean + (change + apart) * kept)
    return Drawn(name, label, tokens.transpose(1, 0, 2).astype(np.float32), spans, drawing.every)


def _background(world: World, drawing: Drawing, rng: np.random.Generator, rows: int) -> Vectors:
    """Return what scene, motion and noise add to the mean, ``(T, D)``."""
    offset, towards = (_unit(rng.normal(size=len(world.scenes))) @ world.scenes for _ in range(2))
    wandering = _smooth(rng, rows, len(world.motion), 6.0) @ world.motion / np.sqrt(len(world.motion))
    drifted = _smooth(rng, rows, 1, rows / 2) * towards
    noise = _noise(drawing, rng, (rows, len(world.mean)))
    return np.asarray(drawing.scene * offset + drawing.drift * drifted + drawing.motion * wandering + noise)


def _moved(
    world: World, drawing: Drawing, rng: np.random.Generator, rows: int, events: Sequence[tuple[tuple[int, int], str]]
) -> Vectors:
    """Return what bursts and events add in each half of the tokens, ``(2, T, D)``; their sum is what a feature sees."""
    found = np.zeros((2, rows, len(world.mean)))
    for _ in range(rng.poisson(drawing.bursts * rows / 100)):
        length = max(2, round(rows * rng.uniform(*drawing.share) / drawing.events))
        start = int(rng.integers(0, max(1, rows - length)))
        burst = drawing.nuisance * rng.uniform(0.7, 1.3) * world.bursts[rng.integers(len(world.bursts))]
        found[rng.integers(2), start : start + length] += rng.uniform(0.8, 1.2, size=(length, 1)) * burst
    for (start, end), label in events:
        like = np.sqrt(1 - drawing.variety**2) * world.classes[label]
        own = drawing.variety * _unit(rng.normal(size=len(world.mean)))
        event = drawing.anomaly * rng.uniform(0.8, 1.2) * (like + own)
        found[rng.integers(2), start:end] += rng.uniform(0.8, 1.2, size=(end - start, 1)) * event
    return found


def _spans(rng: np.random.Generator, rows: int, drawing: Drawing) -> tuple[tuple[int, int], ...]:
    """Return events that do not touch, together a share of the video."""
    total = int(rows * rng.uniform(*drawing.share))
    count = min(int(rng.integers(1, drawing.events + 1)), max(1, total // 2))
    lengths = [total // count + (index < total % count) for index in range(count)]
    gaps = np.sort(rng.integers(0, rows - total - count + 2, size=count))
    found, used = [], 0
    for index, (gap, length) in enumerate(zip(gaps, lengths, strict=True)):
        start = int(gap) + used + index
        found.append((start, start + length))
        used += length
    return tuple(found)


def _noise(drawing: Drawing, rng: np.random.Generator, shape: tuple[int, ...]) -> Vectors:
    """Return noise of about the length ``drawing.noise``."""
    return np.asarray(drawing.noise * rng.normal(size=shape) / np.sqrt(shape[-1]))


def _smooth(rng: np.random.Generator, rows: int, count: int, width: float) -> Vectors:
    """Return smooth noise ``(rows, count)`` of variance 1, alike over ``width`` snippets."""
    from scipy.ndimage import gaussian_filter1d

    margin = int(4 * width) + 1
    values = gaussian_filter1d(rng.normal(size=(rows + 2 * margin, count)), width, axis=0)[margin : margin + rows]
    return np.asarray(values * np.sqrt(2 * width * np.sqrt(np.pi)))


def _unit(v: Vectors) -> Vectors:
    return np.asarray(v / np.linalg.norm(v))


def _across(v: Vectors, along: Vectors) -> Vectors:
    """Return what of v ``(..., D)`` is orthogonal to a unit vector."""
    return np.asarray(v - (v @ along)[..., None] * along)
