"""The step of training against torch's own schedules."""

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, MultiStepLR, SequentialLR

from zsad.video.learned.config import Recipe
from zsad.video.weak.data import Sample, epoch_steps, pairs
from zsad.video.weak.presets import PRESETS
from zsad.video.weak.schedule import rate


def by_torch(lr, steps, schedule):
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    schedule = schedule(optimiser)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return found


def test_a_line_up_and_half_a_cosine_down():
    recipe = Recipe(lr=1e-5, epochs=30, warmup=40, final=0.1)
    expected = by_torch(1e-5, 30 * 20, lambda optimiser: SequentialLR(
        optimiser, [LinearLR(optimiser, 0.01, total_iters=40), CosineAnnealingLR(optimiser, 560, 1e-6)], [40]
    ))  # fmt: skip
    assert [rate(recipe, step, 20) for step in range(600)] == pytest.approx(expected)


def test_tenths_after_milestones():
    recipe = PRESETS["vadclip-ucf"].recipe
    expected = by_torch(2e-5, 10, lambda optimiser: MultiStepLR(optimiser, [4, 8]))
    assert [rate(recipe, 7 * epoch + 3, 7) for epoch in range(10)] == pytest.approx(expected)


def test_a_short_run_leaves_the_line_up():
    recipe = PRESETS["vador"].recipe
    rates = [rate(recipe, step, 2) for step in range(60)]
    assert rates[0] == pytest.approx(1e-7) and rates.index(max(rates)) == 6 and max(rates) == pytest.approx(1e-5)
    assert rates[-1] == pytest.approx(1e-6, rel=0.01)


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_steps_of_an_epoch(tmp_path, size):
    classes = [(0,), (1,), (), (), (), (1,), (1,), (0,)]
    samples = [Sample(tmp_path, str(number), each) for number, each in enumerate(classes)]
    assert epoch_steps(samples, size) == len(list(pairs(samples, size, (0, 0))))
    assert epoch_steps(samples[:2], size) == 0
