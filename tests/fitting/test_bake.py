"""A bundle as one ONNX file: against the bundle itself, without torch, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import zsad
from tests.cli.test_commands import invoke
from tests.fitting.pictures import folder, part
from zsad import paths
from zsad.detector.bundle import read_bundle
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import ModelError
from zsad.fitting import fit

bake = pytest.importorskip("zsad.onnx_export.bake")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    place = tmp_path_factory.mktemp("bake")
    return fit(folder(place / "good", 3), out=place / "bundle", rotations="none").bundle.place


@pytest.mark.parametrize("fused", [False, True])
def test_the_file_says_what_the_bundle_says(bundle, tmp_path, monkeypatch, fused):
    monkeypatch.setattr(bake, "PART", 500)  # several parts of 972 patches
    out = tmp_path / "b.onnx"
    options = ["--fused"] if fused else []
    done = invoke("export", "--model", str(bundle), "--out", str(out), *options)
    assert done.exit_code == 0, done.stderr
    assert "against the original at batch 1 and 2" in done.stdout
    ours, theirs = zsad.load(bundle, fused=fused), zsad.load(out)
    for picture in (part(50), part(51, spot=True), np.zeros((40, 90, 3), np.uint8)):
        a, b = ours(picture), theirs(picture)
        assert abs(a.score - b.score) < 1e-5 and np.abs(a.map - b.map).max() < 1e-4
    many = theirs.batch([part(i) for i in range(50, 54)], batch_size=4)
    assert [r.score for r in many] == pytest.approx([theirs(part(i)).score for i in range(50, 54)], abs=1e-5)
    assert theirs.card.scoring.head == ("fused" if fused else "memory") and "3 good images" in theirs.card.label
    assert theirs.learned == ours.learned and len(ours.learned) == 6
    with pytest.raises(ModelError, match="carries no features"):
        theirs.features([part(1)])


def test_with_features_it_can_be_fitted_again(bundle, tmp_path):
    out = tmp_path / "b.onnx"
    assert invoke("export", "--model", str(bundle), "--features", "--out", str(out)).exit_code == 0
    a, b = (zsad.load(model).features([part(1)]) for model in (None, out))
    assert np.allclose(a.patches, b.patches, atol=1e-5)


def test_a_foreground_goes_in_too(bundle, tmp_path):
    from dataclasses import replace

    from zsad.scoring.foreground import Foreground

    found = read_bundle(bundle)
    direction = np.random.default_rng(0).standard_normal(128).astype(np.float32)
    masked = replace(found, memory=replace(found.memory, foreground=Foreground(direction, 0.05)))
    detector = masked.on(zsad.load())
    bake.bake(masked, detector, detector.source, tmp_path / "m.onnx")
    picture = part(51, spot=True)
    assert np.abs(detector(picture).map - zsad.load(tmp_path / "m.onnx")(picture).map).max() < 1e-4


def test_what_differs_is_not_written(bundle, tmp_path):
    found, other = read_bundle(bundle), zsad.load(bundle, fused=True)
    with pytest.raises(ModelError, match="not written, since it is too far"):
        bake.bake(found, other, other.source, tmp_path / "x.onnx", fused=False)
    assert not list(tmp_path.iterdir())


def test_it_runs_without_torch(bundle, tmp_path):
    """Nothing of torch is imported to export a bundle; the runtime reads what is written."""
    out, picture = tmp_path / "b.onnx", tmp_path / "p.png"
    part(51, spot=True).save(picture)
    code = ("import sys; sys.modules['torch'] = sys.modules['onnxscript'] = None; from zsad.cli import app; "
            f"app(['export', '--model', {str(bundle)!r}, '--out', {str(out)!r}])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "zsad.runtime", str(out), str(picture), "--json"]
    row = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert row["score"] == pytest.approx(zsad.load(bundle)(picture).score, abs=1e-4)
    assert OnnxDetector(out)(picture).score == pytest.approx(zsad.load(bundle)(picture).score, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "line"),
    [(["--int8"], "exported as it was fitted"), (["--prompt", "industrial"], "exported as it was fitted")],
)
def test_wrong_usage(bundle, tmp_path, options, line):
    done = invoke("export", "--model", str(bundle), "--out", str(tmp_path / "b.onnx"), *options)
    assert done.exit_code == 2 and line in done.stderr
    done = invoke("export", "--model", "tiny", "--fused", "--out", str(tmp_path / "b.onnx"))
    assert done.exit_code == 2 and "--fused is for bundles" in done.stderr


@pytest.mark.torch
def test_a_bundle_of_a_torch_backbone_is_exported_too(tmp_path):
    pytest.importorskip("open_clip")
    model = f"local-dir:{paths.asset('tiny/open_clip_config.json').parent}"
    options = {"rotations": "none", "foreground": "off", "image_size": 64}
    small = fit(folder(tmp_path / "good", 2), model, out=tmp_path / "bundle", **options)
    done = invoke("export", "--model", str(small.bundle.place), "--out", str(tmp_path / "b.onnx"))
    assert done.exit_code == 0, done.output
    ours, theirs = zsad.load(small.bundle.place), zsad.load(tmp_path / "b.onnx")
    assert not isinstance(ours, OnnxDetector) and theirs.card.scoring.head == "memory"
    assert theirs.learned == ours.learned and len(theirs.learned) == 4
    for picture in (part(50), part(51, spot=True)):
        a, b = ours(picture), theirs(picture)
        assert abs(a.score - b.score) < 1e-4 and np.abs(a.map - b.map).max() < 1e-3
