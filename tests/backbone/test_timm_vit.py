import pytest
import timm
import torch
from safetensors.torch import save_file

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


def weights_of(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return timm.create_model(name, num_classes=7).eval()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_of_a_file(tmp_path, suffix):
    vit = weights_of("test_vit")
    file = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(vit.state_dict(), file)
    else:
        save_file(vit.state_dict(), file)
    backbone = load_backbone(f"timm:test_vit/{file}", vv_blocks=0)
    x = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        want = vit.forward_head(vit.forward_features(x), pre_logits=True)
        found = backbone(x)[0]
    torch.testing.assert_close(found, want)
    assert (
        backbone.info.note == "" and backbone.info.fingerprint != load_backbone("random:timm:test_vit").info.fingerprint
    )


def test_a_folder_as_timm_publishes_it(tmp_path):
    vit = weights_of("test_vit")
    save_file(vit.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"architecture": "test_vit"}', encoding="utf-8")
    file = load_backbone(f"timm:test_vit/{tmp_path / 'model.safetensors'}")
    assert load_backbone(f"local-dir:{tmp_path}").info.fingerprint == file.info.fingerprint


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{}", "architecture is missing"),
        ("[1", "config.json: not valid JSON"),
        ('{"architecture": 3}', "architecture is 3, it must be text"),
        ('{"architecture": "nosuchnet"}', "timm has no model"),
        ('{"architecture": "vit_tiny_patch16_224"}', "does not fit vit_tiny_patch16_224"),
    ],
)
def test_folders_that_are_no_model(tmp_path, config, words):
    save_file(weights_of("test_vit").state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(ModelError, match=words):
        load_backbone(f"local-dir:{tmp_path}")


def test_files_that_do_not_fit(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        load_backbone(f"timm:test_vit/{tmp_path / 'absent.safetensors'}")
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"a.safetensors does not fit test_vit \(no cls_token"):
        load_backbone(f"timm:test_vit/{tmp_path / 'a.safetensors'}")
    with pytest.raises(ModelError, match="random weights come from no file"):
        load_backbone("random:timm:test_vit/a.safetensors")
