"""Glaring pasted patches: what a tower without any knowledge can learn from first.

Defects of the procedural world are mostly small and faint; a fresh tower finds no foothold in them. A blob or
stroke of something foreign, pasted over most early scenes, teaches "unlike its surroundings" within minutes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from zsad.data.synthetic import Scene

VISIBLE = 22.0
"""Smallest mean change of a patch's pixels, in grey levels, for it to count."""


def paste(rng: np.random.Generator, scene: Scene, other: npt.NDArray[np.uint8]) -> Scene:
    """Paste one or two foreign patches into a scene.

    Args:
        rng: its only source of chance.
        scene: image uint8 ``(S, S, 3)``, mask uint8 ``(S, S)`` in 0..255.
        other: another scene's image ``(S, S, 3)``, for foreign texture.

    Returns:
        The scene with the patches in image, mask, label, defects and caption; unchanged if none is visible.
    """
    S = len(scene.mask)
    image, mask = scene.image.astype(np.float32), scene.mask
    for _ in range(int(rng.integers(1, 3))):
        shape = _stroke(rng, S) if rng.random() < 0.35 else _blob(rng, S)
        cover = np.asarray(shape.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.5))), np.float32)[..., None] / 255
        alpha = cover * rng.uniform(0.6, 1.0)
        changed = image * (1 - alpha) + _filling(rng, image, other) * alpha
        inside = cover[..., 0] > 0.5
        if inside.any() and np.abs(changed - image)[inside].mean() > VISIBLE:
            image, mask = np.asarray(changed, np.float32), np.maximum(mask, inside * np.uint8(255))
    if mask is scene.mask:
        return scene
    noun = scene.object if scene.object != "surface" else f"{scene.material} surface"
    return replace(
        scene,
        image=image.clip(0, 255).astype(np.uint8),
        mask=mask,
        label=1,
        defects=(*scene.defects, "patch"),
        caption=f"a photo of a damaged {noun} with a patch",
    )


def _filling(
    rng: np.random.Generator, image: npt.NDArray[np.float32], other: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Return what shows inside a patch, ``(S, S, 3)`` in 0..255: other texture, one colour, or another brightness."""
    kind = rng.random()
    if kind < 0.45:
        shift = tuple(int(v) for v in rng.integers(0, len(image), 2))
        return np.roll(other, shift, (0, 1)).astype(np.float32)
    if kind < 0.8:
        return np.broadcast_to(rng.uniform(0, 255, 3).astype(np.float32), image.shape)
    return (image * np.float32(rng.choice([0.25, 0.5, 1.7])) + np.float32(rng.uniform(-30, 30))).clip(0, 255)


def _stroke(rng: np.random.Generator, S: int) -> Image.Image:
    x, y = rng.uniform(0.1, 0.9, 2) * S
    angle, points = rng.uniform(0, 2 * np.pi), [(x, y)]
    for _ in range(int(rng.integers(3, 8))):
        angle, length = angle + rng.normal(0, 0.5), rng.uniform(0.03, 0.1) * S
        points.append((points[-1][0] + length * np.cos(angle), points[-1][1] + length * np.sin(angle)))
    shape = Image.new("L", (S, S), 0)
    ImageDraw.Draw(shape).line(points, fill=255, width=int(max(2, rng.uniform(0.008, 0.03) * S)), joint="curve")
    return shape


def _blob(rng: np.random.Generator, S: int) -> Image.Image:
    count, turn, flat = int(rng.integers(5, 12)), rng.uniform(0, np.pi), rng.uniform(0.4, 1)
    radius = S * np.exp(rng.uniform(np.log(0.04), np.log(0.2))) * rng.uniform(0.6, 1.2, count)
    angle = np.sort(rng.uniform(0, 2 * np.pi, count))
    across, along = radius * np.cos(angle), flat * radius * np.sin(angle)
    centre = rng.uniform(0.1, 0.9, 2) * S
    x = centre[0] + across * np.cos(turn) - along * np.sin(turn)
    y = centre[1] + across * np.sin(turn) + along * np.cos(turn)
    shape = Image.new("L", (S, S), 0)
    ImageDraw.Draw(shape).polygon(list(zip(x.tolist(), y.tolist(), strict=True)), fill=255)
    return shape
