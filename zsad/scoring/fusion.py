"""The rule by which two maps become one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zsad.scoring.memory import spread
from zsad.types import FloatArray


@dataclass(frozen=True)
class Fusion:
    """How two maps become one: ``weight`` of the memory's, the rest of the network's own at ``scale``.

    Attributes:
        weight: of the memory's map, in [0, 1].
        scale: value of the network's own map that becomes 1/2, so that both maps speak of the same good images.
        centre: value of the network's own map, below scale, that becomes 0: its middle on good images.
    """

    weight: float
    scale: float
    centre: float = 0.0

    def drawn(self, own: FloatArray) -> FloatArray:
        """Return the network's own map in [0, 1], where good images reach about 1/2, as those of a memory do."""
        return spread(np.maximum(own - np.float32(self.centre), 0.0), self.scale - self.centre)

    def map(self, memory: FloatArray, own: FloatArray) -> FloatArray:
        """Return the combined map; both float32 ``(..., S, S)`` in [0, 1]."""
        w = np.float32(self.weight)
        return w * memory + (1 - w) * self.drawn(own)
