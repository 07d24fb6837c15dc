"""Features -> map and score; a new way of scoring touches no detector, no export and no command.

``scorer`` says what a scorer is; ``direction_scorer`` compares features with text or learned vectors, and
``direction_head`` is its torch twin, which goes into the ONNX graph.
"""

from zsad.scoring.direction_scorer import DirectionScorer
from zsad.scoring.scorer import Scorer

__all__ = ["DirectionScorer", "Scorer"]
