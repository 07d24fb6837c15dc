"""Glaring pasted patches: what a tower without any knowledge can learn from first.

Defects of the procedural world are mostly small and faint; a fresh tower finds no foothold in them. A blob or
stroke of something foreign, pasted over most early scenes, teaches "unlike its surroundings" within minutes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from zsad.synthetic import Scene

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
    image, mask, pasted = scene.image.copy(), scene.mask.copy(), False
    for _ in range(int(rng.integers(1, 3))):
        shape = _stroke(rng, S) if rng.random() < 0.35 else _blob(rng, S)
        left, top, right, bottom = shape.getbbox() or (0, 0, S, S)
        box = (max(0, left - 3), max(0, top - 3), min(S, right + 3), min(S, bottom + 3))
        blur = ImageFilter.GaussianBlur(rng.uniform(0.4, 1.5))
        cover = np.asarray(shape.crop(box).filter(blur), np.float32)[..., None] / 255  # (h, w, 1)
        place = (slice(box[1], box[3]), slice(box[0], box[2]))
        before = image[place].astype(np.float32)
        change = (_filling(rng, before, other) - before) * (cover * rng.uniform(0.6, 1.0))
        inside = cover[..., 0] > 0.5
        if inside.any() and np.abs(change)[inside].mean() > VISIBLE:
            image[place] = (before + change).clip(0, 255)
            mask[place] = np.maximum(mask[place], inside * np.uint8(255))
            pasted = True
    if not pasted:
        return scene
    noun = scene.object if scene.object != "surface" else f"{scene.material} surface"
    return replace(
        scene,
        image=image,
        mask=mask,
        label=1,
        defects=(*scene.defects, "patch"),
        caption=f"a photo of a damaged {noun} with a patch",
    )


def _filling(
    rng: np.random.Generator, image: npt.NDArray[np.float32], other: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Return what shows inside a patch's box, ``(h, w, 3)`` in 0..255.

    Other texture, one colour, or another brightness of what was there.

    Args:
        rng: its only source of chance.
        image: the box before, ``(h, w, 3)``.
        other: another scene, ``(S, S, 3)``.
    """
    kind, (h, w) = rng.random(), image.shape[:2]
    if kind < 0.45:
        y, x = int(rng.integers(0, len(other) - h + 1)), int(rng.integers(0, len(other) - w + 1))
        return other[y : y + h, x : x + w].astype(np.float32)
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
