"""Make ``tests/golden``: fixtures small enough to live in the tree, so that parity is tested on any machine.

    python tests/oracles/compact_golden.py FULL_FIXTURES [--out tests/golden]

Three parts:

* the shared files of the full fixtures (operations, preprocessing, tokenizer, metrics), as they are;
* ``A_stages.npz``: what the released code gave for set A at the stages' borders (features, text vectors, maps,
  losses, one dual block with its weights), without the towers, which are too large;
* set ``T``: a whole small model, from image to three Adam steps, computed by ``naive.py``. That script first has to
  reproduce the full fixtures, so set T stands for the released code. It differs from set A where it can: other
  widths and patch, a grid smaller than trained, prompts deeper than the text tower, three images.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.parity_checks import Files, Fixture, largest
from benchmarks.parity_model import MAP, RAW
from benchmarks.parity_set import ours, prompts
from tests.oracles import naive
from tests.oracles.golden_draw import CONFIG, draw_inputs, draw_weights

SHARED = ("ops.npz", "preprocess.npz", "metrics.npz", "tokenizer.json")


def main() -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Make the small fixtures of tests/golden from the full ones.")
    parser.add_argument("full", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "golden")
    options = parser.parse_args()
    full, out = options.full, options.out
    error = certify(Fixture(full, "A"))
    print(f"naive.py against set A: {error:.1e} of its tolerance")
    if not error < 1.0:
        return 1
    out.mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        if not (out / name).is_file():
            shutil.copyfile(full / name, out / name)
    np.savez_compressed(out / "A_stages.npz", **stages(Fixture(full, "A")))  # type: ignore[arg-type]
    write_set(out)
    for file in out.iterdir():
        file.chmod(0o644)
    size = sum(file.stat().st_size for file in out.iterdir())
    print(f"{out}: {size / 1e6:.2f} MB")
    return 0


def certify(fixture: Fixture) -> float:
    """Return the largest error of ``naive.py`` on a full set, as a share of its tolerance."""
    weights = float_weights(fixture.path("clip_weights.safetensors"))
    inputs, want = fixture.arrays("inputs.npz"), fixture.arrays("infer.npz")
    seen = naive.see(torch.from_numpy(inputs["image"]), weights, fixture.vv_blocks, fixture.layers)
    deep = deep_of(prompts(inputs))
    text = naive.say(
        torch.from_numpy(want["prompts"]), torch.from_numpy(want["tokenized_prompts"]), deep, weights, half=True
    )
    raw, smooth = naive.anomaly_map(seen, text, int(fixture.config["img"]), float(fixture.config["sigma"]))
    errors = [
        largest(seen.cls, want["image_features_raw"], RAW),
        largest(text, want["text_features_raw"], RAW),
        largest(raw, want["anomaly_map_raw"], MAP),
        largest(smooth, want["anomaly_map"], MAP),
    ]
    train = fixture.arrays("train.npz")
    image, rows = naive.losses(seen, text, torch.from_numpy(inputs["mask"]), torch.from_numpy(inputs["label"]))
    errors.append(largest(image, train["step0_image_loss"], 1e-5))
    errors.append(largest(torch.tensor(rows), train["step0_focal_dice1_dice0"], 1e-5))
    return max(errors)


def stages(fixture: Fixture) -> Files:
    """Pick what the released code gave at the stages' borders."""
    infer, inputs, train = (fixture.arrays(f"{name}.npz") for name in ("infer", "inputs", "train"))
    inner = fixture.arrays("intermediate.npz")
    last, depth = f"L{fixture.layers[-1]:02d}", int(fixture.config["vl"])
    picked = {"text_features", "image_features_raw", "image_score", "anomaly_map", "anomaly_map_lastonly"}
    out = {name: infer[name] for name in infer if name in picked or name.startswith("patch_features_raw")}
    out[f"patch_prob_{last}"] = infer[f"patch_prob_{last}"]
    out |= {name: inputs[name] for name in ("mask", "label")}
    out |= {name: train[name] for name in train if name.startswith("step0_") and "grad" not in name}
    for number, stream in ((depth - 1, "vv"), (depth - 1, "ori"), (depth, "vv"), (depth, "ori")):
        out[f"vis_block{number:02d}_{stream}"] = inner[f"vis_block{number:02d}_{stream}"]
    prefix = f"visual.transformer.resblocks.{depth - 1}."
    weights = load_file(fixture.path("clip_weights.safetensors"))
    out |= {name.removeprefix(prefix): w.numpy() for name, w in weights.items() if name.startswith(prefix)}
    out["layers"] = np.array(fixture.layers)
    return out


def write_set(out: Path) -> None:
    """Compute and write set T in the format of the full fixtures."""
    config = dict(CONFIG)
    save_file(draw_weights(config), out / "T_clip_weights.safetensors")
    weights = float_weights(out / "T_clip_weights.safetensors")
    inputs = draw_inputs(config)
    learned = {name: torch.from_numpy(value) for name, value in prompts(inputs).items()}
    used = min(config["depth"], config["tl"]) - 1
    surplus = [f"compound_prompts_text.{i}" for i in range(used, config["depth"] - 1)]
    config["params_without_grad"] = surplus
    (out / "T_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    np.savez_compressed(out / "T_inputs.npz", **inputs)  # type: ignore[arg-type]
    dead = {
        "compound_prompt_projections.0.weight": torch.zeros(4, 4),
        "compound_prompt_projections.0.bias": torch.zeros(4),
    }
    buffers = {n.removeprefix("prompt."): torch.from_numpy(v) for n, v in inputs.items() if n.startswith("prompt.t")}
    torch.save({"prompt_learner": learned | buffers | dead}, out / "T_prompt_learner.pth")
    infer, inner = run(config, weights, inputs, half=True)
    np.savez_compressed(out / "T_infer.npz", **infer)  # type: ignore[arg-type]
    np.savez_compressed(out / "T_intermediate.npz", **inner)  # type: ignore[arg-type]
    pure, _ = run(config, weights, inputs, half=False)
    key = ("text_features_raw", "text_features", "image_score", "anomaly_map_raw", "anomaly_map")
    nohalf = {name: pure[name] for name in key} | train(config, weights, inputs, half=False)
    np.savez_compressed(out / "T_nohalf.npz", **nohalf)  # type: ignore[arg-type]
    np.savez_compressed(out / "T_train.npz", **train(config, weights, inputs, half=True))  # type: ignore[arg-type]
    last = train(config, weights, inputs, half=True, last_only=True)
    np.savez_compressed(out / "T_train_lastonly.npz", **last)  # type: ignore[arg-type]


def embedded(inputs: Files, learned: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return prompts ``(2, 77, W)`` and their ids ``(2, 77)``."""
    rows = []
    for sign in ("pos", "neg"):
        parts = [torch.from_numpy(inputs[f"prompt.token_{part}_{sign}"]) for part in ("prefix", "suffix")]
        rows.append(torch.cat([parts[0], learned[f"ctx_{sign}"], parts[1]], dim=2)[0, 0])
    ids = [torch.from_numpy(inputs[f"prompt.tokenized_prompts_{sign}"])[0, 0] for sign in ("pos", "neg")]
    return torch.stack(rows), torch.stack(ids)


def run(config: dict[str, Any], weights: naive.Weights, inputs: Files, *, half: bool) -> tuple[Files, Files]:
    """Compute the outputs, and those of the vision blocks."""
    learned = {name: torch.from_numpy(value) for name, value in prompts(inputs).items()}
    seen = naive.see(torch.from_numpy(inputs["image"]), weights, config["dpam"] - 1, config["feats"])
    rows, ids = embedded(inputs, learned)
    text = naive.say(rows, ids, deep_of(prompts(inputs)), weights, half)
    raw, smooth = naive.anomaly_map(seen, text, config["img"], config["sigma"])
    unit = text / text.norm(dim=-1, keepdim=True)
    prob = naive.judge(seen.cls, text)
    out: dict[str, Tensor] = {
        "prompts": rows,
        "tokenized_prompts": ids,
        "text_features_raw": text,
        "text_features": unit[None],
        "image_features_raw": seen.cls,
        "image_prob": prob,
        "image_score": prob[:, 1],
        "anomaly_map_raw": raw,
        "anomaly_map": smooth,
    }
    for layer, tokens in seen.features.items():
        out[f"patch_features_raw_L{layer:02d}"] = tokens
        out[f"patch_prob_L{layer:02d}"] = naive.judge(tokens, text)
    inner = {f"vis_block{n:02d}_vv": value for n, value in seen.local.items()}
    for n, value in seen.ordinary.items():
        inner[f"vis_block{n:02d}_{'ori' if n in seen.local else 'plain'}"] = value
    return {n: v.numpy() for n, v in out.items()}, {n: v.numpy() for n, v in inner.items()}


def train(
    config: dict[str, Any], weights: naive.Weights, inputs: Files, *, half: bool, last_only: bool = False
) -> Files:
    """Compute three Adam steps on the fixed batch."""
    learned = {name: torch.from_numpy(value.copy()).requires_grad_() for name, value in prompts(inputs).items()}
    seen = naive.see(
        torch.from_numpy(inputs["image"]), weights, config["dpam"] - 1, config["feats"][-1 if last_only else 0 :]
    )
    deep = [learned[f"compound_prompts_text.{i}"] for i in range(config["depth"] - 1)]
    optimiser = torch.optim.Adam(learned.values(), lr=1e-3, betas=(0.5, 0.999))
    out: Files = {}
    for step in range(4):
        rows, ids = embedded(inputs, learned)
        text = naive.say(rows, ids, deep, weights, half)
        image, pixel = naive.losses(seen, text, torch.from_numpy(inputs["mask"]), torch.from_numpy(inputs["label"]))
        each = torch.stack([torch.stack(row) for row in pixel])  # (L, 3)
        total = 4.0 * each.sum() + image
        values = {
            "image_loss": image,
            "focal_dice1_dice0": each,
            "pixel_loss_times_lam": 4.0 * each.sum(),
            "total_loss": total,
        }
        out |= {f"step{step}_{name}": value.detach().numpy() for name, value in values.items()}
        if step < 3:
            optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            out |= {f"step{step}_grad.{n}": v.grad.numpy().copy() for n, v in learned.items() if v.grad is not None}
            optimiser.step()
            out |= {f"step{step + 1}_param.{n}": v.detach().numpy().copy() for n, v in learned.items()}
    return out


def deep_of(learned: Files) -> list[Tensor]:
    """Return the deep prompts in order."""
    names = sorted((n for n in learned if ours(n).startswith("deep.")), key=lambda n: int(n.rsplit(".", 1)[1]))
    return [torch.from_numpy(learned[name]) for name in names]


def float_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict as float32."""
    return {name: value.float() for name, value in load_file(path).items()}


if __name__ == "__main__":
    sys.exit(main())
