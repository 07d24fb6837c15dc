"""Make ``tests/golden``: fixtures small enough to live in the tree, so that parity is tested on any machine.

    python benchmarks/compact_golden.py FULL_FIXTURES [--out tests/golden]

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
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import naive
import numpy as np
import torch
from parity_checks import Files, Fixture, largest
from parity_model import MAP, RAW, drawn_table, ours, prompts
from safetensors.torch import load_file, save_file
from torch import Tensor

SHARED = ("ops.npz", "preprocess.npz", "metrics.npz", "tokenizer.json")
CONFIG: dict[str, Any] = {
    "seed": 7,
    "vw": 128,
    "vl": 3,
    "patch": 8,
    "grid": 5,
    "tw": 64,
    "tl": 3,
    "ed": 48,
    "img": 32,
    "batch": 3,
    "n_ctx": 6,
    "depth": 6,
    "t_n_ctx": 2,
    "dpam": 3,
    "feats": [1, 2, 3],
    "sigma": 4,
    "mlp_ratio": 1,
    "labels": [1, 0, 1],
    "made_by": "benchmarks/compact_golden.py",
}
DTYPES = {"ln_": torch.float32, "embedding": torch.float32}


def main() -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Make the small fixtures of tests/golden from the full ones.")
    parser.add_argument("full", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "tests" / "golden")
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
    picked = {
        "text_features",
        "image_features_raw",
        "image_score",
        "anomaly_map",
        "anomaly_map_lastonly",
    }
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


def draw_weights(config: dict[str, Any]) -> dict[str, Tensor]:
    """Draw a state dict in OpenAI's layout and types, with layer norms that are not 1 and 0."""
    generator = torch.Generator().manual_seed(config["seed"])
    weights: dict[str, Tensor] = {}

    def put(name: str, *shape: int, std: float, mean: float = 0.0) -> None:
        value = mean + std * torch.randn(*shape, generator=generator)
        weights[name] = value.to(next((d for key, d in DTYPES.items() if key in name), torch.float16))

    def norm(name: str, width: int) -> None:
        put(f"{name}.weight", width, std=0.2, mean=1.0)
        put(f"{name}.bias", width, std=0.1)

    def tower(prefix: str, width: int, blocks: int) -> None:
        hidden = width * config["mlp_ratio"]
        for index in range(blocks):
            block = f"{prefix}transformer.resblocks.{index}"
            norm(f"{block}.ln_1", width)
            norm(f"{block}.ln_2", width)
            for name, rows, columns in (
                ("attn.in_proj_", 3 * width, width),
                ("attn.out_proj.", width, width),
                ("mlp.c_fc.", hidden, width),
                ("mlp.c_proj.", width, hidden),
            ):
                put(f"{block}.{name}weight", rows, columns, std=columns**-0.5)
                put(f"{block}.{name}bias", rows, std=0.05)

    vision, text, embed = config["vw"], config["tw"], config["ed"]
    put("visual.conv1.weight", vision, 3, config["patch"], config["patch"], std=0.05)
    put("visual.class_embedding", vision, std=0.5)
    put("visual.positional_embedding", config["grid"] ** 2 + 1, vision, std=0.5)
    put("visual.proj", vision, embed, std=vision**-0.5)
    norm("visual.ln_pre", vision)
    norm("visual.ln_post", vision)
    tower("visual.", vision, config["vl"])
    put("positional_embedding", 77, text, std=0.1)
    put("text_projection", text, embed, std=text**-0.5)
    norm("ln_final", text)
    tower("", text, config["tl"])
    weights["logit_scale"] = torch.tensor(4.6052)
    for name, value in (
        ("input_resolution", config["patch"] * config["grid"]),
        ("context_length", 77),
        ("vocab_size", 49408),
    ):
        weights[name] = torch.tensor(value)
    return weights


def draw_inputs(config: dict[str, Any]) -> Files:
    """Draw images, masks and prompts; the token ids are CLIP's of the published strings."""
    rng = np.random.default_rng(config["seed"])
    size, width, context = config["img"], config["tw"], config["n_ctx"]
    masks = np.zeros((config["batch"], size, size), np.float32)
    for mask, label in zip(masks, config["labels"], strict=True):
        y, x = rng.integers(0, size // 2, 2)
        mask[y : y + 9, x : x + 12] = label
    words = {"pos": [14115, 269], "neg": [13568, 14115, 269]}  # "object." and "damaged object."
    inputs: Files = {
        "image": rng.standard_normal((config["batch"], 3, size, size), dtype=np.float32),
        "mask": masks,
        "label": np.array(config["labels"], np.int64),
        "token_ids": np.array([0, 269, 343, 13568, 14115, 49406, 49407]),
    }
    table = drawn_table(config)
    inputs["token_embedding_sha256"] = np.array(hashlib.sha256(table.tobytes()).hexdigest())
    inputs["token_embedding_rows"] = table[inputs["token_ids"]]
    for sign, tail in words.items():
        ids = np.zeros(77, np.int32)
        row = [49406, *[343] * context, *tail, 49407]
        ids[: len(row)] = row
        inputs[f"prompt.tokenized_prompts_{sign}"] = ids[None, None]
        inputs[f"prompt.token_prefix_{sign}"] = table[ids[:1]][None, None]
        inputs[f"prompt.token_suffix_{sign}"] = table[ids[1 + context :]][None, None]
        inputs[f"prompt.ctx_{sign}"] = 0.25 * rng.standard_normal((1, 1, context, width), dtype=np.float32)
    for index in range(config["depth"] - 1):
        deep = 0.25 * rng.standard_normal((config["t_n_ctx"], width), dtype=np.float32)
        inputs[f"prompt.compound_prompts_text.{index}"] = deep
    return inputs


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
