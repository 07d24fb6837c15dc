"""Who is told how a training run goes."""

from __future__ import annotations

from typing import Protocol

from zsad.training.config import TrainConfig
from zsad.training.loop import StepRecord


class Reporter(Protocol):
    """What a run tells while it works."""

    def note(self, text: str) -> None:
        """Tell something that a user must know."""
        ...

    def features(self, done: int, total: int) -> None:
        """Tell how many images have gone through the backbone."""
        ...

    def step(self, record: StepRecord, config: TrainConfig) -> None:
        """Tell what a step did."""
        ...


class Silent:
    """Tells nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def features(self, done: int, total: int) -> None:
        """Do nothing."""

    def step(self, record: StepRecord, config: TrainConfig) -> None:
        """Do nothing."""
