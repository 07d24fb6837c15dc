"""Training batches from the procedural world: a pure function of (seed, step), whatever is cached or running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from factory.config import RunConfig
from factory.paste import paste
from factory.pool import ScenePool
from factory.texts import TextSampler, Words
from zsad.synthetic import Scene

Tokenize = Callable[[list[str]], Tensor]

_TEXTS = 100_000
"""How many texts' tokens are kept."""
_TRIES, _STRIDE = 20, 7919
"""How many scenes are tried for one that is wanted, and how far apart they lie."""


@dataclass(frozen=True)
class Batch:
    """What one step reads.

    Attributes:
        pixels: uint8 ``(B, 3, S, S)``.
        mask: uint8 ``(B, S, S)``, each pixel's share of defect in 0..255.
        label: float32 ``(B,)``, 1 for anomalous.
        captions: token ids ``(B, T)``.
        pairs: token ids ``(2 B, T)``: each scene's normal text, then its anomalous one.
        words: token ids ``(V, T)``: defect words, then material words.
        same: bool ``(B, B)``, True where captions are identical.
        defects: bool ``(B, Vd)``, the defect words that fit; none where there is no defect, or several kinds.
        materials: bool ``(B, Vm)``, the material words that fit.
    """

    pixels: Tensor
    mask: Tensor
    label: Tensor
    captions: Tensor
    pairs: Tensor
    words: Tensor
    same: Tensor
    defects: Tensor
    materials: Tensor


class Batches(Dataset[Batch]):
    """Batch of every step.

    Args:
        config: the run.
        words: the world's words.
        tokenize: texts to token ids ``(P, T)``.
        cache: folder for drawn scenes, or None.
    """

    def __init__(self, config: RunConfig, words: Words, tokenize: Tokenize, cache: Path | None = None) -> None:
        self.config, self.words, self._tokenize = config, words, tokenize
        self._known: dict[str, Tensor] = {}
        self.pool = ScenePool(config.model.image_size, config.data.seed, "train", cache)

    def __len__(self) -> int:
        return self.config.train.steps

    def __getitem__(self, step: int) -> Batch:
        """Return the batch of ``step`` (0-based)."""
        data, seed, size = self.config.data, self.config.train.seed, size_at(step, self.config)
        least = data.early_least if step < self.config.train.early else 0.0
        places = indices(step, data.batch, data.pool, seed)
        couples = round(data.twins * data.batch / 2)
        scenes, twins = [], []
        for i, index in enumerate(places[: data.batch - couples]):
            draws = (seed, 1, step, i)
            if i < couples:
                scene, twin = self._couple(index, least)
                # Cropped, turned and lit as the scene is: the same mask and the same draws.
                twin = augment(replace(twin, mask=scene.mask), np.random.default_rng(draws), self.config, size)
                twins.append(replace(twin, mask=np.zeros_like(twin.mask)))
            else:
                scene = self._scene(index, least)
            scenes.append(augment(scene, np.random.default_rng(draws), self.config, size))
        scenes += twins
        scenes = self._with_patches(scenes, np.random.default_rng((seed, 3, step)), step < self.config.train.early)
        texts = TextSampler(self.words, np.random.default_rng((seed, 2, step)))
        pairs = [texts.pair(scene) for scene in scenes]
        captions = [scene.caption for scene in scenes]
        order = {text: n for n, text in enumerate(dict.fromkeys(captions))}
        kind = torch.tensor([order[text] for text in captions])
        return Batch(
            pixels=torch.from_numpy(np.stack([s.image for s in scenes])).permute(0, 3, 1, 2).contiguous(),
            mask=torch.from_numpy(np.stack([s.mask for s in scenes])),
            label=torch.tensor([float(s.label) for s in scenes]),
            captions=self.tokenize(captions),
            pairs=self.tokenize([p[0] for p in pairs] + [p[1] for p in pairs]),
            words=self.tokenize(texts.words()),
            same=kind[:, None] == kind[None],
            defects=torch.from_numpy(np.stack([self.words.fitting_defects(s) for s in scenes])),
            materials=torch.from_numpy(np.stack([self.words.fitting_materials(s) for s in scenes])),
        )

    def tokenize(self, texts: list[str]) -> Tensor:
        """Return token ids ``(P, T)``; a text seen before is looked up, since most come again and again."""
        if len(self._known) > _TEXTS:
            self._known.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= zip(new, self._tokenize(new), strict=True)
        return torch.stack([self._known[text] for text in texts])

    def _with_patches(self, scenes: list[Scene], rng: np.random.Generator, early: bool) -> list[Scene]:
        """Paste foreign patches into a share of the scenes, each from its neighbour in the batch."""
        chance = self.config.data.early_paste if early else self.config.data.paste
        others = [*scenes[1:], scenes[0]]
        return [
            paste(rng, scene, other.image) if rng.random() < chance else scene
            for scene, other in zip(scenes, others, strict=True)
        ]

    def _scene(self, index: int, least: float) -> Scene:
        """Return scene ``index`` of the pool; in place of one that isn't wanted, the next that will do."""
        for place in self._places(index):
            scene = self.pool[place]
            if self._wanted(scene, least):
                break
        return scene

    def _couple(self, index: int, least: float) -> tuple[Scene, Scene]:
        """Return the first faulty scene of the pool, from ``index`` on, that is wanted, and its faultless twin."""
        for place in self._places(index):
            scene, twin = self.pool.couple(place)
            if scene.label and self._wanted(scene, least):
                break
        return scene, twin

    def _places(self, index: int) -> list[int]:
        data = self.config.data
        return [data.first + (index + step * _STRIDE) % data.pool for step in range(_TRIES)]

    def _wanted(self, scene: Scene, least: float) -> bool:
        harmless = self.config.data.incidents or not scene.incidents
        return harmless and (not scene.label or scene.mask.mean() >= least)


def indices(step: int, batch: int, pool: int, seed: int) -> list[int]:
    """Return the scenes of a step: every epoch passes once through a new permutation of the pool."""
    out = []
    for position in range(step * batch, (step + 1) * batch):
        epoch, place = divmod(position, pool)
        out.append(int(_permutation(pool, seed, epoch)[place]))
    return out


_permutations: dict[tuple[int, int, int], np.ndarray[Any, np.dtype[np.int64]]] = {}


def _permutation(pool: int, seed: int, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    key = (pool, seed, epoch)
    if key not in _permutations:
        if len(_permutations) > 2:
            _permutations.clear()
        _permutations[key] = np.random.default_rng((seed, 0, epoch)).permutation(pool)
    return _permutations[key]


def size_at(step: int, config: RunConfig) -> int:
    """Return the side in pixels of a step's images: small and quick at first, then the model's own."""
    return config.data.early_size if step < config.train.early else config.model.image_size


def augment(scene: Scene, rng: np.random.Generator, config: RunConfig, size: int) -> Scene:
    """Crop, turn, flip and relight a scene; a crop that would lose the defect is not made.

    Args:
        scene: image ``(S, S, 3)``, mask of 0 and 1.
        rng: its only source of chance.
        config: how much is varied.
        size: side of the result; its mask is uint8 in 0..255, each pixel's share of defect.
    """
    image, mask = np.asarray(scene.image), np.asarray(scene.mask) * np.uint8(255)
    if rng.random() < config.data.crop_chance:
        image, mask = _crop(image, mask, rng, config.data.crop_least)
    if len(mask) != size:
        image = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
        mask = np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.BILINEAR))
    turns, flip = int(rng.integers(4)), rng.random() < 0.5
    image, mask = np.rot90(image, turns), np.rot90(mask, turns)
    if flip:
        image, mask = image[:, ::-1], mask[:, ::-1]
    gain, shift = 1 + config.data.light * rng.uniform(-1, 1), 128 * config.data.light * rng.uniform(-1, 1)
    table = ((np.arange(256) - 128.0) * gain + 128 + shift).clip(0, 255).astype(np.uint8)
    return replace(scene, image=table[image], mask=np.ascontiguousarray(mask))


def _crop(
    image: np.ndarray[Any, Any], mask: np.ndarray[Any, Any], rng: np.random.Generator, least: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    S = len(mask)
    side = int(S * rng.uniform(least, 1.0))
    y, x = (int(v) for v in rng.integers(0, S - side + 1, 2))
    part = mask[y : y + side, x : x + side]
    if np.count_nonzero(part) < 0.7 * np.count_nonzero(mask):
        return image, mask
    return image[y : y + side, x : x + side], part
