"""The released weights as an ONNX file again: ``python -m factory.reexport``; no number of the model changes.

Written when the exported graph itself gets something new, such as the outputs ``cls`` and ``patches``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from factory.release import BANKS, FOLDER
from factory.texts import stored_phrases
from zsad.backbone import backbone_of
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.torch_detector import TorchDetector
from zsad.errors import ModelError
from zsad.onnx_export import export
from zsad.onnx_export.recipe import Store, phrase_book
from zsad.paths import asset
from zsad.prompt.store import load_prompt
from zsad.scoring import DirectionScorer


def reexport(out: Path) -> Path:
    """Write ``tiny.onnx`` and its card to ``out`` from the shipped weights, with the features as outputs.

    Raises:
        ModelError: maps or scores differ from the shipped file in any bit.
    """
    shipped = OnnxDetector(asset(f"{FOLDER}.onnx"), threads=1)
    folder = asset(f"{FOLDER}/open_clip_config.json").parent
    stored = load_prompt(folder / "prompt.safetensors")
    assert stored.vectors is not None
    backbone = backbone_of(shipped.card.changed(backbone=f"local-dir:{folder}"))
    detector = TorchDetector(backbone, DirectionScorer(stored.vectors, shipped.card), shipped.card)
    phrases = phrase_book(backbone, Store(BANKS, (), stored_phrases()))
    path = out / f"{FOLDER}.onnx"
    export(detector, path, weights="float16", phrases=phrases, features=True)
    written = OnnxDetector(path, threads=1)
    x = np.random.default_rng(0).standard_normal((3, 3, backbone.image_size, backbone.image_size)).astype(np.float32)
    for old, new in zip(shipped.forward(x), written.forward(x), strict=True):
        if not np.array_equal(old, new):
            raise ModelError(f"{path}: differs from the shipped file by up to {np.abs(old - new).max():.2g}")
    card = json.dumps(json.loads(shipped.card.to_json()), indent=1) + "\n"
    (out / f"{FOLDER}.card.json").write_text(card, encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m factory.reexport", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for tiny.onnx and tiny.card.json")
    sys.stdout.write(f"{reexport(parser.parse_args(arguments).out)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
