"""Features that are drawn: an anomalous video has a stretch that points elsewhere."""

from functools import cache

import numpy as np
import torch

from zsad.video.weak.starting import Options, start
from zsad.video.weak.towers import text_tower

WIDTH = 16


@cache
def tower(width=WIDTH, inner=32, seed=0):
    """A text tower of random weights."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"token_embedding.weight": (49408, inner), "positional_embedding": (77, inner),
              "text_projection": (inner, width), "ln_final.weight": (inner,), "ln_final.bias": (inner,)}  # fmt: skip
    at = "transformer.resblocks.0"
    for norm in ("ln_1", "ln_2"):
        shapes |= {f"{at}.{norm}.weight": (inner,), f"{at}.{norm}.bias": (inner,)}
    shapes |= {f"{at}.attn.in_proj_weight": (3 * inner, inner), f"{at}.attn.in_proj_bias": (3 * inner,),
               f"{at}.attn.out_proj.weight": (inner, inner), f"{at}.attn.out_proj.bias": (inner,),
               f"{at}.mlp.c_fc.weight": (4 * inner, inner), f"{at}.mlp.c_fc.bias": (4 * inner,),
               f"{at}.mlp.c_proj.weight": (inner, 4 * inner), f"{at}.mlp.c_proj.bias": (inner,)}  # fmt: skip
    weights = {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}
    return text_tower("drawn", weights, 2)


def videos(folder, count=8, tokens=0, seed=0, width=WIDTH):
    """Write count normal and count anomalous videos and their list. Return the list's path."""
    rng = np.random.default_rng(seed)
    common, other = rng.normal(size=(2, width))
    rows = ["video,label"]
    folder.mkdir(exist_ok=True)
    for index in range(2 * count):
        length = int(rng.integers(20, 40))
        x = common + 0.5 * rng.normal(size=(length, width))
        label = "normal"
        if index % 2:
            start = int(rng.integers(0, length - 6))
            x[start : start + 6] += 1.5 * other
            label = "fire"
        form = np.repeat(x[:, None], tokens, axis=1) if tokens else x
        np.save(folder / f"v{index}__0.npy", form.astype(np.float32))
        rows.append(f"v{index},{label}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def begun(folder, preset, epochs, text=None, **more):
    """Draw videos, and put a training on them together. Return the task and the model."""
    listed = videos(folder, tokens=2 if preset == "vador" else 0)
    given = {"epochs": epochs, "batch": 4, "lr": 3e-3, "val_split": 0.25, "classes": ("fire",)} | more
    text = text if preset in ("urdmu", "vador") else text or tower()
    return start(Options(preset, f"csv:{listed}", folder, backbone="drawn", **given), text)
