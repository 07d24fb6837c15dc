"""Scores of videos against labels: what a method reaches, beside what is reached without looking at a video.

``evaluate(labels, read_scores(folder, labels), ...)`` gives an :class:`Evaluation`; :func:`facts` describes a test set.
"""

from zsad.video.evaluation.evaluate import Evaluation, evaluate
from zsad.video.evaluation.facts import facts
from zsad.video.evaluation.pixels import pixel_level
from zsad.video.evaluation.score_files import VideoScores, read_scores

__all__ = ["Evaluation", "VideoScores", "evaluate", "facts", "pixel_level", "read_scores"]
