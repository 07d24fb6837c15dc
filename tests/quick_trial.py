"""A trial of ``zsad.fit`` on few images with one drawn defect each: enough to see what a trial does."""

from __future__ import annotations

import pytest

from zsad.fitting import settle, trial


def quick_trial(patch: pytest.MonkeyPatch) -> None:
    """Shorten every trial until ``patch`` is undone; a network is run a third as often."""
    patch.setattr(trial, "DEFECTS", 1)
    patch.setattr(settle, "IMAGES", 2)
