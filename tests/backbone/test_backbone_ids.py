import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from zsad.backbone import backbone_of, load_backbone, openclip, state_dict
from zsad.errors import ModelError, ProviderError


def error_of(identifier, **options):
    with pytest.raises(ModelError) as error:
        load_backbone(str(identifier), **options)
    text = str(error.value)
    assert "\n" not in text
    return text


def features(backbone):
    x = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    return backbone(x)[1]


@pytest.fixture(scope="module")
def want(clip_file):
    return load_backbone(str(clip_file))


@pytest.mark.parametrize("form", ["plain", "nested", "prefixed", "custom text", "safetensors"])
def test_state_dict_forms(tmp_path, full_weights, want, form):
    weights = dict(full_weights)
    path = tmp_path / "clip.pt"
    if form == "nested":
        torch.save({"epoch": 3, "state_dict": weights}, path)
    elif form == "prefixed":
        torch.save({f"module.{name}": value for name, value in weights.items()}, path)
    elif form == "custom text":
        text = ("transformer.", "token_embedding", "positional", "ln_final", "text_projection")
        torch.save({f"text.{n}" if n.startswith(text) else n: v for n, v in weights.items()}, path)
    elif form == "safetensors":
        path = tmp_path / "clip.safetensors"
        save_file(weights, path)
    else:
        torch.save(weights, path)
    backbone = load_backbone(str(path))
    assert torch.equal(features(backbone), features(want))
    assert backbone.info.fingerprint == want.info.fingerprint
    assert backbone.text_tower().has_tokens and not want.text_tower().has_tokens


def test_integer_scalars_are_dropped_and_the_token_table_may_be_absent(clip_file, want):
    assert {"input_resolution", "context_length", "vocab_size"} < set(load_file(clip_file))
    with pytest.raises(ModelError, match="token_embedding"):
        want.text_tower().encode_texts(["a nut"])


def scripted(weights, path):
    """Save an archive whose parameters have these names, as OpenAI's has."""

    class Plain(torch.nn.Module):
        def forward(self, x):
            return x

    root = Plain()
    for name, value in weights.items():
        owner, parts = root, name.split(".")
        for part in parts[:-1]:
            if not hasattr(owner, part):
                owner.add_module(part, Plain())
            owner = getattr(owner, part)
        owner.register_buffer(parts[-1], value)
    torch.jit.save(torch.jit.trace(root, torch.zeros(1)), str(path))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_torchscript_archive_only_by_known_hash(tmp_path, full_weights, want, monkeypatch):
    path = tmp_path / "ViT.pt"
    scripted(full_weights, path)
    text = error_of(path)
    assert "TorchScript" in text and "weights_only" in text and "SHA-256" in text
    monkeypatch.setitem(state_dict.OPENAI_ARCHIVES, state_dict._sha256(path), "test")
    assert torch.equal(features(load_backbone(str(path))), features(want))


def test_known_archives_are_those_that_open_clip_lists():
    import open_clip

    for digest, name in state_dict.OPENAI_ARCHIVES.items():
        assert digest in open_clip.get_pretrained_cfg(name, "openai")["url"]


@pytest.mark.filterwarnings("ignore:.*pickle protocol.*:UserWarning")
def test_nothing_foreign_is_unpickled(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return Path.touch, (marker,)

    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps({"state_dict": Evil()}))
    assert "weights_only" in error_of(path)
    torch.save({"state_dict": Evil()}, path)
    assert "weights_only" in error_of(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda w: w.pop("visual.conv1.weight"), "conv1"),
        (lambda w: w.pop("transformer.resblocks.1.ln_1.bias"), "ln_1.bias"),
        (lambda w: w.update({"surplus.weight": torch.zeros(2)}), "surplus"),
        (lambda w: w.update({"visual.proj": torch.zeros(64, 48)}), "visual.proj"),
        (lambda w: w.update({"step": "text"}), "no state dict of tensors"),
    ],
)
def test_damaged_state_dicts(tmp_path, full_weights, damage, words):
    weights = dict(full_weights)
    damage(weights)
    torch.save(weights, tmp_path / "bad.pt")
    assert words in error_of(tmp_path / "bad.pt")


def test_width_that_is_no_multiple_of_the_heads(tmp_path):
    weights = {
        "visual.conv1.weight": torch.zeros(96, 3, 8, 8),
        "visual.positional_embedding": torch.zeros(26, 96),
        "text_projection": torch.zeros(64, 32),
        "positional_embedding": torch.zeros(77, 64),
        "visual.transformer.resblocks.0.mlp.c_fc.weight": torch.zeros(384, 96),
        "transformer.resblocks.0.mlp.c_fc.weight": torch.zeros(256, 64),
    }
    torch.save(weights, tmp_path / "odd.pt")
    assert "not multiples of 64" in error_of(tmp_path / "odd.pt")


def test_truncated_and_empty_files(tmp_path, clip_file):
    data = clip_file.read_bytes()
    for name, content in (("half.safetensors", data[: len(data) // 2]), ("empty.safetensors", b""), ("empty.pt", b"")):
        (tmp_path / name).write_bytes(content)
        assert name in error_of(tmp_path / name)


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("ViT-L-14-336", "need a tag"),
        ("NoSuchNet/openai", "no architecture"),
        ("ViT-B-32/nosuchtag", "its tags: openai"),
        ("/no/such/file.pt", "no such file"),
        ("nofile.safetensors", "no such file"),
        ("local-dir:/no/such/folder", "can't be read"),
        ("random:NoSuchNet", "no such architecture"),
        ("random:/no/such.json", "no such file"),
        ("timm:nosuchnet", "timm has no model"),
        ("random:RN50", "not a CLIP ViT"),
        ("random:coca_ViT-B-32", "two towers"),
    ],
)
def test_unknown_ids(identifier, words):
    assert words in error_of(identifier)


def test_options_that_do_not_exist(clip_file):
    assert "float32" in error_of(clip_file, dtype="int8")
    with pytest.raises(ProviderError, match="use cpu"):
        load_backbone(str(clip_file), device="warp")
    if not torch.cuda.is_available():
        with pytest.raises(ProviderError, match="CUDA"):
            load_backbone(str(clip_file), device="cuda")


@pytest.fixture
def folder(tmp_path, full_weights):
    """An open_clip folder: the same weights with a configuration that states the activation."""
    config = {
        "embed_dim": 48,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 40, "layers": 3, "width": 128, "patch_size": 8, "head_width": 64, "mlp_ratio": 1},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 3, "mlp_ratio": 1},
    }
    whole = {"model_cfg": config, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(whole))
    save_file(
        {n: v.float() for n, v in full_weights.items() if v.dtype != torch.int64},
        tmp_path / "open_clip_model.safetensors",
    )
    (tmp_path / "small-test-net.json").write_text(json.dumps(config))
    return tmp_path


def test_local_dir(folder, want):
    backbone = load_backbone(f"local-dir:{folder}")
    assert torch.allclose(features(backbone), features(want), atol=1e-6)
    assert backbone.info.quick_gelu and backbone.info.mean == (0.1, 0.2, 0.3)
    assert backbone.info.fingerprint == want.info.fingerprint
    assert "trained with QuickGELU" in error_of(f"local-dir:{folder}", quick_gelu=False)
    (folder / "open_clip_model.safetensors").unlink()
    assert "can't be loaded" in error_of(f"local-dir:{folder}")


def test_name_with_a_file(folder, want):
    import open_clip

    open_clip.add_model_config(folder / "small-test-net.json")
    backbone = load_backbone(f"small-test-net/{folder / 'open_clip_model.safetensors'}")
    assert torch.allclose(features(backbone), features(want), atol=1e-6)


def test_activation_comes_from_the_pretrained_config(monkeypatch, full_weights):
    """open_clip only warns when ViT-L-14-336 gets OpenAI's weights without QuickGELU."""
    small, _ = state_dict.build("T", {k: v for k, v in full_weights.items() if v.dtype != torch.int64}, True)
    asked = {}

    def create(name, arch, why, **options):
        asked.update(options, arch=arch)
        return small

    monkeypatch.setattr(openclip, "_create", create)
    monkeypatch.setattr("zsad.paths._no_answer", lambda url, timeout: "")
    assert load_backbone("ViT-L-14-336/openai").info.quick_gelu
    assert asked == {"arch": "ViT-L-14-336", "pretrained": "openai", "force_quick_gelu": True}
    assert not load_backbone("ViT-B-32/laion2b_s34b_b79k").info.quick_gelu
    assert not asked["force_quick_gelu"]
    assert "leave quick_gelu out" in error_of("ViT-L-14-336/openai", quick_gelu=False)
    monkeypatch.setattr("open_clip.get_pretrained_cfg", lambda arch, tag: {"quick_gelu": False, "url": "x"})
    assert "use ViT-B-32/laion2b" in error_of("ViT-B-32-quickgelu/laion2b")


def test_weights_that_cannot_be_had(monkeypatch):
    def offline(*args, **kwargs):
        raise RuntimeError("Failed to download weights for tag 'openai': no route\nand more lines")

    monkeypatch.setattr("open_clip.create_model", offline)
    monkeypatch.setattr("zsad.paths._no_answer", lambda url, timeout: "")
    text = error_of("ViT-L-14-336/openai")
    assert "no route" in text and "give their path" in text


def test_an_error_without_network_tells_its_own_cause(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("zsad.paths._no_answer", lambda url, timeout: "the hub can't be reached")
    for name in ("ViT-L-14-336/openai", "hf-hub:someone/none", "timm:vit_small_patch14_reg4_dinov2"):
        assert "the hub can't be reached" in error_of(name)
    text = error_of("timm:vit_small_patch14_reg4_dinov2.nonsense")
    assert "nonsense" in text and "reached" not in text.partition("nonsense")[2]


def test_random_is_seeded_and_says_so(tmp_path, folder):
    config = folder / "small-test-net.json"
    one, two = (load_backbone(f"random:{config}") for _ in range(2))
    assert torch.equal(features(one), features(two))
    assert "random" in one.info.note and "random" in one.card().provenance.details["backbone_note"]
    before = torch.random.get_rng_state()
    load_backbone(f"random:{config}")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_backbone_of_a_card(clip_file, want):
    card = load_backbone(str(clip_file), image_size=56, layers=(2, 3), vv_blocks=1, class_norm=True).card()
    backbone = backbone_of(card)
    assert backbone.reading.image_size == 56 and backbone.reading.layers == (2, 3) and backbone.reading.class_norm
    changed = card.changed(embed_dim=47)
    with pytest.raises(ModelError, match="embed_dim"):
        backbone_of(changed)
    changed = card.changed(details={"backbone_fingerprint": "0" * 16})
    with pytest.raises(ModelError, match="fingerprint"):
        backbone_of(changed)
