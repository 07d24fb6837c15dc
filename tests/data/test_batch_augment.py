from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from zsad.card import ModelCard
from zsad.config import from_mapping
from zsad.data import augment
from zsad.data.augment import AugmentConfig, Augmented, BatchAugmented, Mosaic, view
from zsad.data.batch_augment import BLUR_SIDES, NOTHING, Affine, Draw, change, draw, network_batch
from zsad.data.torch_dataset import ExampleDataset
from zsad.errors import ConfigError, MissingExtraError
from zsad.images.preprocess import network_input

from .test_augment import ALWAYS, STILL, Square, squares

BATCH = replace(ALWAYS, by="batch")
WARP = Affine(degrees=8.0, zoom=(1.07, 0.94), shift=(0.06, -0.03))


def batch(count: int = 3, side: int = 41, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8))
    return pixels, torch.from_numpy(rng.random((count, side, side)) > 0.5)


def smooth(side: int = 64) -> np.ndarray:
    """A smooth image, uint8 ``(S, S, 3)``: what two interpolations agree on."""
    noise = np.random.default_rng(1).uniform(0, 255, (side, side, 3))
    wide = ndimage.gaussian_filter(noise, (4, 4, 0))
    return ((wide - wide.min()) / np.ptp(wide) * 255).astype(np.uint8)


def one(pixels: np.ndarray, mask: np.ndarray, wanted: Draw) -> tuple[np.ndarray, np.ndarray]:
    """Change one image ``(S, S, 3)`` with its mask."""
    images, masks = change(
        torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None], torch.from_numpy(mask)[None], [wanted]
    )
    return images[0].numpy().transpose(1, 2, 0), masks[0].numpy()


def test_shapes_and_types():
    images, masks = change(*batch(), [draw(BATCH, i) for i in range(3)])
    assert images.shape == (3, 3, 41, 41) and images.dtype == torch.float32 and images.is_contiguous()
    assert masks.shape == (3, 41, 41) and masks.dtype == torch.bool
    assert images.min() >= 0 and images.max() <= 255


def test_errors():
    with pytest.raises(ValueError, match="2 draws do not fit"):
        change(*batch(), [NOTHING] * 2)
    with pytest.raises(ConfigError, match="by is 'gpu', it must be one of image, batch"):
        from_mapping(AugmentConfig, {"by": "gpu"})


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_mirror_and_quarter_turns_move_every_pixel_exactly(flip, turns):
    """albumentations' own way of both: cv2.flip, then np.rot90."""
    pixels, masks = batch(1)
    images, moved = change(pixels, masks, [replace(NOTHING, flip=flip, turns=turns)])

    def expected(array: np.ndarray) -> np.ndarray:
        return np.rot90(cv2.flip(array, 1) if flip else array, turns)

    assert np.array_equal(images[0].numpy().transpose(1, 2, 0), expected(pixels[0].numpy().transpose(1, 2, 0)))
    assert np.array_equal(moved[0].numpy(), expected(masks[0].numpy().astype(np.uint8)) > 0)


@pytest.mark.parametrize("side", [40, 41])
def test_warp_equals_scipy_up_to_the_border(side):
    """Reference: scipy's spline of order 1 with its "reflect" border, on noise; float32 coordinates leave 0.01."""
    pixels, masks = batch(1, side)
    images, moved = change(pixels, masks, [replace(NOTHING, affine=WARP)])
    forward = np.vstack([WARP.matrix(side), [0, 0, 1]])
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # scipy counts rows first
    back = swap @ np.linalg.inv(forward) @ swap

    def expected(plane: np.ndarray) -> np.ndarray:
        return ndimage.affine_transform(plane.astype(float), back[:2, :2], back[:2, 2], order=1, mode="reflect")

    assert max(np.abs(images[0, c].numpy() - expected(pixels[0, c].numpy())).max() for c in range(3)) < 0.01
    share = expected(masks[0].numpy())
    sure = np.abs(share - 0.5) > 1e-3
    assert np.array_equal(moved[0].numpy()[sure], share[sure] > 0.5) and sure.mean() > 0.99


def test_warp_equals_the_present_path():
    """albumentations with the same angle, zoom and shift; cv2 rounds coordinates to 1/32 px, values to bytes."""
    A = augment._albumentations()
    side, pixels = 64, smooth()
    zoom, shift = {"x": 1.08, "y": 0.93}, {"x": 3 / 64, "y": -2 / 64}
    theirs = A.Affine(scale=zoom, translate_percent=shift, rotate=7.0, border_mode=cv2.BORDER_REFLECT, p=1)
    disc = np.hypot(*(np.mgrid[:side, :side] - 28.0)) < 12
    expected = A.Compose([theirs])(image=pixels, mask=disc.astype(np.uint8))
    ours = Affine(degrees=7.0, zoom=(zoom["x"], zoom["y"]), shift=(shift["x"], shift["y"]))
    image, mask = one(pixels, disc, replace(NOTHING, affine=ours))
    assert np.abs(image - expected["image"]).max() < 2.0
    assert (mask ^ (expected["mask"] > 0)).sum() <= 0.1 * disc.sum()  # nearest there, one half of bilinear here
    still = replace(ours, degrees=-7.0)
    assert np.abs(one(pixels, disc, replace(NOTHING, affine=still))[0] - expected["image"]).max() > 20


def test_light_equals_the_present_path():
    A = augment._albumentations()
    theirs = A.RandomBrightnessContrast(brightness_limit=(0.15, 0.15), contrast_limit=(-0.1, -0.1), p=1)
    expected = A.Compose([theirs])(image=smooth())["image"]
    image, _ = one(smooth(), np.zeros((64, 64), bool), replace(NOTHING, light=(0.9, 0.15)))
    assert np.abs(image - expected).max() <= 1.0  # they cut fractions off


@pytest.mark.parametrize("side", [3, 5])
def test_blur_equals_scipy_and_the_present_path(side):
    pixels, sigma = np.ascontiguousarray(batch(1)[0][0].numpy().transpose(1, 2, 0)), 1.4
    image, _ = one(pixels, np.zeros((41, 41), bool), replace(NOTHING, blur=(side, sigma)))
    kernel = np.exp(-0.5 * (np.arange(side) - side // 2) ** 2 / sigma**2)
    kernel /= kernel.sum()
    expected = ndimage.correlate1d(pixels.astype(float), kernel, 0, mode="mirror")
    expected = ndimage.correlate1d(expected, kernel, 1, mode="mirror")
    assert np.abs(image - expected).max() < 1e-3
    A = augment._albumentations()
    theirs = A.GaussianBlur(blur_limit=(side, side), sigma_limit=(sigma, sigma), p=1)
    assert np.abs(image - A.Compose([theirs])(image=pixels)["image"]).max() <= 1.0  # theirs are bytes


def test_noise_has_the_spread_that_was_drawn():
    grey, empty = np.full((200, 200, 3), 128, np.uint8), np.zeros((200, 200), bool)
    image, _ = one(grey, empty, replace(NOTHING, noise=(0.03, 5)))
    assert abs(image.std() / (0.03 * 255) - 1) < 0.01 and abs(image.mean() - 128) < 0.1
    assert abs(np.corrcoef(image[..., 0].ravel(), image[..., 1].ravel())[0, 1]) < 0.02  # each channel its own
    other, _ = one(grey, empty, replace(NOTHING, noise=(0.03, 6)))
    assert abs(np.corrcoef(image.ravel(), other.ravel())[0, 1]) < 0.02


def test_draws_keep_to_the_settings():
    config = AugmentConfig(by="batch", flip=0.7, rotate90=0.4, affine=0.3, degrees=20, shift=0.2, zoom=0.3)
    draws = [draw(config, seed) for seed in range(4000)]
    affine = [d.affine for d in draws if d.affine]
    shares = {
        0.7: [d.flip for d in draws],
        0.3: [d.affine is not None for d in draws],
        0.4 * 3 / 4: [d.turns > 0 for d in draws],  # a quarter of the turns is by 0 degrees, as in albumentations
    }
    for wanted, found in shares.items():
        assert abs(np.mean(found) - wanted) < 0.03
    for values, limit in (
        ([a.degrees for a in affine], 20),
        ([v for a in affine for v in a.shift], 0.2),
        ([v - 1 for a in affine for v in a.zoom], 0.3),
        ([v for d in draws if d.light for v in (d.light[0] - 1, d.light[1])], 0.2),
    ):
        assert 0.95 * limit < max(values) <= limit and -limit <= min(values) < -0.95 * limit
        assert abs(np.std(values) / (limit / np.sqrt(3)) - 1) < 0.06  # uniform
    assert {d.turns for d in draws} == {0, 1, 2, 3} and {d.blur[0] for d in draws if d.blur} == set(BLUR_SIDES)
    assert draw(replace(config, by="batch", flip=0), 7) == replace(draw(config, 7), flip=False)


def test_a_view_does_not_depend_on_its_batch():
    pixels, masks = batch(8)
    draws = [draw(BATCH, i) for i in range(7)] + [NOTHING]
    together, masks_together = change(pixels, masks, draws)
    for rows in ([0], [5, 2], [7, 6, 4, 3]):
        images, moved = change(pixels[rows], masks[rows], [draws[i] for i in rows])
        assert torch.equal(images, together[rows]) and torch.equal(moved, masks_together[rows])
    assert torch.equal(together[7], pixels[7].float())


def test_the_input_is_left_alone():
    pixels, masks = batch()
    before = pixels.clone(), masks.clone()
    change(pixels, masks, [draw(BATCH, i) for i in range(3)])
    assert torch.equal(pixels, before[0]) and torch.equal(masks, before[1])


def test_mask_moves_with_the_image():
    for seed in range(6):
        base = Square(0, 1)
        item = ExampleDataset(
            [BatchAugmented(base, BATCH, seed)], ModelCard.of(image_size=64, patch_size=16), raw=True
        )[0]
        wanted = replace(draw(BATCH, seed), light=None, blur=None, noise=None)
        images, masks = change(item["image"][None], item["mask"][None], [wanted])
        white, mask = images[0, 0] > 170, masks[0]
        assert mask.any() and (white & mask).sum() / (white | mask).sum() > 0.85


def test_nothing_switched_on_gives_the_network_input_of_the_unchanged_image():
    card = ModelCard.of(image_size=56, patch_size=14)
    image = Image.fromarray(smooth(90))
    item = ExampleDataset([BatchAugmented(Square(3, 1), replace(STILL, by="batch"), 1)], card, raw=True)[0]
    unchanged = ExampleDataset([Square(3, 1)], card)[0]
    assert item["image"].dtype == torch.uint8
    made, mask = change(item["image"][None], item["mask"][None], [draw(replace(STILL, by="batch"), 1)])
    assert torch.equal(network_batch(made, card)[0], unchanged["image"]) and torch.equal(mask[0], unchanged["mask"])
    pixels = torch.from_numpy(np.array(image.resize((56, 56), Image.Resampling.BICUBIC)).transpose(2, 0, 1).copy())
    assert np.array_equal(network_batch(pixels[None].float(), card)[0].numpy(), network_input(image, card))


def test_views_by_batch_join_first_and_change_then():
    examples = squares()
    config = AugmentConfig(by="batch")
    assert view(examples, 0, config, 1.0, 0) == examples
    plain, joined = view(examples, 1, config, 0.0, 0), view(examples, 1, config, 1.0, 0)
    assert all(isinstance(e, BatchAugmented) for e in plain + joined)
    assert [e.base for e in plain] == examples
    for example, made, alone in zip(examples, joined, plain, strict=True):
        assert isinstance(made.base, Mosaic) and all(isinstance(part, Square) for part in made.base.parts)
        assert (made.label, made.group, made.seed) == (example.label, example.group, alone.seed)
        assert made.identity() != alone.identity()
    # The same mosaics of the same examples either way.
    by_image = view(examples, 1, AugmentConfig(), 1.0, 0)
    assert [tuple(p.base for p in m.parts) for m in by_image] == [m.base.parts for m in joined]


def test_identity_follows_all_that_the_change_depends_on(monkeypatch):
    base = BatchAugmented(Square(0, 1), BATCH, 3)
    others = [
        replace(base, base=Square(1, 1)),
        replace(base, config=replace(BATCH, degrees=11.0)),
        replace(base, seed=4),
        Augmented(Square(0, 1), ALWAYS, 3),
    ]
    assert base.identity() == replace(base).identity()
    assert len({e.identity() for e in (base, *others)}) == 5
    before = base.identity()
    monkeypatch.setattr(augment, "_kornia_version", lambda: "1.0")
    assert base.identity() != before


def test_kornia_absent_is_one_clear_line(monkeypatch):
    import importlib.metadata

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    augment._kornia_version.cache_clear()
    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(MissingExtraError, match="kornia"):
        BatchAugmented(Square(0, 1), BATCH, 3).identity()


def test_kornia_is_imported_only_when_something_is_drawn():
    code = "import sys, zsad.training; print([m for m in ('kornia', 'albumentations') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
