"""Features -> map and score; a new way of scoring touches no detector, no export and no command.

``scorer`` says what a scorer is; ``direction_scorer`` compares features with text or learned vectors, ``memory`` with
patches of good images (``coreset``: few that cover many; ``foreground``: which of them are the part), ``fused`` with
both. ``direction_head`` and ``memory_head`` are their torch twins, which go into the ONNX graph.
"""

from zsad.scoring.direction_scorer import DirectionScorer
from zsad.scoring.fused import FusedScorer
from zsad.scoring.fusion import Fusion
from zsad.scoring.memory import Memory
from zsad.scoring.memory_scorer import MemoryScorer
from zsad.scoring.scorer import Scorer

__all__ = ["DirectionScorer", "FusedScorer", "Fusion", "Memory", "MemoryScorer", "Scorer"]
