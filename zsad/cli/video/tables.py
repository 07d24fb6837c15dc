"""What ``zsad video data`` and ``zsad video eval`` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zsad.outside import printable
from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.metrics.bootstrap import Interval
    from zsad.metrics.metric import Metric
    from zsad.video.evaluation import Evaluation
    from zsad.video.labels import Labels

HEADS = {
    "auc": "AUC", "auc_abnormal": "AUC abnormal", "auc_macro": "AUC macro", "ap": "AP",
    "pr_auc_trapezoid": "PR-AUC trapezoid",
}  # fmt: skip
NAMES = {"video_oracle": "video oracle", "centre_prior": "centre prior", "product": "oracle x centre"}
_BASELINE = "looks at no video"


def rules(given: Sequence[str] | None) -> set[str]:
    """Check names of rules.

    Raises:
        UsageError: one is unknown.
    """
    from zsad.errors import UsageError
    from zsad.near import near
    from zsad.outside import shown
    from zsad.video.labels import LABEL_RULES

    found = {rule.lower().replace("_", "-") for rule in given or ()}
    for rule in sorted(found - set(LABEL_RULES)):
        raise UsageError(f"no rule is called {shown(rule)}{near(rule, LABEL_RULES)}; known: {', '.join(LABEL_RULES)}")
    return found


def show_facts(labels: Labels, found: Mapping[str, Any]) -> None:
    """Print a test set's counts and baselines."""
    from zsad.cli.terminal import Terminal, heading, table

    console = Terminal()
    console.print(heading(labels.title, _counts(labels)), soft_wrap=True)
    shown = table("content-free baseline", *HEADS.values())
    for name, metrics in found["baselines"].items():
        shown.add_row(NAMES[name], *(_percent(metrics[key]) for key in HEADS))
    console.print(shown)
    if labels.raw is not None:
        console.print(f"before the field's cut: {labels.raw[0]:,} frames, {labels.raw[1]:,} anomalous")
    for line in (*labels.notes, *(f"-: {reason}" for reason in found["undefined"])):
        console.print(f"note: {printable(line)}", style="dim", soft_wrap=True)
    _other_versions(console.print, labels)


def show_evaluation(result: Evaluation, resamples: int) -> None:
    """Print a method's figures above those of the baselines."""
    from zsad.cli.terminal import Terminal, heading, table

    console, said = Terminal(), result.series
    console.print(heading(result.labels.title, _counts(result.labels)), soft_wrap=True)
    shown = table("in %", *HEADS.values())
    shown.add_row(printable(", ".join(said["methods"])), *(_metric(result.metrics[key]) for key in HEADS), style="bold")
    if result.intervals:
        shown.add_row("  95 % interval", *(_interval(result.intervals.get(key)) for key in HEADS))
    shown.add_section()
    for name, metrics in result.baselines.items():
        shown.add_row(NAMES[name], *(_metric(metrics[key]) for key in HEADS), style="dim")
    console.print(shown)
    console.print(f"baselines know labels or lengths only: they are what a method reaches that {_BASELINE}",
                  style="dim", soft_wrap=True)  # fmt: skip
    for line in _lines(result, resamples):
        console.print(printable(line), soft_wrap=True)
    for line in result.notes:
        console.print(f"note: {printable(line)}", style="dim", soft_wrap=True)
    _other_versions(console.print, result.labels)


def say_left_out(result: Evaluation) -> None:
    """Name on standard error the videos without scores."""
    if result.left_out:
        say(f"not measured: {len(result.left_out):,} videos without scores, first {result.left_out[0]}; the figures "
            "are of the others, and not comparable")  # fmt: skip


def _lines(result: Evaluation, resamples: int) -> list[str]:
    from zsad.video.evaluation.by_class import average

    said, classes = result.series, result.classes
    lines = [f"model: {', '.join(said['models'])}"] if said["models"] else []
    refined = "; ".join(said["refiners"])
    best = max(result.baselines, key=lambda name: _value(result.baselines[name]["auc"]))
    if _value(result.metrics["auc"]) <= _value(result.baselines[best]["auc"]):
        lines.append(f"the AUC is no higher than that of {NAMES[best]}, which {_BASELINE}")
    lines.append(f"refiners: {refined or ('none' if said['methods'] != ['unnamed (.npy)'] else 'unknown')}")
    if resamples:
        lines.append(f"intervals: {resamples:,} resamples of whole videos")
    if classes.top1.reason:
        lines.append(f"classes: {classes.top1.reason}")
    else:
        at = ", ".join(f"{iou:g}: {_metric(one)}" for iou, one in classes.map.items())
        field = ", ".join(f"{iou:g}: {_metric(one)}" for iou, one in classes.map_vadclip.items())
        lines += [
            f"mAP at IoU {at}, average {_metric(average(classes.map))}",
            f"  as VadCLIP counts {field}, average {_metric(average(classes.map_vadclip))}",
            f"class of abnormal videos, top 1: {_metric(classes.top1)}",
        ]
    if result.pixels:
        from zsad.cli.figures import HEADS as PIXEL_HEADS

        each = ", ".join(f"{PIXEL_HEADS[name]} {_metric(one)}" for name, one in result.pixels.items())
        lines.append(f"pixel level: {each}")
    alarms = result.alarms
    if alarms is not None:
        delay = f"median delay {alarms.median_delay:.2f} s, " if alarms.delays else ""
        lines.append(
            f"at threshold {alarms.threshold:g}: {alarms.found:,} of {alarms.events:,} events found, {delay}"
            f"{alarms.false_alarms:,} false alarms in {alarms.normal_hours:.3g} h of normal frames, "
            f"{alarms.false_alarms_per_hour:.3g} an hour"
        )
    undefined = {one.reason for one in result.metrics.values() if one.reason}
    return lines + [f"-: {reason}" for reason in sorted(undefined)]


def _counts(labels: Labels) -> str:
    frames = f"{labels.frames:,} frames" if labels.frames is not None else "frames as many as the scores have"
    positives = f", {labels.positives:,} anomalous" if labels.positives is not None else ""
    return f"{len(labels.videos):,} videos, {labels.abnormal:,} abnormal, {frames}{positives}"


def _other_versions(show: Any, labels: Labels) -> None:
    from zsad.video.labels import VIDEO_DATASETS

    row = VIDEO_DATASETS.get(labels.dataset)
    others = [one for one in row.versions if one != labels.version] if row and labels.version else []
    if others:
        names = ", ".join(f"{labels.dataset}@{one}" for one in others)
        show(f"labels: {labels.version}; figures on {names} are not comparable with these", soft_wrap=True)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _value(metric: Metric) -> float:
    return -1.0 if metric.reason else metric.value


def _metric(metric: Metric) -> str:
    return _percent(None if metric.reason else metric.value)


def _interval(pair: Interval | None) -> str:
    return f"{100 * pair[0]:.1f}-{100 * pair[1]:.1f}" if pair else "-"
