from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import zsad
import zsad.errors
from zsad.cli import app

run = CliRunner()
COMMANDS = [
    *(["detect"], ["models"], ["info"], ["eval"], ["export"], ["fit"], ["train"], ["import-prompt"]),
    *(["bench", "quality"], ["bench", "speed"], ["bench", "merge"], ["data", "list"], ["data", "check"]),
]


def invoke(*arguments):
    return run.invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb"})


def test_help_lists_every_command_and_shows_examples():
    text = invoke("--help").stdout
    for command in ("detect", "models", "info", "eval", "export", "fit", "train", "import-prompt", "bench", "data"):
        assert re.search(rf"│ {command} ", text), command
    assert "zsad detect examples/ --out out/" in text


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_has_help(command):
    done = invoke(*command, "--help")
    assert done.exit_code == 0 and "Usage" in done.stdout
    assert "Examples" in done.stdout and f"zsad {' '.join(command)}" in done.stdout


def test_version():
    assert invoke("--version").stdout == f"zsad {zsad.__version__}\n"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['zsad', '--help']\n"
        "from zsad.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'PIL', 'torch', 'onnxruntime', 'skimage', 'jinja2', 'yaml', 'huggingface_hub'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_models():
    text = invoke("models").stdout
    for word in ("tiny", "ViT-L-14-336/openai", "industrial", "bank", "hf-hub:", "--all"):
        assert word in text


def test_models_without_torch_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'zsad[torch]'" in invoke("models").stdout


def test_help_keeps_what_stands_in_brackets():
    assert "[default: industrial]" in invoke("export", "--help").stdout
    assert "[default: your prompts" in invoke("import-prompt", "--help").stdout


def test_log_lines_of_libraries_stay_off_the_screen(monkeypatch, caplog, tmp_path):
    import logging

    def chatty(model=None, **_):
        logging.getLogger("huggingface_hub").error("Retrying in 8s")
        raise zsad.errors.ModelError("no such model")

    monkeypatch.setattr(zsad, "load", chatty)
    (tmp_path / "x.png").touch()
    done = invoke("detect", str(tmp_path / "x.png"))
    assert done.stderr == "zsad: no such model\n" and caplog.records == []
    logging.getLogger("huggingface_hub").error("heard again")
    assert [record.message for record in caplog.records] == ["heard again"]


def test_models_of_this_folder(tmp_path, monkeypatch):
    (tmp_path / "line3.onnx").write_bytes(b"x" * 2_000_000)
    monkeypatch.chdir(tmp_path)
    assert "line3.onnx" in invoke("models").stdout


def test_models_find_trained_prompts(tmp_path, monkeypatch):
    np = pytest.importorskip("numpy")
    from zsad.card import ModelCard
    from zsad.prompt.store import StoredPrompt, save_prompt
    from zsad.types import PromptVectors

    card = ModelCard.of(name="x", backbone="ViT-B-16/openai", prompt="mine", training_data="Nothing at all. Or so.")
    vectors = PromptVectors.shared(np.eye(2, 768, dtype=np.float32), 1)
    save_prompt(tmp_path / "prompts" / "mine.safetensors", StoredPrompt(card, vectors))
    (tmp_path / "prompts" / "bad.safetensors").write_bytes(b"junk")
    monkeypatch.setenv("ZSAD_HOME", str(tmp_path))
    text = invoke("models").stdout
    assert re.search(r"ViT-B-16/openai .*banks, mine", text)
    assert "Nothing at all" in text and "unreadable" in text


def test_models_downloaded(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--timm--vit_base_patch16_clip_224.openai" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "open_clip_model.safetensors").touch()
    text = invoke("models").stdout
    assert re.search(r"ViT-B-16/openai +yes", text) and re.search(r"ViT-B-32/openai +-", text)


@pytest.mark.torch
def test_models_search():
    pytest.importorskip("open_clip")
    text = invoke("models", "dinov2").stdout
    assert "timm:vit_base_patch14_dinov2.lvd142m" in text and "ViT-L-14" not in text
    assert invoke("models", "nonsense").exit_code == 2


def test_info():
    text = invoke("info").stdout
    for word in ("version", "onnxruntime", "CPUExecutionProvider", "your prompts", "JPEG"):
        assert word in text


def test_info_gives_the_exchange_command():
    facts = json.loads(invoke("info", "--json").stdout)
    assert facts["zsad"]["version"] == zsad.__version__
    commands = [entry["command"] for entry in facts["missing"]]
    if "onnxruntime-gpu" not in facts["packages"]:
        assert "pip uninstall -y onnxruntime && pip install onnxruntime-gpu" in commands
