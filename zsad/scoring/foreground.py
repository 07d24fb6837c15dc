"""Part and background by one direction of the features: the first principal component of good images' patches.

Source: AnomalyDINO (Damm et al., WACV 2025), section 3.2, for the first component as a mask. The threshold is Otsu's,
and which side is the part is told by the border of the image, where background prevails.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zsad.types import FloatArray

_AREA = (0.05, 0.8)
"""Share of the image that a part may fill for the mask to be believed."""
_BORDER = 0.35
"""Share of the border that a part may fill."""


@dataclass(frozen=True)
class Foreground:
    """What tells the part from its background.

    Attributes:
        direction: float32 ``(D,)``, of unit vectors of the last feature layer.
        threshold: a patch whose product with it is larger belongs to the part.
    """

    direction: FloatArray = field(repr=False)
    threshold: float

    def mask(self, units: FloatArray) -> FloatArray:
        """Return 1 on the part, grown by one patch, and 0 off it.

        Args:
            units: unit vectors ``(N, D)`` of the last feature layer, N = G².

        Returns:
            float32 ``(N,)``.
        """
        G = round(len(units) ** 0.5)
        inside = (units @ self.direction > np.float32(self.threshold)).astype(np.float32).reshape(G, G)
        around = np.lib.stride_tricks.sliding_window_view(np.pad(inside, 1), (3, 3))  # (G, G, 3, 3)
        return np.asarray(around.max(axis=(2, 3)).reshape(-1))

    def share(self, units: FloatArray) -> float:
        """Return the share of patches ``(N, D)`` that belong to the part, in [0, 1]."""
        return float(self.mask(units).mean())


def find_foreground(units: FloatArray) -> Foreground | None:
    """Find what tells the part from its background on good images.

    Args:
        units: unit vectors ``(n, N, D)`` of the last feature layer of n good images.

    Returns:
        None if no part stands out: if it would fill too little or too much of an image, or much of its border.
    """
    from skimage.filters import threshold_otsu  # not where a finished mask is used

    n, N, D = units.shape
    flat = units.reshape(-1, D).astype(np.float64)
    middle = flat.mean(axis=0)
    # The largest eigenvector of the covariance (D, D).
    direction = np.linalg.eigh((flat - middle).T @ (flat - middle))[1][:, -1]
    values = (flat @ direction).reshape(n, N)
    if np.ptp(values) < 1e-6:
        return None
    threshold = float(threshold_otsu(values))
    if _on_border(values > threshold).mean() > 0.5:
        direction, values, threshold = -direction, -values, -threshold
    found = Foreground(direction.astype(np.float32), threshold)
    areas = np.array([found.share(one) for one in units])
    believed = areas.min() >= _AREA[0] and areas.max() <= _AREA[1] and _on_border(values > threshold).mean() <= _BORDER
    return found if believed else None


def _on_border(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the outermost patches of grids ``(n, N)``."""
    G = round(inside.shape[1] ** 0.5)
    grids = inside.reshape(-1, G, G)
    return np.concatenate(
        [grids[:, 0].ravel(), grids[:, -1].ravel(), grids[:, 1:-1, 0].ravel(), grids[:, 1:-1, -1].ravel()]
    )
