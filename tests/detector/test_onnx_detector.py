from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zsad
from zsad.detector import onnx_detector as session
from zsad.detector.base import Detector
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.providers import default_threads, offered, resolve
from zsad.errors import CardError, InputError, ModelError, PromptError, ProviderError, UsageError
from zsad.prompt.words import Words
from zsad.types import PromptVectors, Thresholds


@pytest.fixture(scope="module")
def detector(small_onnx):
    return OnnxDetector(small_onnx)


def test_smoke(detector, photo):
    result = detector(photo)
    assert isinstance(detector, Detector)
    assert result.map.shape == photo.shape[:2]
    assert result.map.dtype == np.float32
    assert 0.0 <= result.map.min() <= result.map.max() <= 1.0
    assert 0.0 <= result.score <= 1.0
    assert detector.card.scoring.prompt == "industrial"
    assert detector.providers == ["CPUExecutionProvider"]


def test_reference(detector, small_onnx, photo):
    """The graph's numbers, recomputed with numpy from the file's own weights."""
    onnx = pytest.importorskip("onnx")
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(small_onnx).graph.initializer}
    square = np.asarray(Image.fromarray(photo).resize((32, 32), Image.Resampling.BICUBIC), np.float64)
    x = (square / 255 - detector.card.input.mean) / detector.card.input.std
    patches = x.reshape(4, 8, 4, 8, 3).transpose(0, 2, 4, 1, 3)  # (G, G, 3, P, P)
    maps = []
    for name, direction in zip(("first_weight", "second_weight"), weights["pixel_direction"], strict=True):
        features = np.einsum("ghcpq,dcpq->ghd", patches, weights[name])
        unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
        maps.append(1 / (1 + np.exp(-(unit @ direction))))
    values, _ = detector.raw(photo)
    coarse = np.mean(maps, axis=0)
    # Half-way between the centres of four patches, linear interpolation is close to their mean.
    assert values[15:17, 15:17].mean() == pytest.approx(coarse[1:3, 1:3].mean(), abs=1e-5)


def test_bytes_and_path_agree(detector, small_onnx, photo):
    assert OnnxDetector(small_onnx.read_bytes())(photo).score == detector(photo).score
    assert OnnxDetector(str(small_onnx))(photo).score == detector(photo).score


def test_many_images_side_by_side(small_onnx, photo):
    detector = OnnxDetector(small_onnx, threads=3).with_stored(Words())
    copied, lanes = detector.side_by_side()
    assert lanes == 3 and copied.side_by_side() == (copied, 1)
    assert [OnnxDetector(small_onnx, threads=n).side_by_side()[1] for n in (2, 8, 12, 16)] == [2, 8, 6, 8]
    images = [photo, photo[::-1], photo[:, ::-1], photo[:20]]
    with ThreadPoolExecutor(lanes) as pool:
        batches = list(pool.map(copied.batch, [images] * 6))
    for alone, *together in zip(detector.batch(images), *batches, strict=True):
        for one in together:
            assert one.score == pytest.approx(alone.score, abs=1e-6)
            np.testing.assert_allclose(one.map, alone.map, rtol=0, atol=1e-6)


def test_one_thread_or_a_large_model_is_opened_once(small_onnx, monkeypatch):
    single = OnnxDetector(small_onnx, threads=1)
    assert single.side_by_side() == (single, 1)
    monkeypatch.setattr(session, "SMALL", small_onnx.stat().st_size - 1)
    large = OnnxDetector(small_onnx, threads=2)
    assert large.side_by_side() == (large, 1)


def test_a_file_that_changes_under_a_detector_is_noticed(small_onnx, tmp_path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    path.write_bytes(small_onnx.read_bytes())
    detector = OnnxDetector(path, threads=2)
    assert detector.side_by_side()[1] == 2
    weights = onnx.load(path)
    weights.graph.initializer[0].doc_string = "other"
    onnx.save(weights, path)
    with pytest.raises(ModelError, match="changed since it was opened"):
        detector.side_by_side()


def test_threads_agree(small_onnx, photo):
    one, two = (OnnxDetector(small_onnx, threads=n)(photo) for n in (1, 2))
    np.testing.assert_allclose(one.map, two.map, rtol=0, atol=1e-6)
    assert one.score == pytest.approx(two.score, abs=1e-6)
    assert default_threads() >= 1


def test_stored_phrases_exchange_the_prompt(small_onnx, detector, photo):
    baked = detector(photo)
    same = OnnxDetector(small_onnx, words=Words("industrial"))(photo)
    # Stored as float16, hence not to the last bit.
    np.testing.assert_allclose(same.map, baked.map, rtol=0, atol=2e-3)
    scores = {round(baked.score, 4)}
    for options in (
        {"prompt": "medical"},
        {"noun": "screw"},
        {"prompt": "industrial", "noun": "screw"},
        {"normal": "a clean surface", "anomalous": "a scratch"},
    ):
        other = OnnxDetector(small_onnx, words=Words(**options))
        scores.add(round(other(photo).score, 4))
        assert other.card.scoring.prompt != "industrial"
        assert not other.card.scoring.calibrated
    assert len(scores) == 4  # the two ways to name the screw are the same


def test_swapped_texts_turn_the_map_around(small_onnx, photo):
    one = OnnxDetector(small_onnx, words=Words(normal="a clean surface", anomalous="a scratch"))(photo)
    two = OnnxDetector(small_onnx, words=Words(normal="a scratch", anomalous="a clean surface"))(photo)
    np.testing.assert_allclose(one.map, 1 - two.map, atol=1e-5)
    assert one.score == pytest.approx(1 - two.score, abs=1e-5)


def test_with_vectors_leaves_the_original_alone(detector, photo):
    before = detector(photo).score
    pair = np.eye(2, 8, dtype=np.float32)
    other = detector.with_vectors(PromptVectors.shared(pair, 2), "axes")
    assert other.card.scoring.prompt == "axes"
    assert other(photo).score != before
    assert detector(photo).score == before
    assert detector.card.scoring.prompt == "industrial"


@pytest.mark.parametrize("shape", [(2, 2, 7), (3, 2, 8)])
def test_vectors_of_another_backbone(detector, shape):
    vectors = PromptVectors(image=np.ones(shape[1:], np.float32), pixel=np.ones(shape, np.float32))
    with pytest.raises(PromptError, match="another backbone"):
        detector.with_vectors(vectors, "foreign")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"prompt": "underwater"}, PromptError, "torch extra.*'industrial', 'medical'"),
        ({"noun": "cable"}, PromptError, "torch extra.*'screw'"),
        ({"normal": "fine", "anomalous": "broken"}, PromptError, "torch extra.*'a clean surface', 'a scratch'"),
        ({"normal": "a clean surface"}, UsageError, "give both"),
        ({"normal": "a", "anomalous": "b", "prompt": "medical"}, UsageError, "leave out prompt"),
        ({"prompt": " "}, UsageError, "empty"),
        ({"providers": "cuda"}, ProviderError, "CPUExecutionProvider.*pip install onnxruntime-gpu"),
        ({"providers": ["cpu", "NoSuchExecutionProvider"]}, ProviderError, "NoSuchExecutionProvider"),
        ({"providers": []}, UsageError, "empty list"),
        ({"threads": 0}, UsageError, "at least 1"),
        ({"tile": 3}, UsageError, "at least 32"),
        ({"bits": 20}, UsageError, "8..16"),
    ],
)
def test_wrong_options(small_onnx, options, error, message):
    if options.get("providers") == "cuda" and "CUDAExecutionProvider" in offered():
        pytest.skip("this machine has CUDA")
    with pytest.raises(error, match=message) as caught:
        words = Words(**{key: value for key, value in options.items() if hasattr(Words, key)})
        rest = {key: value for key, value in options.items() if not hasattr(Words, key)}
        OnnxDetector(small_onnx, words=words, **rest)
    assert "\n" not in str(caught.value)


def _damaged(data: bytes) -> dict[str, tuple[bytes, type[Exception], str]]:
    """Files whose length fields still hold, since each replacement has the length of what it replaces."""
    return {
        "empty": (b"", ModelError, "empty|No graph"),
        "text": (b"# just text\n" * 40, ModelError, "not an ONNX model"),
        "truncated": (data[: len(data) // 2], ModelError, "not an ONNX model"),
        "no card": (data.replace(b"zsad_card", b"some_card"), CardError, "no model card"),
        "card not JSON": (data.replace(b'{"backbone"', b'["backbone"'), CardError, "not valid JSON"),
        "unknown key": (data.replace(b'"licence"', b'"license"'), CardError, "license"),
        "other size": (data.replace(b'"image_size": 32', b'"image_size": 64'), ModelError, "inputs are image"),
        "other width": (data.replace(b'"embed_dim": 8', b'"embed_dim": 9'), ModelError, "prompt directions are"),
        "other layers": (data.replace(b'"layers": [1, 2]', b'"layers": [1   ]'), ModelError, "prompt directions"),
        "phrases": (data.replace(b'{"pairs"', b'{"pears"'), ModelError, "stored phrases"),
        "output": (data.replace(b"\x05score", b"\x05sc0re"), ModelError, "outputs are"),
    }


@pytest.mark.parametrize("kind", sorted(_damaged(b"")))
def test_not_ours_or_damaged(tmp_path, small_onnx, kind):
    data, error, message = _damaged(small_onnx.read_bytes())[kind]
    path = tmp_path / "part.onnx"
    path.write_bytes(data)
    with pytest.raises(error, match=message) as caught:
        OnnxDetector(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_not_a_file(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        OnnxDetector(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="folder"):
        OnnxDetector(tmp_path)


def test_two_builds_of_onnxruntime_are_named(monkeypatch):
    real = importlib.metadata.distribution

    def both(name):
        return real("onnxruntime") if name == "onnxruntime-gpu" else real(name)

    monkeypatch.setattr(importlib.metadata, "distribution", both)
    with pytest.raises(ProviderError, match=r"onnxruntime and onnxruntime-gpu .* pip uninstall"):
        resolve("cpu")


def test_thresholds_and_options(small_onnx, photo):
    strict = OnnxDetector(small_onnx, thresholds=Thresholds(0.0, 0.0))
    assert strict(photo).fired == ("score", "region")
    assert strict(photo).regions[0].area == photo.shape[0] * photo.shape[1]
    large = np.random.default_rng(2).integers(0, 256, (90, 130), dtype=np.uint8)
    assert OnnxDetector(small_onnx, tile=48)(large).map.shape == (90, 130)
    with pytest.raises(InputError):
        strict(np.full((20, 20), np.nan))


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_runs_without_torch(small_onnx):
    """All but the four packages of export/requirements.txt are blocked; importing one would raise."""
    code = """
import sys
extra = "torch torchvision open_clip timm kornia albumentations onnx onnxscript"
core = "yaml safetensors huggingface_hub typer rich jinja2"
for name in f"{extra} {core}".split():
    sys.modules[name] = None
import numpy as np
from zsad import OnnxDetector
from zsad.prompt.words import Words
result = OnnxDetector(sys.argv[1], words=Words("medical"))(np.zeros((40, 40), np.uint8) + 7)
print(result.map.shape, len(result.regions) >= 0)
"""  # regions bring in scikit-image, too
    done = _run(code, str(small_onnx))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(40, 40)")


def test_import_is_quiet_and_lean(small_onnx):
    done = _run("import sys, zsad.runtime; print([m for m in ('torch', 'scipy', 'skimage') if m in sys.modules])")
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def _main(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zsad.runtime", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_main_writes_maps_and_lines(tmp_path, small_onnx, photo, detector):
    import json

    image = tmp_path / "part.png"
    Image.fromarray(photo).save(image)
    done = _main(small_onnx, image, "--json", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["file"] == str(image) and record["files"] == {"map": "part.png.map.png"}
    assert record["score"] == pytest.approx(detector(photo).score, abs=1e-5)
    written = np.asarray(Image.open(tmp_path / "out" / "part.png.map.png"))
    np.testing.assert_allclose(written / 65535, detector(photo).map, atol=1e-4)


def test_main_writes_the_rows_of_detect(tmp_path, small_onnx, photo):
    """Field by field, failures too; only the time that it took differs."""
    import json

    Image.fromarray(photo).save(tmp_path / "part.png")
    (tmp_path / "bad.png").write_bytes(b"no")
    files = tmp_path / "part.png", tmp_path / "bad.png"
    done = _main(small_onnx, *files, "--json")
    command = [sys.executable, "-m", "zsad", "detect", *files, "--model", small_onnx, "--json", "-"]
    other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, other.returncode) == (1, 1)
    ours, theirs = ([json.loads(line) for line in text.stdout.splitlines()] for text in (done, other))
    assert len(ours) == len(theirs) == 2 and str(files[1]) in done.stderr
    for one, expected in zip(ours, theirs, strict=True):
        assert list(one) == list(expected)
        # A fingerprint covers the words and options of the command line, which the two don't share.
        assert {k: v for k, v in one.items() if k not in ("ms", "run")} == {
            k: v for k, v in expected.items() if k not in ("ms", "run")
        }


def test_main_goes_on_after_a_bad_image(tmp_path, small_onnx, photo):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(photo).save(good)
    bad.write_bytes(b"\x89PNG")
    done = _main(small_onnx, bad, good, "--threshold", "0")
    assert done.returncode == 1
    assert str(bad) in done.stderr
    assert "anomalous (score)" in done.stdout
    assert _main(small_onnx, good, "--normal", "only this").returncode == 2
    missing = _main(tmp_path / "none.onnx", good)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)


def test_main_judges_as_the_command_line_does(tmp_path, small_onnx, photo):
    part, limits = tmp_path / "part.png", tmp_path / "t.json"
    Image.fromarray(photo).save(part)
    limits.write_text('{"image": 0.0, "rule": "score"}')
    free = _main(small_onnx, part)
    assert free.returncode == 0 and "  uncalibrated  " in free.stdout and " outline" in free.stdout
    assert "add --threshold 0.5, say, or --thresholds FILE" in free.stderr
    for options, code in (
        (("--thresholds", limits), 3),
        (("--thresholds", limits, "--threshold", "never"), 0),
        (("--threshold", "0.5", "--rule", "region"), 2),
        (("--threshold", "1.5"), 2),
        ((), 2),
    ):
        done = _main(small_onnx, part, *options, "--fail-on", "anomalous", "--json")
        assert done.returncode == code, done.stderr
        assert done.stderr.count("\n") == (code == 2)
        if code != 2:
            row = json.loads(done.stdout)
            assert (row["verdict"], row["fired"]) == (("anomalous", ["score"]) if code == 3 else ("normal", []))


def test_example(small_onnx, photo, tmp_path):
    """The script in export/examples, on a folder with a file that is no image."""
    Image.fromarray(photo).save(tmp_path / "a.png")
    Image.fromarray(255 - photo).save(tmp_path / "b.png")
    (tmp_path / "c.txt").write_text("no image")
    script = Path(__file__).parents[2] / "export" / "examples" / "sort_folder.py"
    command = [sys.executable, script, small_onnx, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert len(lines) == 2
    assert lines[0].split()[0] >= lines[1].split()[0]
    assert "c.txt" in done.stderr


def test_nobody_is_told_of_what_is_inspected(monkeypatch):
    told = []
    monkeypatch.setattr("onnxruntime.disable_telemetry_events", lambda: told.append("off"))
    zsad.load()
    assert told
