import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.test_paths import server
from zsad.errors import DownloadError, PromptError
from zsad.paths import git_blob_sha1
from zsad.prompt import published
from zsad.prompt.learner import PromptLearner
from zsad.prompt.published import PUBLISHED, convert, import_prompt
from zsad.prompt.store import load_prompt

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FILE = GOLDEN / "T_prompt_learner.pth"
FULL = GOLDEN.parents[2] / "shared" / "golden" / "A_prompt_learner.pth"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def vit_l_checkpoint():
    """A checkpoint with the released files' names and shapes."""
    state = {f"ctx_{sign}": torch.randn(1, 1, 12, 768) for sign in ("pos", "neg")}
    for sign in ("pos", "neg"):
        state[f"token_prefix_{sign}"] = torch.randn(1, 1, 1, 768)
        state[f"token_suffix_{sign}"] = torch.randn(1, 1, 64, 768)
        state[f"tokenized_prompts_{sign}"] = torch.zeros(1, 1, 77, dtype=torch.int32)
    for i in range(8):
        state[f"compound_prompts_text.{i}"] = torch.randn(4, 768)
        state[f"compound_prompt_projections.{i}.weight"] = torch.zeros(896, 768)
        state[f"compound_prompt_projections.{i}.bias"] = torch.zeros(896)
    assert len(state) == 32
    return {"prompt_learner": state}


def test_file_of_the_published_format(tmp_path):
    torch.save(vit_l_checkpoint(), tmp_path / "epoch_15.pth")
    path = import_prompt(str(tmp_path / "epoch_15.pth"), tmp_path / "out")
    assert path == tmp_path / "out" / "epoch_15.safetensors" and path.stat().st_size < 200_000
    prompt = load_prompt(path)
    assert prompt.card.provenance.backbone == "ViT-L-14-336/openai" and prompt.card.reading.embed_dim == 768
    assert (prompt.card.input.image_size, prompt.card.reading.layers, prompt.card.reading.vv_blocks) == (518, (24,), 19)
    assert (prompt.card.scoring.score_rule, prompt.card.scoring.sigma, prompt.card.scoring.temperature) == (
        "cls",
        4.0,
        0.07,
    )
    assert sum(v.size for v in prompt.learned.values()) == 43_008
    assert (prompt.settings.context, prompt.settings.depth, prompt.settings.deep_length) == (12, 9, 4)


def test_values_and_other_widths():
    prompt = convert(FILE)
    state = torch.load(FILE, weights_only=True)["prompt_learner"]
    assert np.array_equal(prompt.learned["context_normal"], state["ctx_pos"][0, 0])
    assert np.array_equal(prompt.learned["deep.4"], state["compound_prompts_text.4"])
    assert prompt.card.provenance.backbone == "" and prompt.card.provenance.details["text_width"] == "64"
    assert convert(FILE, backbone="ViT-X/y").card.provenance.backbone == "ViT-X/y"


@pytest.mark.skipif(not FULL.is_file(), reason="the full fixtures are not beside this checkout")
def test_checkpoint_written_by_the_released_code():
    prompt = convert(FULL)
    assert set(prompt.learned) == {"context_normal", "context_anomalous", *(f"deep.{i}" for i in range(8))}


def test_imported_prompt_drives_the_text_tower(backbone):
    prompt = convert(FILE)
    vectors = PromptLearner(backbone.text_tower(), prompt.settings).load(prompt.learned).vectors(1)
    assert np.isfinite(vectors.image).all() and not np.allclose(vectors.image[0], vectors.image[1])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda s: s.update({"visual.proj": torch.zeros(2)}), "unknown tensor 'visual.proj'"),
        (lambda s: s.pop("ctx_neg"), "missing or surplus"),
        (lambda s: s.pop("compound_prompts_text.2"), "missing or surplus"),
        (lambda s: s.update(ctx_pos=torch.zeros(1, 1, 12, 512)), "do not fit"),
        (lambda s: s.update({"compound_prompts_text.0": torch.zeros(4, 512)}), "do not fit"),
        (lambda s: s.update({"compound_prompts_text.0": torch.zeros(5, 768)}), "do not fit"),
        (lambda s: s.update(ctx_pos=torch.zeros(2, 1, 12, 768)), "do not fit"),
        (lambda s: s.update(ctx_pos=torch.full((1, 1, 12, 768), torch.nan)), "NaN"),
        (lambda s: s.clear(), "no learned prompts"),
    ],
)
def test_damaged_checkpoints(tmp_path, damage, words):
    checkpoint = vit_l_checkpoint()
    damage(checkpoint["prompt_learner"])
    torch.save(checkpoint, tmp_path / "bad.pth")
    with pytest.raises(PromptError) as error:
        convert(tmp_path / "bad.pth")
    assert words in str(error.value) and "bad.pth" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:.*pickle protocol.*:UserWarning")
def test_foreign_files(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(PromptError, match="no 'prompt_learner'"):
        convert(tmp_path / "other.pth")
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return Path.touch, (marker,)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"prompt_learner": Evil()}))
    with pytest.raises(PromptError, match="weights_only"):
        convert(tmp_path / "evil.pth")
    assert not marker.exists()
    (tmp_path / "empty.pth").write_bytes(b"")
    for name in ("empty.pth", "absent.pth"):
        with pytest.raises(PromptError, match=name):
            convert(tmp_path / name)
    with pytest.raises(PromptError, match="published are anomalyclip:visa"):
        import_prompt("anomalyclip:colon", tmp_path)


def test_the_authors_files_are_those_of_the_issue():
    assert published.COMMIT == "45ed4dd35c05797d854294b5e8d585c545920089"
    visa, mvtec = PUBLISHED["anomalyclip:visa"], PUBLISHED["anomalyclip:mvtec"]
    assert visa.path == "checkpoints/9_12_4_multiscale/epoch_15.pth" and visa.blob[:8] == "c90f1d9d"
    assert mvtec.path == "checkpoints/9_12_4_multiscale_visa/epoch_15.pth" and mvtec.blob[:8] == "72adc786"


@pytest.mark.parametrize("source", ["anomalyclip:visa", "anomalyclip:mvtec"])
def test_fetch_check_convert_from_a_stand_in(tmp_path, monkeypatch, home, source):
    torch.save(vit_l_checkpoint(), tmp_path / "epoch_15.pth")
    entry = replace(PUBLISHED[source], blob=git_blob_sha1(tmp_path / "epoch_15.pth"))
    monkeypatch.setitem(PUBLISHED, source, entry)
    where = f"/zqhang/AnomalyCLIP/{published.COMMIT}/{entry.path}"
    with server({where: (tmp_path / "epoch_15.pth").read_bytes()}) as (url, asked):
        monkeypatch.setattr(published, "RAW", url)
        path = import_prompt(source, tmp_path / "out")
        import_prompt(source, tmp_path / "out")
    assert asked == [where]
    assert path.name == f"{source.replace(':', '-')}.safetensors"
    card = load_prompt(path).card
    assert (
        card.provenance.licence == "MIT"
        and card.scoring.prompt == source
        and entry.trained_on == card.provenance.training_data
    )
    assert (
        "github.com/zqhang/AnomalyCLIP" in card.provenance.source
        and published.COMMIT in card.provenance.source
        and entry.blob in card.provenance.source
    )
    assert str(tmp_path) not in card.to_json()


def test_another_file_under_that_address_is_refused(tmp_path, monkeypatch, home):
    where = f"/zqhang/AnomalyCLIP/{published.COMMIT}/{PUBLISHED['anomalyclip:visa'].path}"
    with server({where: b"something else"}) as (url, _):
        monkeypatch.setattr(published, "RAW", url)
        with pytest.raises(DownloadError, match="git blob hash") as error:
            import_prompt("anomalyclip:visa", tmp_path / "out")
    assert str(home) in str(error.value) and not (tmp_path / "out").exists()


def test_offline_says_what_to_put_where_and_then_works(tmp_path, monkeypatch, home):
    with server({}) as (url, _):
        pass
    monkeypatch.setattr(published, "RAW", url)
    with pytest.raises(DownloadError) as error:
        import_prompt("anomalyclip:visa", tmp_path / "out")
    place = Path(str(error.value).split("put it at ")[1])
    assert published.COMMIT in str(error.value)
    torch.save(vit_l_checkpoint(), place.parent / "x.pth")
    monkeypatch.setitem(
        PUBLISHED,
        "anomalyclip:visa",
        replace(PUBLISHED["anomalyclip:visa"], blob=git_blob_sha1(place.parent / "x.pth")),
    )
    (place.parent / "x.pth").rename(place)
    assert import_prompt("anomalyclip:visa", tmp_path / "out").is_file()


def test_command_line(tmp_path, home):
    torch.save(vit_l_checkpoint(), tmp_path / "epoch_15.pth")
    command = [sys.executable, "-m", "zsad", "import-prompt", str(tmp_path / "epoch_15.pth")]
    done = subprocess.run([*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "epoch_15.safetensors").is_file() and "ViT-L-14-336/openai" in done.stdout
    done = subprocess.run([*command[:-1], str(tmp_path / "no.pth")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "no.pth" in done.stderr and "Traceback" not in done.stderr
