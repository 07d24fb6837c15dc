"""What pretraining and prompt training gave, as tables of benchmarks/README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CURVE = ("loss", "caption", "focal", "image", "peak", "word")
"""Terms of the learning curve that are shown."""
BRANCH = ("pixel_auroc", "pixel_aupro", "image_auroc", "material_of_8")
"""Figures of a branch that are shown."""
WORDS = ("defect_of_8", "defect_of_8_region", "material_of_8", "material_of_8_region")
"""Right words of eight: by the class token and by a region's mean."""
METRICS = ("pixel_auroc", "image_auroc")
VIDEO = "ucsd_ped2"
"""A video, which the means of real sets leave out."""
ROWS = 10
"""Rows of a learning curve that are shown."""


def versions_markdown(data: Mapping[str, Any]) -> str:
    """Return one column per version of the bundled model, then the newest one's learning curve."""
    versions: Mapping[str, Any] = data["versions"]
    names = list(versions)
    lines = [
        "A version is chosen by the synthetic figures (left-out families of the last world that it was trained on, so "
        "that columns of different worlds don't compare); the real ones, pixel / image AUROC in percent, are only "
        "shown. Learning curves are in `results/tiny_versions.json`.\n",
        "| | " + " | ".join(names) + " |",
        "| --- |" + " ---: |" * len(names),
    ]
    for label, key in (
        ("worlds trained on", "world"),
        ("steps", "steps"),
        ("images per step", "batch"),
        ("vision blocks", "blocks"),
        ("of them value-value", "vv_blocks"),
    ):
        lines.append(f"| {label} | " + " | ".join(str(versions[n][key]) for n in names) + " |")
    lines.append(f"| synthetic, pixel / AUPRO / image | {' | '.join(_synthetic(versions[n]) for n in names)} |")
    rows = {
        dataset: " | ".join(_pair(versions[n]["real"].get(dataset, {})) for n in names)
        for dataset in versions[names[-1]]["real"]
    }
    lines += [f"| {dataset} | {cells} |" for dataset, cells in rows.items() if dataset != VIDEO]
    means = [_means(versions[n]) for n in names]
    lines.append(f"| mean of these | {' | '.join(_pair(dict(zip(METRICS, mean, strict=True))) for mean in means)} |")
    lines += [f"| {VIDEO}, a video | {rows[VIDEO]} |"] if VIDEO in rows else []
    lines.append(_trend([_steps(versions[n]) for n in names], means))
    curve = versions[names[-1]]["curve"]
    if curve:
        terms = [term for term in CURVE if all(term in point for point in curve)]
        lines += [f"\nLearning curve of {names[-1]} (losses of training batches):\n"]
        lines += ["| step | " + " | ".join(terms) + " |", "| ---: |" + " ---: |" * len(terms)]
        for point in curve[:: max(1, len(curve) // ROWS)]:
            lines.append(f"| {point['step']} | " + " | ".join(f"{point[t]:.3f}" for t in terms) + " |")
    return "\n".join(lines) + "\n"


def _steps(version: Mapping[str, Any]) -> int:
    """Return all optimiser steps behind a version."""
    return sum(int(part) for part in str(version["steps"]).split("+"))


def _means(version: Mapping[str, Any]) -> tuple[float, float]:
    """Return the mean pixel and image AUROC over the real sets that have one, without the video."""
    sets = [row for name, row in version["real"].items() if name != VIDEO]
    pixel, image = ([row[m] for row in sets if row.get(m) is not None] for m in METRICS)
    return float(np.mean(pixel)), float(np.mean(image))


def _trend(steps: Sequence[int], means: Sequence[tuple[float, float]]) -> str:
    """Return what a doubling of the steps brought to the means, by least squares."""
    slopes = [np.polyfit(np.log2(steps), 100 * np.array(column), 1)[0] for column in zip(*means, strict=True)]
    return (
        f"\nOver all versions a doubling of the steps brought {slopes[0]:+.1f} points of the mean pixel AUROC and "
        f"{slopes[1]:+.1f} of the mean image AUROC (least squares; worlds and losses changed, too)."
    )


def words_markdown(data: Mapping[str, Any]) -> str:
    """Return how often the bundled model picks the right word."""
    lines = [
        f"How often the right word of eight is picked from text alone, percent; chance is {100 * data['chance']:g}. "
        f"{data['scenes']} scenes of world {data['world']} in each case, none of them trained on; commit "
        f"{(data['commit'] or 'unknown')[:12]}.\n",
        "| scenes | defect: asked | whole image | its region | material: whole image | its region |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in data["answers"].items():
        cells = " | ".join(f"{100 * row[key]:.0f}" for key in WORDS)
        lines.append(f"| {name} | {row['asked']} | {cells} |")
    return "\n".join(lines) + "\n"


def texts_markdown(data: Mapping[str, Any]) -> str:
    """Return what fitting the texts to the finished vision tower is worth."""
    keys = ("pixel_auroc", "pixel_aupro", "image_auroc", *WORDS)
    lines = [
        f"One pretrained run, its texts fitted to {data['fitted_on']} training scenes in {data['steps']} steps; "
        f"measured on {data['scenes']} scenes of left-out families of world {data['world']} with the word bank, "
        f"percent; words are picked from eight; commit {(data['commit'] or 'unknown')[:12]}.\n",
        "| texts | pixel AUROC | AUPRO | image AUROC | defect: image | region | material: image | region |",
        "| --- |" + " ---: |" * len(keys),
    ]
    for name, row in data["arms"].items():
        lines.append(f"| {name} | " + " | ".join(f"{100 * row[key]:.1f}" for key in keys) + " |")
    return "\n".join(lines) + "\n"


def branches_markdown(data: Mapping[str, Any]) -> str:
    """Return how runs compare that went on from one checkpoint."""
    kinds = {"left_out": "left-out families", "known": "known families"}
    lines = [
        f"{data['question']} Averaged weights, percent, on "
        f"{data['scenes']} scenes of world {data['world']} of each kind, none of them trained on; word: how often a "
        "fitting material word wins against seven others (chance 12.5); commit "
        f"{(data['commit'] or 'unknown')[:12]}.\n",
        "| run | up to step | " + " | ".join(f"{kind}: pixel / AUPRO / image / word" for kind in kinds.values()) + " |",
        "| --- | ---: |" + " ---: |" * len(kinds),
    ]
    for name, row in data["branches"].items():
        cells = [" / ".join(f"{100 * row[kind][key]:.1f}" for key in BRANCH) for kind in kinds]
        lines.append(f"| {name} | {row['step']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def world_markdown(data: Mapping[str, Any]) -> str:
    """Return how long the procedural world takes to draw a scene."""
    lines = [
        f"{data['machine']['processor']}; commit {(data['commit'] or 'unknown')[:12]}. Milliseconds of one core for a "
        f"scene of world {data['world']}, {data['scenes']} of each kind.\n",
        "| scenes | mean | median | 95th percentile | longest | above 10 ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows = {**data["milliseconds"], "a scene and its twin, 288 px": data["couple_milliseconds"]}
    for name, row in rows.items():
        cells = " | ".join(f"{row[key]:.1f}" for key in ("mean", "p50", "p95", "longest"))
        lines.append(f"| {name} | {cells} | {100 * row['share_above_10_ms']:.0f} % |")
    slowest = ", ".join(f"{kind} {ms:g}" for kind, ms in data["slowest_kinds"].items())
    lines.append(f"\nKinds that take longest, on average: {slowest}.")
    return "\n".join(lines) + "\n"


def ablations_markdown(data: Mapping[str, Any]) -> str:
    """Return what each part of pretraining is worth."""
    lines = [
        f"Short runs that differ in one thing, measured on {data['scenes']} synthetic scenes of left-out families "
        f"with the word bank (sigma {data['sigma']:g}, score fused({data['fusion']:g})); percent. Two seeds of the "
        "first arm show what is noise. Words: how often a fitting material word wins against seven others (chance "
        "12.5).\n",
        "| arm | pixel AUROC | image AUROC | words |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, row in data["arms"].items():
        figures = (row["pixel_auroc"], row["image_auroc"], row["material_of_8"])
        lines.append(f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in figures) + " |")
    first = next(iter(data["arms"]))
    lines += [
        f"\nThe arm '{first}' on images of other sizes:\n",
        "| side in px | pixel AUROC | image AUROC |",
        "| ---: | ---: | ---: |",
    ]
    for size, row in data["sizes"].items():
        lines.append(f"| {size} | {100 * row['pixel_auroc']:.1f} | {100 * row['image_auroc']:.1f} |")
    return "\n".join(lines) + "\n"


def learning_markdown(data: Mapping[str, Any]) -> str:
    """Return what prompt training gains over the word bank, or the table of heads and options."""
    lines = [
        "AUROC in percent, mean ± standard deviation over seeds; trained on "
        f"{data['training_scenes']} synthetic scenes for {data['epochs']} epochs, measured on "
        f"{data['measured_scenes']} scenes of left-out families"
        + (" and on small real samples.\n" if len(_sets(data)) > 1 else ".\n"),
        "| prompt | data | pixel | image |",
        "| --- | --- | ---: | ---: |",
    ]
    groups = [
        ("", data["results"]),
        ("control, labels shuffled: ", data.get("shuffled_labels", {})),
        ("chance: ", data.get("chance", {})),
    ]
    for prefix, results in groups:
        for name, measured in results.items():
            lines += _measured(f"{prefix}{name}", measured)
    for name, measured in data.get("trained_on", {}).items():
        lines += _measured(f"trained on {name}", measured)
    return "\n".join(lines) + "\n"


def train_speed_markdown(data: Mapping[str, Any]) -> str:
    """Return time and memory of prompt training against the published way of computing."""
    ours, reference = data["zsad"], data["reference"]
    rows = (
        ("whole training, s", ours["seconds"], reference["seconds"], f"{data['speedup_total']:.0f} times"),
        (
            "a step after the first epoch, s",
            ours["seconds_per_step_after_first_epoch"],
            reference["seconds_per_step_after_first_epoch"],
            f"{data['speedup_per_step']:.0f} times",
        ),
        ("most memory, GB", ours["peak_mb"] / 1000, reference["peak_mb"] / 1000, ""),
    )
    lines = [
        f"{data['model']}, {data['image_size']} px, float32: {data['images']} images, {data['epochs']} epochs of the "
        f"published recipe, batches of {data['batch_size']}; nothing is extrapolated. Reference: written from the "
        "description of the published code. Losses of the two differ by at most "
        f"{100 * data['largest_relative_loss_difference']:.1f} %.\n",
        "| | zsad | reference | |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {name} | {a:.2f} | {b:.2f} | {ratio} |" for name, a, b, ratio in rows),
    ]
    return "\n".join(lines) + "\n"


def views_markdown(data: Mapping[str, Any]) -> str:
    """Return how fast augmented views are drawn, by image and by batch, and what is learned from them."""
    lines = [
        f"The feature pass at {data['image_size']} px with a tower that does nothing, {data['views']} views of each of "
        f"{data['images']} images, the unchanged one included; {data['machine']['cores']} cores, other work beside it; "
        "medians of rounds in turns. Processor time includes the workers'.\n",
        "| images | by image, views / s | by batch, views / s | times | times, processor time |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, row in data["speed"].items():
        ratios = f"{row['batch_over_image']:.2f} | {row['batch_over_image_cpu']:.2f}"
        lines.append(f"| {name} | {row['image_per_second']:.1f} | {row['batch_per_second']:.1f} | {ratios} |")
    if "quality" in data:
        lines += [
            f"\nThe language-free head on the bundled backbone: {data['scenes']} scenes, {data['epochs']} epochs; "
            f"{data['judged']} scenes of left-out families; mean and standard deviation over seeds.\n",
            "| training | P-AUROC | I-AUROC |",
            "| --- | ---: | ---: |",
        ]
        for name, metrics in data["quality"].items():
            lines.append(f"| {name} | {_spread(metrics['pixel_auroc'])} | {_spread(metrics['image_auroc'])} |")
    return "\n".join(lines) + "\n"


def _sets(data: Mapping[str, Any]) -> list[str]:
    return list(next(iter(data["results"].values())))


def _measured(name: str, measured: Mapping[str, Any]) -> list[str]:
    rows = []
    for dataset, metrics in measured.items():
        cells = " | ".join(_spread(metrics.get(m)) for m in ("pixel_auroc", "image_auroc"))
        rows.append(f"| {name} | {dataset} | {cells} |")
    return rows


def _spread(value: Mapping[str, Any] | None) -> str:
    if value is None or value["mean"] is None:
        return "-"
    single = len(value["seeds"]) < 2
    return f"{100 * value['mean']:.1f}" + ("" if single else f" ± {100 * value['std']:.1f}")


def _synthetic(version: Mapping[str, Any]) -> str:
    values = (version.get(f"synthetic_{name}") for name in ("pixel_auroc", "pixel_aupro", "image_auroc"))
    return " / ".join("-" if value is None else f"{100 * float(value):.1f}" for value in values)


def _pair(figures: Mapping[str, Any]) -> str:
    values = (figures.get("pixel_auroc"), figures.get("image_auroc"))
    return " / ".join("-" if value is None else f"{100 * value:.1f}" for value in values)
