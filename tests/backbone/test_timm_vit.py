import pytest
import timm
import torch

from zsad.backbone import load_backbone
from zsad.backbone.timm_vit import TimmVision, _vv_problem
from zsad.errors import ModelError


def images(size, batch=2):
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def own(name):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=0).eval()


@pytest.mark.parametrize("name", ["test_vit", "test_vit3"])
def test_reference_plain_path(name):
    backbone, vit = load_backbone(f"random:timm:{name}", vv_blocks=0, layers=(2, 4)), own(name)
    x = images(backbone.image_size)
    cls, patches = backbone(x)
    with torch.no_grad():
        read = vit.forward_intermediates(x, indices=[1, 3], norm=True, output_fmt="NLC", intermediates_only=True)
        want = vit(x)
    assert torch.allclose(cls, want, atol=1e-5)
    assert torch.allclose(patches, torch.stack(read, dim=1), atol=1e-5)


def test_reference_ordinary_stream_beside_value_value():
    backbone, vit = load_backbone("random:timm:test_vit", vv_blocks=3, class_norm=True), own("test_vit")
    x = images(160)
    with torch.no_grad():
        want = vit.forward_features(x)[:, 0]
    assert torch.allclose(backbone(x)[0], want, atol=1e-5)


def test_any_size_from_the_native_table():
    backbone = load_backbone("random:timm:test_vit")
    small = backbone.configured(image_size=96, layers=(1, 4))
    assert small(images(96))[1].shape[1:3] == (2, 36)
    assert small.configured(image_size=160, layers=backbone.layers)(images(160))[1].equal(backbone(images(160))[1])
    assert small.vision.vit.blocks is backbone.vision.vit.blocks


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("vv_blocks", [0, 2])
def test_half_precision(dtype, vv_blocks):
    exact = load_backbone("random:timm:test_vit", vv_blocks=vv_blocks)
    half = load_backbone("random:timm:test_vit", vv_blocks=vv_blocks, dtype=dtype)
    x = images(160)
    for have, want in zip(half(x), exact(x), strict=True):
        assert have.dtype == torch.float32
        assert torch.nn.functional.cosine_similarity(have, want, dim=-1).min() > 0.999


def test_attention_that_is_not_plain_is_refused_by_name():
    rotary = load_backbone("random:timm:eva02_tiny_patch14_224")
    assert rotary.reading.vv_blocks == 0
    assert rotary(images(224, 1))[1].shape == (1, 1, 256, 192)
    with pytest.raises(ModelError, match="vv_blocks=0"):
        rotary.configured(vv_blocks=2)
    vit = own("test_vit")
    vit.blocks[1].attn.gate = torch.nn.Linear(64, 64)
    assert "gated" in _vv_problem(vit)
    vit = own("test_vit")
    vit.blocks[0].attn.norm = torch.nn.LayerNorm(64)
    assert "norm before" in _vv_problem(vit)
    vit = own("test_vit")
    vit.cls_token = None
    assert "class token" in TimmVision(vit).vv_problem


def test_no_text_tower():
    with pytest.raises(ModelError, match="no CLIP text tower"):
        load_backbone("random:timm:test_vit").text_tower()


def test_not_a_vit():
    with pytest.raises(ModelError, match="not a ViT"):
        load_backbone("random:timm:test_resnet")
