"""Random changes of whole batches at the network's size, on the device of the network, by kornia.

What :mod:`zsad.data.augment` draws for one decoded image, drawn here for images that were already resized: the same
kinds of change in the same order, with the same distributions. Each image has a seed of its own, and everything
random about it is a function of that seed alone: neither the size of the batch nor its other images change a pixel.
Sizes in pixels (the blur) are pixels of the network's input here, not of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zsad.card import ModelCard
from zsad.data.augment import AugmentConfig
from zsad.types import FloatArray

LIGHT = 0.2
"""Largest change of contrast and of brightness, as albumentations draws it."""
BLUR_SIDES = (3, 5, 5)
"""Sides of the blur's kernel in pixels: albumentations draws 3, 4 or 5 and makes 4 a 5."""
BLUR_SIGMA = (0.5, 3.0)
NOISE = (0.01, 0.04)
"""Standard deviation of the noise, as a fraction of white."""


@dataclass(frozen=True)
class Affine:
    """A small shift, turn and zoom about the middle of the image.

    Attributes:
        degrees: turn, counter-clockwise as the image is seen.
        zoom: factors along x and y; above 1 makes things larger.
        shift: along x and y, as fractions of the side; positive to the right and down.
    """

    degrees: float
    zoom: tuple[float, float]
    shift: tuple[float, float]

    def matrix(self, side: int) -> FloatArray:
        """Return the map from old to new pixel centres ``(x, y, 1)``, float64 ``(2, 3)``, for an image of ``side``."""
        turn = np.deg2rad(self.degrees)
        turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])  # y points down
        linear = turned * np.array(self.zoom)  # zoomed first
        middle = np.full(2, (side - 1) / 2)
        offset = middle + side * np.array(self.shift) - linear @ middle
        return np.concatenate([linear, offset[:, None]], axis=1)


@dataclass(frozen=True)
class Draw:
    """What is done to one image, in this order; None leaves a step out.

    Attributes:
        flip: mirror left and right.
        turns: quarter turns counter-clockwise.
        affine: small shift, turn and zoom.
        light: factor of every value, then what is added to it as a fraction of white.
        blur: side of the kernel in pixels, and sigma in pixels.
        noise: standard deviation as a fraction of white, and the seed of the values.
    """

    flip: bool
    turns: int
    affine: Affine | None
    light: tuple[float, float] | None
    blur: tuple[int, float] | None
    noise: tuple[float, int] | None


NOTHING = Draw(flip=False, turns=0, affine=None, light=None, blur=None, noise=None)
"""What leaves an image as it is."""


def draw(config: AugmentConfig, seed: int) -> Draw:
    """Draw what is done to one image; the same seed gives the same, for any other image beside it.

    Every number is drawn whether it is used or not, so that another probability of one step leaves the others alone.

    >>> draw(AugmentConfig(), 3) == draw(AugmentConfig(), 3) != draw(AugmentConfig(), 4)
    True
    """
    rng = np.random.default_rng(seed)
    flip, turn, warp, light, blur, noise = (float(chance) for chance in rng.random(6))
    turns, side, noise_seed = int(rng.integers(4)), BLUR_SIDES[int(rng.integers(3))], int(rng.integers(2**32))
    zoom_x, zoom_y, shift_x, shift_y, angle, gain, offset = (float(value) for value in rng.uniform(-1, 1, 7))
    sigma, std = float(rng.uniform(*BLUR_SIGMA)), float(rng.uniform(*NOISE))
    affine = Affine(
        degrees=config.degrees * angle,
        zoom=(1 + config.zoom * zoom_x, 1 + config.zoom * zoom_y),
        shift=(config.shift * shift_x, config.shift * shift_y),
    )
    return Draw(
        flip=flip < config.flip,
        turns=turns if turn < config.rotate90 else 0,
        affine=affine if warp < config.affine else None,
        light=(1 + LIGHT * gain, LIGHT * offset) if light < config.brightness else None,
        blur=(side, sigma) if blur < config.blur else None,
        noise=(std, noise_seed) if noise < config.noise else None,
    )


def change(pixels: Tensor, masks: Tensor, draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
    """Change a batch of images, and its masks by the same geometry.

    Args:
        pixels: uint8 ``(B, 3, S, S)``.
        masks: bool ``(B, S, S)``, on the same device.
        draws: what is done to each of the B images.

    Returns:
        ``(images, masks)``: float32 ``(B, 3, S, S)`` in [0, 255], not rounded; bool ``(B, S, S)``.

    Raises:
        ValueError: not one draw for each image, or images that are not square.
    """
    if len(draws) != len(pixels) or pixels.shape[-1] != pixels.shape[-2]:
        raise ValueError(
            f"{len(draws)} draws do not fit to images {tuple(pixels.shape)}; give (B, 3, S, S) and B draws"
        )
    # The mask is a fourth channel until nothing moves any more.
    joined = torch.cat([pixels, masks.to(torch.uint8)[:, None]], dim=1)  # (B, 4, S, S)
    for row, one in enumerate(draws):
        if one.flip or one.turns:
            joined[row] = (joined[row].flip(-1) if one.flip else joined[row]).rot90(one.turns, (-2, -1))
    moved = _warped(joined.float(), draws)  # (B, 4, S, S)
    images = moved[:, :3].contiguous()
    for row, one in enumerate(draws):
        if one.light:
            images[row].mul_(one.light[0]).add_(255 * one.light[1]).clamp_(0, 255)
    _blur(images, draws)
    for row, one in enumerate(draws):
        if one.noise:
            std, seed = one.noise
            # Drawn on the CPU: a GPU has another generator, and the same seed is to give the same view there.
            values = torch.randn(images[row].shape, generator=torch.Generator().manual_seed(seed))
            images[row].add_(values.to(images.device), alpha=255 * std).clamp_(0, 255)
    return images, moved[:, 3] > 0.5


def network_batch(images: Tensor, card: ModelCard) -> Tensor:
    """Normalise float32 images ``(B, 3, S, S)`` in [0, 255], in place, as ``preprocess.network_input`` does.

    The same operations in the same order: bit-identical to it for images that were not changed.
    """
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=images.device) for values in (card.input.mean, card.input.std)
    )
    return images.div_(255).sub_(mean[:, None, None]).div_(std[:, None, None])


def _warped(joined: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Warp those of the float32 images ``(B, 4, S, S)`` that have an affine map, in place."""
    maps = {row: one.affine.matrix(joined.shape[-1]) for row, one in enumerate(draws) if one.affine}
    if not maps:
        return joined
    from kornia.geometry.transform import warp_affine  # here, since it takes seconds to import

    rows, side = list(maps), joined.shape[-1]
    matrices = torch.from_numpy(np.stack(list(maps.values()))).to(joined.device, torch.float32)  # (K, 2, 3)
    # Torch's reflection repeats the border pixel only without align_corners, as cv2.BORDER_REFLECT and scipy's
    # "reflect" do; kornia before 0.9 is off by up to half a pixel there.
    joined[rows] = warp_affine(joined[rows], matrices, (side, side), padding_mode="reflection", align_corners=False)
    return joined


def _blur(images: Tensor, draws: Sequence[Draw]) -> None:
    """Blur those of the float32 images ``(B, 3, S, S)`` that are to be, in place."""
    blurs = {row: one.blur for row, one in enumerate(draws) if one.blur}
    if not blurs:
        return
    from kornia.filters import gaussian_blur2d

    for side in sorted({side for side, _ in blurs.values()}):
        rows = [row for row, (own, _) in blurs.items() if own == side]
        sigma = torch.tensor([[blurs[row][1]] * 2 for row in rows], device=images.device)  # (K, 2)
        # Torch's "reflect" does not repeat the border pixel: the border that albumentations blurs with.
        images[rows] = gaussian_blur2d(images[rows], side, sigma, border_type="reflect")
