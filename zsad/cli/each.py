"""``zsad eval --shots`` and ``--mutual``: a detector of its own for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsad.cli import options
from zsad.errors import UsageError
from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.data.spec import Loaded
    from zsad.detector.base import Detector
    from zsad.evaluation import Options, Table


@dataclass(frozen=True)
class Plan:
    """What stands on the command line; see ``zsad eval --help``."""

    shots: str | None
    seed: int
    seeds: int
    rotations: str
    foreground: str
    fused: bool
    mutual: bool


def measure(
    plan: Plan, loaded: Sequence[Loaded], model: str | None, how: Options, **loading: Any
) -> tuple[Detector, Table]:
    """Measure each class with a detector of its own, and say which good images it was fitted to.

    Raises:
        UsageError: options that contradict each other.
    """
    from zsad.cli import figures
    from zsad.cli.fit import foreground_of, rotations_of, shots_of
    from zsad.detector.loading import load_base
    from zsad.evaluation.each import evaluate_each
    from zsad.evaluation.view import upright
    from zsad.fitting.shots import by_each_other, by_shots

    if plan.mutual and plan.shots is not None:
        raise UsageError("--mutual uses no good images: leave it or --shots out")
    if plan.mutual and plan.fused:
        raise UsageError("--mutual scores by the other images alone: leave --fused out")
    given = {name: value for name, value in loading.items() if value is not None}
    detector = upright(options.load_to_compare(model, **given) if plan.mutual else load_base(model, **given))
    samples = [sample for one in loaded for sample in one.samples]
    if plan.mutual:
        prepare = by_each_other(detector)
    else:
        prepare = by_shots(
            detector, [one.spec for one in loaded], shots_of(str(plan.shots)), fused=plan.fused,
            rotations=rotations_of(plan.rotations), foreground=foreground_of(plan.foreground),
        )  # fmt: skip
    seeds = range(plan.seed, plan.seed + plan.seeds)
    facts = {"mutual": True} if plan.mutual else {"shots": plan.shots, "fused": plan.fused}
    with figures.progress(len(samples) * plan.seeds) as step:
        table = evaluate_each(detector, samples, prepare, how, seeds=list(seeds), how=facts, progress=step,
                              data=figures.data_facts({one.spec.key: one for one in loaded}))  # fmt: skip
    for line in table.run["notes"]:
        say(line)
    if plan.seeds > 1:
        say(f"figures are means over seeds {seeds[0]} to {seeds[-1]}; intervals, lowest to highest, are in --json")
    return detector, table
