"""The tables of ``weak_learning.json`` and ``weak_speed.json``."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any


def weak_learning_markdown(data: dict[str, Any]) -> str:
    """Return what weak training learns from drawn videos, and what it made of a few real clips."""
    machine, few = data["machine"], data["few"]["train"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {data['run']['threads']} thread; commit "
        f"{(data['commit'] or 'unknown')[:12]}. AUC in percent, least and largest over seeds.\n"
    ]
    if "presets" in data:
        lines += _presets(data)
    for name, seeds in data.get("novel", {}).items():
        rows = seeds.values()
        lines.append(
            f"- {name} learned two classes; a third, typed as text: its frames among all test videos "
            f"{_spread(rows, 'rank')}, any anomaly in its videos {_spread(rows, 'detected')}, its videos among "
            f"abnormal ones {_spread(rows, 'named')}."
        )
    for name, seeds in data.get("clicks", {}).items():
        rows = seeds.values()
        lines.append(
            f"- {name}, {few[0]} and {few[1]} videos, inside abnormal videos: "
            f"{_spread((row['without'] for row in rows), 'auc_abnormal')} without clicks, "
            f"{_spread((row['with'] for row in rows), 'auc_abnormal')} with one in every event."
        )
    if "real" in data:
        rows = data["real"]["seeds"].values()
        lines.append(
            f"- Real frames, {len(data['real']['clips'])} clips, one left out at a time, features of the bundled model "
            f"({data['real']['preset']}): Ped2's clip 02 {_spread(rows, 'ped2_frame_auc')} over its frames, where the "
            f"distance to its mean has {_spread(rows, 'ped2_own_mean_auc')}; abnormal clips among all "
            f"{_spread(rows, 'clip_auc')}."
        )
    return "\n".join(lines) + "\n"


def _presets(data: dict[str, Any]) -> list[str]:
    """Return the table of presets on drawn videos, and what finds events there without learning."""
    train, test, trivial = (
        data["sizes"]["train"],
        data["sizes"]["test"],
        [row for seeds in data["without_learning"].values() for row in seeds.values()],
    )
    lines = [
        f"Drawn videos, {train[0]} normal and {train[1]} abnormal to learn from by the labels of whole videos, "
        f"{test[0]} and {test[1]} kept aside; AUC over frames. Without learning: {_spread(trivial, 'own_mean')} by the "
        f"distance to the video's mean, {_spread(trivial, 'normal_mean')} by that to the mean of normal videos, "
        f"{_spread(trivial, 'text')} by the texts of the classes alone.\n",
        "| preset | seeds | before | after | in abnormal videos | shuffled labels | s of a core | steps of |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, seeds in data["presets"].items():
        setting, rows = data["settings"][name], seeds.values()
        mixed = data.get("shuffled", {}).get(name, {}).values()
        lines.append(
            f"| {name} | {', '.join(seeds)} | {_spread((row['before'] for row in rows), 'auc')} | "
            f"{_spread((row['after'] for row in rows), 'auc')} | "
            f"{_spread((row['after'] for row in rows), 'auc_abnormal')} | "
            f"{_mean(row['auc'] for row in mixed)} | {max(row['cpu_seconds'] for row in rows):.0f} | "
            f"{setting['batch']} + {setting['batch']} videos, {setting['lr']:g}, {setting['epochs']} epochs |"
        )
    runs = [100 * auc for seeds in data.get("shuffled", {}).values() for row in seeds.values() for auc in row["each"]]
    if runs:
        few = data["mixed"]["train"]
        lines.append(
            f"\nShuffled labels: the mean of all runs, of {few[0]} and {few[1]} videos; single runs lie "
            f"between {min(runs):.0f} and {max(runs):.0f}, since any direction tells events a little."
        )
    return [*lines, ""]


def weak_speed_markdown(data: dict[str, Any]) -> str:
    """Return the times of a training step beside the published way, and of a day of features."""
    machine, step, runs = data["machine"], data["step"], data["day"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {step['threads']} threads; commit "
        f"{(data['commit'] or 'unknown')[:12]}. A training step of VadCLIP, {step['videos']} videos of up to "
        f"{step['snippets']} snippets, {step['width']} wide; both arms with the same weights in turns, medians; "
        f"gradients differ by {step['gradients_apart']:.1g} of the largest.\n",
        "| snippets, mean | as the published code computes | zsad | times as fast |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for case in ("full", "mixed"):
        one = step[case]
        theirs, ours = (median(row["s"] for row in one["rounds"][arm]) for arm in ("reference", "zsad"))
        lines.append(f"| {one['mean_snippets']:.0f} | {theirs:.1f} s | {ours:.1f} s | {one['speedup_s']:.2f} |")
    whole, quarter = runs["day"], runs["quarter"]
    return "\n".join([
        *lines,
        f"\nA day of features, {whole['rows']:,} rows on the disk: {whole['s']:.0f} s, at most {whole['peak_mb']:.0f} "
        f"MB of memory of its own; a quarter of it {quarter['s']:.0f} s, {quarter['peak_mb']:.0f} MB.\n",
    ])  # fmt: skip


def _mean(values: Iterable[float]) -> str:
    found = [100 * value for value in values]
    return f"{sum(found) / len(found):.1f}" if found else "-"


def _spread(rows: Iterable[dict[str, float]], key: str) -> str:
    """Return the least and the largest value in percent, or one where they agree; ``-`` for none."""
    values = [100 * row[key] for row in rows]
    low, high = (f"{end:.1f}" for end in (min(values), max(values))) if values else ("-", "-")
    return low if low == high else f"{low} to {high}"
