"""Features against a memory, with numpy alone; ``memory_head`` is its torch twin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zsad.card import CardScoring, ModelCard
from zsad.errors import ModelError
from zsad.scoring.memory import SIGMA, Memory, distances, highest, spread
from zsad.scoring.smoothing import smoothing_matrix
from zsad.types import Features, FloatArray

if TYPE_CHECKING:
    from zsad.scoring.memory_head import MemoryHead


class MemoryScorer:
    """Scores features by their distance to a memory; every image by itself.

    The distance of a patch is ``(1 - c) / 2`` with c its highest cosine with the memory, the mean over feature layers.
    The map is that of a grid smoothed to S x S, d, drawn over [0, 1] by the monotone ``d / (d + scale)``; the image's
    score is the mean of the map's highest 1 %.

    Args:
        memory: of the model whose features are scored.
        card: of that model.

    Raises:
        ModelError: a memory of another width or number of layers than the card's.
    """

    def __init__(self, memory: Memory, card: ModelCard) -> None:
        if not memory.fits(card):
            shape = f"{len(memory.layers)} layers of width {memory.layers[0].shape[1]}"
            raise ModelError(
                f"a memory of {shape} doesn't fit {card.label}, which has {len(card.reading.layers)} of "
                f"{card.reading.embed_dim}; fit it again with this model"
            )
        self.memory = memory
        scoring = CardScoring(head="memory", prompt=memory.name, sigma=SIGMA, score_rule="map_top1")
        self.model = replace(card, scoring=scoring)
        self.smoothing = smoothing_matrix(card.input.image_size, card.grid, SIGMA).astype(np.float32)  # (S, G)

    def without(self, image: int) -> MemoryScorer:
        """Return the scorer of a memory that has not seen one of its images; see :meth:`Memory.without`."""
        return MemoryScorer(self.memory.without(image), self.model)

    def card(self) -> CardScoring:
        """Return the scoring group of the card."""
        return self.model.scoring

    def score(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Score each image by itself.

        Args:
            features: of B images, of the model that the card describes.

        Returns:
            ``(maps, scores)``: float32 ``(B, S, S)`` and ``(B,)``, in [0, 1].
        """
        maps = np.stack([self.map_of(distances(patches, self.memory)) for patches in features.patches])
        return maps, highest(maps)

    def map_of(self, distance: FloatArray) -> FloatArray:
        """Return the map ``(S, S)`` in [0, 1] of patch distances ``(N,)`` in [0, 1]."""
        return spread(self.smoothed(distance), self.memory.scale)

    def smoothed(self, distance: FloatArray) -> FloatArray:
        """Return patch distances ``(N,)`` as a smooth map ``(S, S)``, before it is drawn over [0, 1]."""
        G = self.model.grid
        return np.clip(self.smoothing @ distance.reshape(G, G) @ self.smoothing.T, 0.0, 1.0)

    def module(self) -> MemoryHead:
        """Return the torch twin, which goes into the ONNX graph."""
        from zsad.scoring.memory_head import MemoryHead

        return MemoryHead(self.memory, self.model)
