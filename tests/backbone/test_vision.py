import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.golden_support import naive
from zsad.backbone import load_backbone
from zsad.backbone.state_dict import build
from zsad.backbone.value_attention import open_clip_blocks, two_streams
from zsad.errors import ModelError
from zsad.scoring.direction_head import DirectionHead
from zsad.types import PromptVectors


def images(size, batch=2, seed=0):
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


def vectors(layers, width=48, seed=1):
    pair = F.normalize(torch.randn(2, width, generator=torch.Generator().manual_seed(seed)), dim=-1)
    return PromptVectors.shared(pair.numpy(), layers)


def test_smoke(clip_file):
    backbone = load_backbone(str(clip_file))
    cls, patches = backbone(images(40))
    assert cls.shape == (2, 48) and patches.shape == (2, 1, 25, 48)
    assert cls.dtype == patches.dtype == torch.float32
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not backbone.train().training
    assert backbone.info.heads == 2 and backbone.info.depth == 3 and backbone.info.native_size == 40


@pytest.mark.parametrize("size", [8, 32, 40, 56])
@pytest.mark.parametrize(
    ("vv_blocks", "layers"), [(0, (3,)), (1, (3,)), (2, (1, 2, 3)), (3, (2,)), (2, (3, 1)), (2, (1,))]
)
def test_reference_naive(clip_file, weights, size, vv_blocks, layers):
    """Both streams, any size: what is saved (last block, shared projection, fused attention) changes nothing."""
    backbone = load_backbone(str(clip_file), image_size=size, vv_blocks=vv_blocks, layers=layers)
    x = images(size)
    cls, patches = backbone(x)
    seen = naive.see(x, weights, vv_blocks, layers)
    assert torch.allclose(cls, seen.cls, atol=1e-5)
    for index, layer in enumerate(layers):
        assert torch.allclose(patches[:, index], seen.features[layer][:, 1:], atol=1e-5)


def test_reference_open_clip_image_feature(clip_file, full_weights):
    """With the final norm, the class feature is open_clip's own; the published method leaves it out."""
    model, _ = build("T", {k: v for k, v in full_weights.items() if v.dtype != torch.int64}, True)
    x = images(40)
    with torch.no_grad():
        want = model.encode_image(x)
    backbone = load_backbone(str(clip_file), class_norm=True)
    assert torch.allclose(backbone(x)[0], want, atol=1e-5)
    assert not torch.allclose(backbone.configured(class_norm=False)(x)[0], want, atol=1e-2)


def test_reference_multihead_attention_forward(clip_file):
    """The ordinary stream equals running the blocks' own forward, with nn.MultiheadAttention inside."""
    backbone = load_backbone(str(clip_file), vv_blocks=2)
    transformer = backbone.vision.visual.transformer
    with torch.no_grad():
        x = backbone.vision.tokens(images(40))
        _, features = two_streams(x, open_clip_blocks(transformer), 0, (1, 2, 3))
        for number, block in enumerate(transformer.resblocks, start=1):
            x = block(x)
            assert torch.allclose(features[number], x, atol=1e-5)


def test_batch_equals_single_and_threads_agree(clip_file):
    backbone = load_backbone(str(clip_file), image_size=56, layers=(2, 3), vv_blocks=2)
    x = images(56, batch=3)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        together = backbone(x)
        apart = [torch.cat(parts) for parts in zip(*(backbone(one[None]) for one in x), strict=True)]
        torch.set_num_threads(2)
        threaded = backbone(x)
    finally:
        torch.set_num_threads(before)
    for a, b, c in zip(together, apart, threaded, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
        assert torch.allclose(a, c, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("layers", [(3,), (1, 2, 3)])
def test_half_precision(clip_file, dtype, layers):
    """Against float32: map within 2e-2, score within 1e-2; norms stay float32."""
    exact = load_backbone(str(clip_file), image_size=56, vv_blocks=2, layers=layers)
    half = load_backbone(str(clip_file), image_size=56, vv_blocks=2, layers=layers, dtype=dtype)
    head = DirectionHead(exact.card(score_rule="fused(0.5)"), vectors(len(layers)))
    x = images(56, batch=4)
    want, have = head(*exact(x)), head(*half(x))
    assert (have[0] - want[0]).abs().max() < 2e-2
    assert (have[1] - want[1]).abs().max() < 1e-2
    assert not torch.equal(half(x)[1], exact(x)[1])
    assert half.info.fingerprint == exact.info.fingerprint
    kinds = {name: p.dtype for name, p in half.vision.named_parameters()}
    assert all(d == torch.float32 for name, d in kinds.items() if "ln_" in name)
    assert kinds["visual.conv1.weight"] == getattr(torch, dtype)


def test_half_precision_survives_large_values(weights, tmp_path):
    """Logits of values against themselves beyond float16's range must not become infinite."""
    from safetensors.torch import save_file

    large = {name: value.clone() for name, value in weights.items()}
    for index in range(3):
        large[f"visual.transformer.resblocks.{index}.attn.in_proj_weight"][256:] *= 100
    save_file(large, tmp_path / "large.safetensors")
    half = load_backbone(str(tmp_path / "large.safetensors"), vv_blocks=3, dtype="float16")
    exact = load_backbone(str(tmp_path / "large.safetensors"), vv_blocks=3)
    x = images(40)
    values = exact.vision.blocks()[0]
    assert (values.qkv_weight[256:].abs().max() ** 2) * 64 > 65504 / 8
    cls, patches = half(x)
    assert torch.isfinite(cls).all() and torch.isfinite(patches).all()
    cosine = F.cosine_similarity(patches, exact(x)[1], dim=-1)
    assert cosine.min() > 0.99


def test_configured_shares_weights_and_resizes_from_the_native_table(clip_file):
    backbone = load_backbone(str(clip_file))
    native = backbone.vision.visual.positional_embedding.clone()
    other = backbone.configured(image_size=56, layers=(1,), vv_blocks=0)
    again = other.configured(image_size=40, layers=(3,), vv_blocks=backbone.reading.vv_blocks)
    assert other.vision.visual is backbone.vision.visual
    assert torch.equal(backbone.vision.visual.positional_embedding, native)
    assert torch.equal(again(images(40))[1], backbone(images(40))[1])


@pytest.mark.parametrize(("interp", "antialias"), [("bilinear", False), ("bicubic", True)])
def test_position_table_modes(clip_file, weights, interp, antialias):
    backbone = load_backbone(str(clip_file), image_size=56, pos_interp=interp, pos_antialias=antialias)
    table = weights["visual.positional_embedding"]
    grid = F.interpolate(
        table[1:].T.reshape(1, 128, 5, 5), size=(7, 7), mode=interp, align_corners=False, antialias=antialias
    )
    want = torch.cat([table[:1], grid[0].flatten(1).T])
    assert torch.allclose(backbone.vision.position, want, atol=1e-6)


def test_card_describes_the_reading(clip_file):
    card = load_backbone(str(clip_file), image_size=56, vv_blocks=1, layers=(2, 3), class_norm=True).card(sigma=2.0)
    assert (card.input.image_size, card.reading.patch_size, card.grid, card.reading.embed_dim) == (56, 8, 7, 48)
    assert (
        card.reading.vv_blocks,
        card.reading.layers,
        card.reading.class_norm,
        card.reading.quick_gelu,
        card.scoring.sigma,
    ) == (1, (2, 3), True, True, 2.0)
    assert len(card.provenance.details["backbone_fingerprint"]) == 16


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_size": 50}, "use 48 or 56"),
        ({"image_size": 4}, "use 8"),
        ({"layers": (4,)}, "use 1 to 3"),
        ({"layers": ()}, "use 1 to 3"),
        ({"vv_blocks": 4}, "0..3"),
        ({"pos_interp": "nearest"}, "bilinear or bicubic"),
    ],
)
def test_errors_name_the_remedy(clip_file, change, words):
    with pytest.raises(ModelError, match=words) as error:
        load_backbone(str(clip_file), **change)
    assert "\n" not in str(error.value)


def test_export_has_a_dynamic_batch(clip_file):
    backbone = load_backbone(str(clip_file), image_size=32, vv_blocks=2)
    head = DirectionHead(backbone.card(score_rule="fused(0.5)"), vectors(1))

    class Graph(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.head = backbone, head

        def forward(self, image):
            return self.head(*self.backbone(image))

    program = torch.export.export(Graph(), (images(32),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for batch in (1, 3):
        x = images(32, batch=batch)
        for have, want in zip(program.module()(x), Graph()(x), strict=True):
            assert np.allclose(have.detach(), want.detach(), atol=1e-5)
