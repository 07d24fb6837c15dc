"""Regions in the form of the package ``supervision``, which need not be there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsad.errors import UsageError

if TYPE_CHECKING:
    from zsad.regions import Region
    from zsad.types import Result


def detections(result: Result, masks: bool = True) -> Any:
    """Return the regions of a result as ``supervision.Detections``, highest score first.

    Args:
        result: what was found.
        masks: whether each region has its mask, bool ``(H, W)``: a byte for each pixel and region.

    Returns:
        Detections with ``xyxy`` float32 (n, 4), ``confidence`` float32 (n,), ``class_id`` int (n,) of zeros,
        ``data["class_name"]`` of ``"anomaly"`` and ``data["area"]`` in pixels; empty where there is no region.

    Raises:
        UsageError: ``supervision`` is not installed.
    """
    try:
        from supervision import Detections
    except ImportError:
        raise UsageError("to_supervision needs the package supervision: pip install supervision") from None
    regions = tuple(result.regions)
    if not regions:
        return Detections.empty()
    return Detections(
        xyxy=np.array([region.box for region in regions], np.float32),
        mask=_masks(result, regions) if masks else None,
        confidence=np.array([region.score for region in regions], np.float32),
        class_id=np.zeros(len(regions), int),
        data={"class_name": np.full(len(regions), "anomaly"), "area": np.array([region.area for region in regions])},
    )


def _masks(result: Result, regions: Sequence[Region]) -> npt.NDArray[np.bool_]:
    """Return bool (n, H, W): the pixels of each region, in their order."""
    from scipy.ndimage import find_objects, label

    labels, _ = label(result.mask, structure=np.ones((3, 3), np.int8))
    # No two 8-connected regions have one box: both would reach all its sides, and cross on the way.
    by_box = {(xs.start, ys.start, xs.stop, ys.stop): one for one, (ys, xs) in enumerate(find_objects(labels), 1)}
    found = np.zeros((len(regions), *result.mask.shape), np.bool_)
    for mask, region in zip(found, regions, strict=True):
        x0, y0, x1, y1 = region.box
        mask[y0:y1, x0:x1] = labels[y0:y1, x0:x1] == by_box[region.box]
    return found
