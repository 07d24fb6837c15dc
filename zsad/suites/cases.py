"""Worst and best images of a class, as small pictures for the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from zsad.detector.base import Detector
from zsad.errors import ZsadError
from zsad.evaluation import ClassTable, ImageRecord
from zsad.evaluation.view import look, opened, upright
from zsad.pictures.heat import heatmap
from zsad.types import ByteArray, Sample

SIDE = 144
"""Largest side of a picture in pixels."""


def choose(records: Sequence[ImageRecord]) -> list[tuple[str, ImageRecord]]:
    """Choose the images that say most about a class.

    Anomalous images are ranked by how well the map finds the mask, or by score where there is none; normal ones by
    score.

    Returns:
        ``(why, image)``, each image once.
    """
    anomalous = sorted(
        (r for r in records if r.label == 1), key=lambda r: r.score if r.pixel_auroc is None else r.pixel_auroc
    )
    normal = sorted((r for r in records if r.label == 0), key=lambda r: r.score)
    wanted = [("worst anomalous", r) for r in anomalous[:2]]
    wanted += [("best anomalous", r) for r in anomalous[2:][-1:]]
    wanted += [("highest normal", r) for r in normal[-1:]]
    return wanted


def pictures(detector: Detector, samples: Sequence[Sample], table: ClassTable) -> list[dict[str, Any]]:
    """Draw the chosen images: image with the mask's outline, and map.

    Returns:
        ``{"why", "key", "score", "pixel_auroc", "image", "map"}``, pictures as base64 JPEG.
    """
    by_key = {sample.key or str(sample.image): sample for sample in samples}
    found = []
    detector = upright(detector)
    for why, record in choose(table.images):
        try:
            image, values = _draw(detector, by_key[record.key])
        except ZsadError:  # it was readable a moment ago; the figures don't depend on its picture
            continue
        found.append({"why": why, "key": record.key, "score": record.score, "pixel_auroc": record.pixel_auroc,
                      "image": image, "map": values})  # fmt: skip
    return found


def _draw(detector: Detector, sample: Sample) -> tuple[str, str]:
    both = opened(detector, sample, "original")
    seen, image = look(detector, both, "original"), both.image.image.convert("RGB")
    scale = min(1.0, SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.BILINEAR)
    if seen.mask is not None and seen.mask.any():
        small = _outlined(small, seen.mask)
    return _jpeg(small), _jpeg(heatmap(seen.map).resize(size, Image.Resampling.BILINEAR))


def _outlined(image: Image.Image, mask: ByteArray) -> Image.Image:
    # BOX, so that a defect of a few pixels still shows.
    inside = (
        Image.fromarray(mask * np.uint8(255)).resize(image.size, Image.Resampling.BOX).point(lambda v: 255 * (v > 0))
    )
    edge = np.asarray(inside.filter(ImageFilter.MaxFilter(3))) > np.asarray(inside)
    pixels = np.asarray(image).copy()
    pixels[edge] = (0, 255, 140)
    return Image.fromarray(pixels)


def _jpeg(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=82)
    return base64.b64encode(buffer.getvalue()).decode()
