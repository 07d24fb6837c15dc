"""Wheel and sdist hold what the first command needs, and it works outside of the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="building needs hatchling, of the dev extra")
    out = tmp_path_factory.mktemp("dist")
    # hatchling is the declared backend; calling it here needs no network for an isolated build.
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_wheel_carries_model_and_prompts(dist: Path):
    names = zipfile.ZipFile(next(dist.glob("*.whl"))).namelist()
    assert "zsad/assets/tiny.onnx" in names
    assert "zsad/_prompts/industrial.yaml" in names
    assert "zsad/py.typed" in names
    assert {"zsad/synthetic/words.yaml", "zsad/synthetic/families.yaml", "zsad/data/catalog.yaml"} <= set(names)
    # What made the model, measures it and tests it stays behind.
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"zsad"}
    assert not [name for name in names if "factory" in name or name.endswith("conftest.py")]


def test_sdist_carries_tests_and_examples(dist: Path):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    for wanted in (
        "tests/test_package.py",
        "conftest.py",
        "factory/pretrain.py",
        "prompts/industrial.yaml",
        "LICENSE",
        "README.md",
    ):
        assert any(name.endswith("/" + wanted) for name in names), wanted


def test_detect_from_the_wheel_outside_of_the_tree(dist: Path, tmp_path: Path):
    site, work = tmp_path / "site", tmp_path / "work"
    zipfile.ZipFile(next(dist.glob("*.whl"))).extractall(site)
    work.mkdir()
    shutil.copytree(ROOT / "examples", work / "examples")
    # The unpacked wheel stands before everything else on the path, so that the tree is not used.
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "zsad", "detect", "examples", "--out", "out", "--json", "out/results.jsonl"]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (work / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    pictures = [path for path in (ROOT / "examples").iterdir() if path.suffix in (".png", ".jpg")]
    assert len([row for row in rows if "score" in row]) == len(pictures)
    code = "import zsad; print(zsad.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code], cwd=work, env=environment, capture_output=True, text=True, check=True
    )
    assert where.stdout.strip().startswith(str(site))
