"""Measure whether the bundled model answers to words: the right one of eight, from text alone.

    python factory/benchmarks/tiny_words.py [--model zsad/assets/tiny] [--scenes 1500] [--json FILE]

Scenes that no run has seen: new ones of the families that were trained on, and those of left-out families. Chance is
one in eight. A scene whose defects are of several kinds has no right word and is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from factory.pool import ScenePool
from factory.texts import Words
from factory.validate import CHOICES, Collected, collect, load_encoder, word_figures
from zsad.suites import record
from zsad.synthetic import GENERATOR_VERSION

ROOT = Path(__file__).resolve().parents[2]
CASES = {"known families, new scenes": ("train", 200_000), "left-out families": ("valid", 0)}
"""Split and first scene; every run's pool of known families ends before it."""
LARGE = 0.005
"""Share of the image from which a defect counts as large."""


def part(data: Collected, rows: np.ndarray[Any, Any]) -> Collected:
    """Return some of the scenes."""
    return replace(data, **{f.name: getattr(data, f.name)[rows] for f in fields(data)})


def measure(model: Path, scenes: int) -> dict[str, Any]:
    """Return the shares of right answers, and how many scenes were asked about a defect."""
    encoder, config, _ = load_encoder(model)
    words, answers = Words.of_world(), {}
    for name, (split, first) in CASES.items():
        data = collect(encoder, ScenePool(config.model.image_size, config.data.seed, split), words, scenes, first)
        large = part(data, np.flatnonzero(data.masks.mean((1, 2)) >= LARGE))
        for label, shown in ((name, data), (f"{name}, defects from 0.5 % of the image on", large)):
            figures = {key: round(value, 4) for key, value in word_figures(encoder, shown, words).items()}
            answers[label] = {"asked": int(shown.defects.any(1).sum()), **figures}
    return answers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Whether the bundled model answers to words.")
    parser.add_argument("--model", type=Path, default=ROOT / "zsad" / "assets" / "tiny", help="release or run")
    parser.add_argument("--scenes", type=int, default=1500, help="scenes of each case")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "tiny_words.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {"benchmark": "tiny_words", "world": GENERATOR_VERSION, "scenes": options.scenes}
    results |= {"chance": 1 / CHOICES, "answers": measure(options.model, options.scenes)}
    results |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, row in results["answers"].items():
        print(f"{name:<66} " + "  ".join(f"{k} {v:g}" for k, v in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
