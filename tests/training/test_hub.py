from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.hub_mixin
import numpy as np
import pytest

from zsad.backbone import load_backbone
from zsad.detector.torch_detector import load_detector
from zsad.errors import DownloadError, PromptError
from zsad.prompt.store import load_prompt
from zsad.prompt.words import Words
from zsad.training import hub, train
from zsad.training.hub import HubPrompt

from .drawn_parts import MICRO


@pytest.fixture
def hub_folder(tmp_path, monkeypatch) -> Path:
    """A stand-in for the hub: repositories are folders, nothing touches the network."""
    root = tmp_path / "hub"

    class Api:
        def __init__(self, token=None):
            pass

        def create_repo(self, repo_id, private=None, exist_ok=False):
            (root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(self, *, repo_id, folder_path, **_):
            shutil.copytree(folder_path, root / repo_id, dirs_exist_ok=True)
            return f"hub/{repo_id}/commit"

    def download(repo_id, filename, **_):
        if not (root / repo_id / filename).is_file():
            raise huggingface_hub.errors.LocalEntryNotFoundError(f"no {filename} in {repo_id}")
        return str(root / repo_id / filename)

    monkeypatch.setattr(huggingface_hub.hub_mixin, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub.hub_mixin, "hf_hub_download", lambda **k: download(k.pop("repo_id"), **k))
    monkeypatch.setattr(hub, "hf_hub_download", download)
    monkeypatch.setattr("zsad.paths._no_answer", lambda url, timeout: "")
    return root


def trained(tree, tmp_path, **changes) -> Path:
    settings = {"recipe": "anomalyclip", "image_size": 56, "epochs": 1, "cache": tmp_path / "cache"}
    return train(f"mvtec:{tree}", MICRO, tmp_path / "out", **(settings | changes)).prompt


def test_up_and_down_again(tree, tmp_path, tower, hub_folder):
    path = trained(tree, tmp_path)
    HubPrompt.of(path, tower).push_to_hub("someone/prompt")
    names = {file.name for file in (hub_folder / "someone/prompt").iterdir()}
    assert {"prompt.safetensors", "README.md"} <= names
    assert sum(file.stat().st_size for file in (hub_folder / "someone/prompt").iterdir()) < 100_000  # no backbone
    back = HubPrompt.from_pretrained("someone/prompt", backbone=tower)
    before = load_prompt(path)
    assert all(np.array_equal(before.learned[name], value) for name, value in back.tensors().items())
    assert back.card.provenance.details["recipe"] == "anomalyclip" and back.card.provenance.source.endswith(
        "someone/prompt"
    )
    assert "zsad" in (hub_folder / "someone/prompt/README.md").read_text()


def test_what_comes_down_is_a_prompt_file(tree, tmp_path, tower, hub_folder):
    path = trained(tree, tmp_path)
    HubPrompt.of(path, tower).push_to_hub("someone/prompt")
    image = tree / "part/test/spot/000.png"
    there, here = (load_detector(MICRO, Words(prompt=str(p))) for p in (hub_folder / "someone/prompt" / hub.FILE, path))
    assert np.allclose(there(image).map, here(image).map)


def test_from_a_local_folder(tree, tmp_path, tower):
    HubPrompt.of(trained(tree, tmp_path), tower).save_pretrained(tmp_path / "saved")
    back = HubPrompt.from_pretrained(tmp_path / "saved", backbone=tower)
    assert back.card.reading.layers == (4,)


def test_errors(tree, tmp_path, tower, hub_folder):
    with pytest.raises(DownloadError, match="someone/nothing: can't be fetched"):
        HubPrompt.from_pretrained("someone/nothing", backbone=tower)
    path = trained(tree, tmp_path)
    with pytest.raises(PromptError, match="made for"):
        HubPrompt.of(path, load_backbone("random:ViT-B-32"))
    vectors_only = train(
        f"mvtec:{tree}", MICRO, tmp_path / "w", head="weights", image_size=56, epochs=1, cache=tmp_path / "cache"
    )
    with pytest.raises(PromptError, match="no learner"):
        HubPrompt.of(vectors_only.prompt, tower)
