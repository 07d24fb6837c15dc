from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from zsad.card import ModelCard
from zsad.data.augment import Augment, AugmentConfig, Augmented, Mosaic, seed_of, view
from zsad.data.examples import digest, network_mask
from zsad.data.torch_dataset import ExampleDataset
from zsad.errors import UsageError

ALWAYS = AugmentConfig(flip=1, rotate90=1, affine=1, brightness=1, blur=1, noise=1)
STILL = AugmentConfig(flip=0, rotate90=0, affine=0, brightness=0, blur=0, noise=0)


@dataclass(frozen=True)
class Square:
    """A grey image with a white square if it is anomalous."""

    number: int
    label: int
    group: str = "a"
    masked: bool = True

    @property
    def name(self) -> str:
        return f"square {self.number}"

    def identity(self) -> str:
        return digest(str(self.number), str(self.label))

    def load(self):
        pixels, mask = np.full((64, 48, 3), 90 + self.number, np.uint8), np.zeros((64, 48), bool)
        if self.label:
            pixels[8:24, 4:20], mask[8:24, 4:20] = 255, True
        return Image.fromarray(pixels), mask if self.label else None


def squares(count: int = 12) -> list[Square]:
    return [Square(i, i % 2) for i in range(count)]


def pixels(example) -> np.ndarray:
    return np.asarray(example.load()[0])


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others():
    image, mask = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8), np.zeros((40, 50), bool)
    augment = Augment(ALWAYS)
    first = augment(image, mask, 7)[0]
    augment(image, mask, 8)
    assert np.array_equal(augment(image, mask, 7)[0], first)
    assert not np.array_equal(augment(image, mask, 8)[0], first)


def test_mask_moves_with_the_image():
    example = Augmented(Square(0, 1), replace(STILL, flip=1, rotate90=1, affine=1), seed=3)
    image, mask = example.load()
    white = np.asarray(image)[..., 0] > 170
    assert mask is not None and mask.any()
    union, both = (white | mask).sum(), (white & mask).sum()
    assert both / union > 0.85


def test_nothing_switched_on_changes_nothing():
    assert np.array_equal(pixels(Augmented(Square(1, 1), STILL, 5)), pixels(Square(1, 1)))


@pytest.mark.parametrize("workers", [0, 2])
def test_draws_do_not_depend_on_the_loader_workers(workers):
    """albumentations 2.0.8 by itself gives all workers the same draws, and repeats them in every epoch."""
    card = ModelCard.of(image_size=28, patch_size=14)
    same = [Square(0, 1)] * 8
    dataset = ExampleDataset(view(same, 1, ALWAYS, 0.0, seed=0), card)
    loaded = [item["image"] for items in DataLoader(dataset, 2, num_workers=workers, collate_fn=list) for item in items]
    assert all(np.array_equal(a, dataset[i]["image"]) for i, a in enumerate(loaded))
    assert len({a.numpy().tobytes() for a in loaded}) == len(loaded)


def test_views_differ_and_the_first_is_unchanged():
    examples = squares()
    assert view(examples, 0, ALWAYS, 1.0, 0) == examples
    one, two = (view(examples, number, ALWAYS, 0.0, 0) for number in (1, 2))
    assert [e.identity() for e in one] == [e.identity() for e in view(examples, 1, ALWAYS, 0.0, 0)]
    assert not {e.identity() for e in one} & {e.identity() for e in two}
    assert [e.label for e in one] == [e.label for e in examples]


def test_mosaics_stay_within_a_group_and_keep_the_label():
    examples = [*squares(), *(Square(100 + i, i % 2, group="b") for i in range(10))]
    made = view(examples, 1, STILL, 1.0, seed=0)
    mosaics = [(e, m) for e, m in zip(examples, made, strict=True) if isinstance(m, Mosaic)]
    assert len(mosaics) == len(examples)
    for example, mosaic in mosaics:
        assert {part.group for part in mosaic.parts} == {example.group} and mosaic.label == example.label
        image, mask = mosaic.load()
        assert image.size == (1024, 1024)
        white = np.asarray(image)[..., 0] > 200
        assert (mask is None) == (example.label == 0)
        if mask is not None:
            assert (white & mask).sum() / (white | mask).sum() > 0.85
        assert mosaic.identity() != replace(mosaic, parts=mosaic.parts[::-1]).identity()


def test_too_small_a_group_has_no_mosaics():
    assert not any(isinstance(e, Mosaic) for e in view(squares(3), 1, STILL, 1.0, 0))


def test_seeds_are_spread():
    seeds = {seed_of(s, v, i) for s in range(3) for v in range(4) for i in range(200)}
    assert len(seeds) == 3 * 4 * 200 and all(0 <= s < 2**32 for s in seeds)


def test_albumentationsx_is_refused(monkeypatch):
    import importlib.metadata

    known = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda n: "2.5.1" if n == "albumentationsx" else known(n))
    with pytest.raises(UsageError, match="AGPL"):
        Augment(AugmentConfig())


@pytest.mark.parametrize("before", [None, "0"])
def test_the_environment_is_left_as_it_was(before):
    """Only albumentations' own variable is ours to look after; OpenCV sets its library path by itself."""
    code = (
        "import os, sys; from zsad.data.augment import Augment, AugmentConfig;"
        "assert 'albumentations' not in sys.modules; before = os.environ.get('NO_ALBUMENTATIONS_UPDATE');"
        "Augment(AugmentConfig()); print(before, os.environ.get('NO_ALBUMENTATIONS_UPDATE'))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    environment |= {} if before is None else {"NO_ALBUMENTATIONS_UPDATE": before}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == [str(before)] * 2, done.stderr


def test_mask_is_resized_as_published():
    mask = np.zeros((90, 60), bool)
    mask[30:60, 20:40] = True
    small = network_mask(mask, 30)
    assert small.shape == (30, 30) and small[10:20, 10:20].all() and small.sum() == 100
