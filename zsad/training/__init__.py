"""Training of prompts: frozen features once, then steps that touch only two vectors, the text tower and small grids.

``sources`` (``--data`` -> examples) feeds ``supply`` (features, from the cache of ``features``), which feeds
``loop`` (``heads`` -> ``objective`` -> step); ``run`` ties them together and writes the prompt file.
"""

from zsad.training.config import RECIPES, TrainConfig, make_config
from zsad.training.experiment import Trained, train
from zsad.training.loop import StepRecord
from zsad.training.reporter import Reporter

__all__ = ["RECIPES", "Reporter", "StepRecord", "TrainConfig", "Trained", "make_config", "train"]
