"""load() without torch: the bundled model's place is taken by the small model of the runtime's tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zsad
from zsad.detector import loading
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import MissingExtraError, ModelError, PromptError, ProviderError, UsageError
from zsad.prompt.store import StoredPrompt, save_prompt
from zsad.types import PromptVectors, Thresholds

SMALL = Path(__file__).parent / "small.onnx"


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setattr(loading, "_has_torch", lambda: False)


@pytest.fixture
def bundled(monkeypatch, tmp_path):
    """The assets folder with the small model as the bundled one."""
    folder = tmp_path / "assets"
    folder.mkdir()
    shutil.copy(SMALL, folder / "tiny.onnx")
    monkeypatch.setattr(loading.paths, "asset", lambda name: folder / name)
    return folder


@pytest.fixture
def trained(tmp_path):
    """A folder with one trained prompt for the small model."""
    card = OnnxDetector(SMALL).card
    vectors = PromptVectors.shared(np.eye(2, 8, dtype=np.float32), 2)
    prompt = StoredPrompt(
        card.changed(prompt="mine", image_threshold=0.7, pixel_threshold=0.8, calibrated=True), vectors
    )
    return save_prompt(tmp_path / "prompt" / "mine.safetensors", prompt).parent


def test_bundled(bundled):
    for name in (None, "tiny"):
        detector = zsad.load(name)
        assert isinstance(detector, OnnxDetector)
        assert detector.card.provenance.name == "small test model"
    (bundled / "tiny.onnx").unlink()
    with pytest.raises(ModelError):
        zsad.load()


def test_options_reach_the_detector():
    detector = zsad.load(SMALL, threshold=0.2, pixel_threshold=0.3, tile=64, bits=12, orient=False, threads=1)
    judged = detector.thresholds
    assert (judged.image, judged.pixel, judged.source) == (0.2, 0.3, "threshold 0.2, pixel threshold 0.3")
    assert (detector.tile, detector.bits, detector.orient) == (64, 12, False)
    assert zsad.load(SMALL, threshold="never").thresholds.image == "never"
    assert not zsad.load(SMALL).thresholds.judges


def test_thresholds_from_a_file(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"image": 0.6, "pixel": 0.7, "rule": "score", "source": "bolts of May"}')
    for given in (path, str(path), Thresholds(0.6, 0.7, rule="score", source=f"{path}: bolts of May")):
        judged = zsad.load(SMALL, thresholds=given, min_area=0.001).thresholds
        assert (judged.image, judged.pixel, judged.min_area, judged.rule) == (0.6, 0.7, 0.001, "score")
        assert judged.source == f"{path}: bolts of May; min area 0.001"


def test_stored_words(without_torch):
    assert zsad.load(SMALL, prompt="medical").card.scoring.prompt == "medical"
    assert zsad.load(SMALL, object="screw").card.scoring.prompt == "industrial: screw"
    assert zsad.load(SMALL, normal="a clean surface", anomalous="a scratch").card.scoring.prompt.endswith("a scratch")
    assert zsad.load(SMALL, prompt="industrial").card.scoring.prompt == "industrial"


def test_trained_prompt(without_torch, trained):
    for prompt in (trained, trained / "mine.safetensors", str(trained)):
        detector = zsad.load(SMALL, prompt=prompt)
        assert detector.card.scoring.prompt == "mine"
        assert (detector.thresholds.image, detector.thresholds.pixel) == (0.7, 0.8)
        assert detector.thresholds.source == "the model's card"
    assert zsad.load(SMALL, prompt=trained, threshold=0.1).thresholds.image == 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "ViT-B-16/openai"}, "made for ViT-B-16/openai"),
        ({"details": {"backbone_fingerprint": "0" * 16}}, "was made for"),
        ({"layers": (2, 3)}, r"layers \(2, 3\).*zsad export"),
        ({"temperature": 0.1}, "temperature"),
    ],
)
def test_trained_for_something_else(tmp_path, changes, message):
    card = OnnxDetector(SMALL).card.changed(prompt="foreign", **changes)
    vectors = PromptVectors.shared(np.eye(2, 8, dtype=np.float32), 2)
    path = save_prompt(tmp_path / "foreign.safetensors", StoredPrompt(card, vectors))
    with pytest.raises(PromptError, match=message):
        zsad.load(SMALL, prompt=path)


def test_prompt_folders(tmp_path, trained, monkeypatch):
    with pytest.raises(PromptError, match="found: none"):
        zsad.load(SMALL, prompt=tmp_path)
    shutil.copy(trained / "mine.safetensors", trained / "other.safetensors")
    with pytest.raises(PromptError, match=r"mine\.safetensors, other\.safetensors"):
        zsad.load(SMALL, prompt=trained)
    (tmp_path / "medical").mkdir()
    monkeypatch.chdir(tmp_path)  # a folder of a bank's name, by chance
    assert zsad.load(SMALL, prompt="medical").card.scoring.prompt == "medical"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"prompt": "surveillance"}, PromptError, "torch extra.*stored prompts: 'industrial', 'medical'"),
        ({"prompt": "nonsense"}, PromptError, "no such prompt"),
        ({"normal": "fine", "anomalous": "broken"}, PromptError, "torch extra.*stored phrases"),
        ({"object": "cable"}, PromptError, "torch extra.*stored objects"),
        ({"normal": "fine"}, UsageError, "give both"),
        ({"normal": "a", "anomalous": "b", "object": "c"}, UsageError, "leave out"),
        ({"dtype": "bfloat16"}, UsageError, "dtype is fixed"),
        ({"image_size": 64}, UsageError, "image_size is fixed"),
        ({"device": "cuda", "providers": "cpu"}, UsageError, "twice"),
        ({"device": "tpu"}, ProviderError, "tpu"),
        ({"threshold": float("nan")}, UsageError, "threshold"),
        ({"threshold": -1.0}, UsageError, "threshold"),
        ({"threshold": 1.5}, UsageError, "0 to 1, or never"),
        ({"rule": "both"}, UsageError, "rule must be"),
        ({"thresholds": "absent.json"}, UsageError, "absent.json: no such file"),
        ({"tile": 5}, UsageError, "tile"),
    ],
)
def test_wrong_for_an_onnx_file(without_torch, options, error, message):
    with pytest.raises(error, match=message) as caught:
        zsad.load(SMALL, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"providers": "cpu"}, {"threads": 2}])
def test_wrong_for_torch(options):
    with pytest.raises(UsageError, match="for ONNX files"):
        zsad.load("ViT-B-16/openai", **options)


def test_torch_is_missing(without_torch):
    with pytest.raises(MissingExtraError, match=r"ViT-B-16/openai.*pip install 'zsad\[torch\]'"):
        zsad.load("ViT-B-16/openai")


def test_no_torch_is_imported():
    code = (
        "import sys; blocked = ('torch', 'torchvision', 'open_clip', 'timm', 'kornia', 'albumentations', 'onnx');"
        "sys.modules.update(dict.fromkeys(blocked)); import zsad, numpy as np;"
        "print(zsad.load(sys.argv[1], prompt='medical')(np.zeros((40, 40), np.uint8)).map.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, SMALL], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("(40, 40)", "")
