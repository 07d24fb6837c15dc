"""Published checkpoints: the authors' layout with random weights, imported, gives what the layout says it gives."""

from __future__ import annotations

import numpy as np
import open_clip
import pytest
import torch
from typer.testing import CliRunner

from benchmarks.parity_video_vadclip import model_of
from zsad.cli import app
from zsad.errors import ModelError, UsageError
from zsad.video.learned.scoring import score_features
from zsad.video.weak.folder import load_weak
from zsad.video.weak.importing import import_vadclip
from zsad.video.weak.presets import PRESETS, UCF, XD

D, WT, TMAX = 16, 64, 32


def layout(layers, seed=0):
    """Return a state dict by the names of the published checkpoints, at small sizes."""
    shapes = {
        "frame_position_embeddings.weight": (TMAX, D),
        "disAdj.sigma": (1,),
        "linear.weight": (D, D),
        "linear.bias": (D,),
        "classifier.weight": (1, D),
        "classifier.bias": (1,),
        "text_prompt_embeddings.weight": (77, WT),
        "clipmodel.visual.proj": (3, 3),
        "clipmodel.logit_scale": (),
    }
    for first, second in (("gc1", "gc2"), ("gc3", "gc4")):
        shapes |= {
            f"{first}.weight": (D, D // 2),
            f"{second}.weight": (D // 2, D // 2),
            f"{first}.residual.weight": (D // 2, D, 5),
            f"{first}.residual.bias": (D // 2,),
        }
    for mlp in ("mlp1", "mlp2"):
        shapes |= {
            f"{mlp}.c_fc.weight": (4 * D, D),
            f"{mlp}.c_fc.bias": (4 * D,),
            f"{mlp}.c_proj.weight": (D, 4 * D),
            f"{mlp}.c_proj.bias": (D,),
        }
    shapes |= {
        "clipmodel.token_embedding.weight": (49408, WT),
        "clipmodel.positional_embedding": (77, WT),
        "clipmodel.text_projection": (WT, D),
        "clipmodel.ln_final.weight": (WT,),
        "clipmodel.ln_final.bias": (WT,),
    }
    blocks = [(f"temporal.resblocks.{i}", D) for i in range(layers)] + [("clipmodel.transformer.resblocks.0", WT)]
    for at, width in blocks:
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"{at}.{norm}.weight": (width,), f"{at}.{norm}.bias": (width,)}
        shapes |= {
            f"{at}.attn.in_proj_weight": (3 * width, width),
            f"{at}.attn.in_proj_bias": (3 * width,),
            f"{at}.attn.out_proj.weight": (width, width),
            f"{at}.attn.out_proj.bias": (width,),
            f"{at}.mlp.c_fc.weight": (4 * width, width),
            f"{at}.mlp.c_fc.bias": (4 * width,),
            f"{at}.mlp.c_proj.weight": (width, 4 * width),
            f"{at}.mlp.c_proj.bias": (width,),
        }
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()}  # fmt: skip


@pytest.mark.parametrize(("layers", "preset", "classes"), [(2, "vadclip-ucf", UCF), (1, "vadclip-xd", XD)])
def test_an_imported_checkpoint_scores_as_its_layout_says(tmp_path, layers, preset, classes):
    state = layout(layers)
    torch.save(state, tmp_path / "model.pth")
    command = ["video", "import", f"vadclip:{tmp_path / 'model.pth'}", "--out", str(tmp_path / "m")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    network = load_weak(tmp_path / "m")
    assert network.card.config.preset == preset and network.card.classes == classes
    assert network.card.config.compat and network.card.config.temporal.length == TMAX
    assert network.card.config.temporal.window == PRESETS[preset].temporal.window
    clean = {name: value for name, value in state.items() if "visual" not in name}
    ids = open_clip.SimpleTokenizer()(list(classes))
    want = model_of(network.card.config, clean, ids, list(classes), 1, torch.float32)
    x = torch.zeros(1, TMAX, D)
    x[0, :20] = torch.randn(20, D, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        scored = want(x, torch.arange(TMAX)[None] < 20)
    by_class = torch.softmax(scored.classes, dim=-1)[0, :20]
    score = torch.sigmoid(scored.logits)[0, :20] if preset == "vadclip-ucf" else 1 - by_class[:, 0]
    found = score_features(network, x[0, :20].numpy())
    assert np.allclose(found.values, score, atol=1e-6) and np.allclose(found.classes, by_class[:, 1:], atol=1e-6)


def test_class_names_are_typed(tmp_path):
    torch.save({"model_state_dict": layout(1), "epoch": 3}, tmp_path / "model.pth")
    card = import_vadclip(f"vadclip:{tmp_path / 'model.pth'}", tmp_path / "m", classes=("normal", "a fall"))
    assert card.classes == ("normal", "a fall") and len(load_weak(tmp_path / "m").model.text.features) == 2


def test_files_that_are_none(tmp_path):
    with pytest.raises(UsageError, match="give vadclip:PATH"):
        import_vadclip("model.pth", tmp_path / "m")
    with pytest.raises(ModelError, match="no such file"):
        import_vadclip(f"vadclip:{tmp_path / 'absent.pth'}", tmp_path / "m")
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match="weights_only"):
        import_vadclip(f"vadclip:{bad}", tmp_path / "m")
    for change, says in (
        ({"more.weight": torch.zeros(1)}, "unknown tensor 'more.weight'"),
        ({"linear.weight": torch.zeros(3, 3)}, "layout"),
        ({"classifier.bias": torch.full((1,), torch.nan)}, "not finite"),
        ({"clipmodel.ln_final.bias": torch.zeros(3)}, "no CLIP text tower"),
    ):
        torch.save(layout(2) | change, bad)
        with pytest.raises(ModelError, match=says):
            import_vadclip(f"vadclip:{bad}", tmp_path / "m")
    torch.save(layout(3), bad)
    with pytest.raises(UsageError, match="3 local layers"):
        import_vadclip(f"vadclip:{bad}", tmp_path / "m")
    assert not (tmp_path / "m").exists()
