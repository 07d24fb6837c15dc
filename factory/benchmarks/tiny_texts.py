"""Measure what fitting the texts to a finished vision tower is worth, and what each fitting word adds to it.

    python factory/benchmarks/tiny_texts.py --run RUN/last.ckpt [--scenes 1500] [--cache DIR] [--json FILE]

The run is one that was pretrained and whose texts were not fitted yet. All arms share its vision tower and so its
features; the first keeps its texts, the second is content when one of the fitting words wins, the last, which is how
the bundled model is made, asks each of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from factory import losses
from factory.config import RunConfig
from factory.fit_texts import SCENES, STEPS, fit, look
from factory.pool import ScenePool
from factory.released import read
from factory.texts import Words
from factory.validate import CHOICES, collect, encoder_of, report, row_of, text_pair
from zsad.config import from_mapping
from zsad.suites import record
from zsad.synthetic import GENERATOR_VERSION

ROOT = Path(__file__).resolve().parents[2]
ARMS: dict[str, Callable[[Tensor, Tensor], Tensor] | None] = {
    "as pretrained": None,
    "fitted, one fitting word is enough": losses.pick,
    "fitted, each fitting word has to win": losses.pick_each,
}
SIGMA, FUSION = 2.0, 0.0
"""One smoothing for all arms, and the score of the class token alone."""


def measure(run: Path, scenes: int, fitted_on: int, steps: int, cache: Path | None) -> dict[str, dict[str, float]]:
    """Return the figures of every arm on left-out families."""
    saved = read(run)
    config = from_mapping(RunConfig, saved.config, str(run))
    size, seed = config.model.image_size, config.data.seed
    encoder, trained = encoder_of(saved, config), Words.of_world(held_out=False)
    known = look(encoder, ScenePool(size, seed, "train", cache), trained, fitted_on, config)
    words = Words.of_world()
    data = collect(encoder, ScenePool(size, seed, "valid", cache), words, scenes)
    rows = {}
    for name, question in ARMS.items():
        arm = encoder_of(saved, config)
        if question is not None:
            fit(arm, known, trained, config, steps, question)
        rows[name] = row_of(report(arm, config, data, words, text_pair(arm)), SIGMA, FUSION)
        print(name, rows[name], flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="What fitting the texts is worth.")
    parser.add_argument("--run", type=Path, required=True, help="a pretrained run or checkpoint, texts not yet fitted")
    parser.add_argument("--scenes", type=int, default=1500, help="scenes of left-out families that are measured")
    parser.add_argument("--fitted-on", type=int, default=SCENES, help="training scenes that texts are fitted to")
    parser.add_argument("--steps", type=int, default=STEPS, help="optimiser steps of an arm")
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "tiny_texts.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {"benchmark": "tiny_texts", "world": GENERATOR_VERSION, "scenes": options.scenes}
    results |= {"fitted_on": options.fitted_on, "steps": options.steps, "chance": 1 / CHOICES}
    results["arms"] = measure(options.run, options.scenes, options.fitted_on, options.steps, options.cache)
    results |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
