"""Videos: frames in, one score per position out, and what follows from it: events, a page, an evaluation.

Every method, whether it looks at maps, motion or learned features, or asks a language model, is a ``VideoScorer`` that
gives a ``ScoreSeries``; whatever comes after reads nothing else. Spans of frames are half-open, ``[start, end)``.
"""

from zsad.video.series import FORMAT, ScoreSeries, read_series, write_series

__all__ = ["FORMAT", "ScoreSeries", "read_series", "write_series"]
