"""Scenes for train_learning.py: drawn and listed in a table, and the same with labels and masks dealt out at random."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from zsad.synthetic import scene_at


def write_scenes(folder: Path, count: int, size: int, split: str, seed: int = 0) -> Path:
    """Draw scenes, half of them anomalous, and list them in a table; return the table's path."""
    folder.mkdir(parents=True)
    rows = []
    for i in range(count):
        scene = scene_at(i, size=size, seed=seed, split=split, anomalous=bool(i % 2))
        Image.fromarray(scene.image).save(folder / f"{i:04}.png")
        Image.fromarray(scene.mask * 255).save(folder / f"{i:04}_mask.png")
        rows.append((f"{i:04}.png", int(scene.mask.any()), f"{i:04}_mask.png" if scene.mask.any() else ""))
    return write_table(folder / "scenes.csv", rows)


def write_table(path: Path, rows: Sequence[tuple[str, int, str]]) -> Path:
    """Write image, label and mask of each row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "label", "mask"))
        writer.writerows(rows)
    return path


def shuffled(table: Path, seed: int) -> Path:
    """Deal out labels and masks at random among the images of a table.

    Masks are rolled around both axes, too: defects lie where objects are, so that dealing them out alone would
    leave something to learn.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = [(row["image"], int(row["label"]), row["mask"]) for row in csv.DictReader(file)]
    rng = np.random.default_rng(seed)
    dealt = []
    for (image, *_), j in zip(rows, rng.permutation(len(rows)), strict=True):
        _, label, mask = rows[j]
        if mask:
            with Image.open(table.with_name(mask)) as opened:
                pixels = np.asarray(opened)
            mask = f"shuffled-{seed}-{mask}"
            Image.fromarray(np.roll(pixels, rng.integers(0, pixels.shape), (0, 1))).save(table.with_name(mask))
        dealt.append((image, label, mask))
    return write_table(table.with_name(f"shuffled-{seed}.csv"), dealt)
