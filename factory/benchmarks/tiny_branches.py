"""Compare runs that went on from one checkpoint with different configs, on left-out and on known families.

    python factory/benchmarks/tiny_branches.py --branch "two blocks=RUN_A/last.ckpt" \
        --branch "one block=RUN_B/last.ckpt" --question "How many blocks read value-value features?" \
        [--scenes 960] [--cache DIR] [--json FILE]

Each branch is measured as it would be shipped: averaged weights, the word ensemble, the score of the class token. Known
families are scenes behind those that were trained on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from factory.pool import ScenePool
from factory.texts import Words
from factory.validate import collect, load_encoder, report, row_of, text_pair
from zsad.suites import record
from zsad.synthetic import GENERATOR_VERSION

ROOT = Path(__file__).resolve().parents[2]
SIGMA, FUSION = 0.0, 0.0
"""No smoothing, and the score of the class token alone, as in the bundled model."""


def measure(path: Path, scenes: int, cache: Path | None) -> dict[str, Any]:
    """Return where a branch stands and its figures on both kinds of families."""
    encoder, config, saved = load_encoder(path)
    model, pair, words = config.model, text_pair(encoder), Words.of_world()
    row: dict[str, Any] = {"step": saved.step, "vv_blocks": model.vv_blocks, "seed": config.train.seed}
    for name, split, first in (("left_out", "valid", 0), ("known", "train", config.data.first + config.data.pool)):
        # The cache of training scenes ends with the pool; these lie behind it.
        pool = ScenePool(model.image_size, config.data.seed, split, cache if split == "valid" else None)
        data = collect(encoder, pool, words, scenes, first)
        row[name] = row_of(report(encoder, config, data, words, pair), SIGMA, FUSION)
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Compare runs that went on from one checkpoint.")
    parser.add_argument("--branch", action="append", required=True, metavar="NAME=CHECKPOINT")
    parser.add_argument("--question", required=True, help="what the branches differ in, in words")
    parser.add_argument("--scenes", type=int, default=960, help="scenes of each kind of families")
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "tiny_branches.json")
    options = parser.parse_args(arguments)
    branches = {}
    for branch in options.branch:
        name, _, path = branch.partition("=")
        if not Path(path).is_file():
            parser.error(f"--branch {branch}: no such checkpoint; write NAME=RUN/last.ckpt")
        branches[name] = Path(path)
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {"benchmark": "tiny_branches", "question": options.question}
    results |= {"world": GENERATOR_VERSION, "scenes": options.scenes, "branches": {}}
    for name, path in branches.items():
        results["branches"][name] = measure(path, options.scenes, options.cache)
        print(name, results["branches"][name], flush=True)
    results |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
