"""What keeps the tree in order: lowest versions, the tidiness check, pre-commit, version and changelog."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import zsad

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HOOKS = ROOT / ".pre-commit-config.yaml"
needs_pre_commit = pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="needs the dev extra")


def script(name: str) -> dict:
    return runpy.run_path(str(ROOT / ".ci" / name))


def test_lowest_pins_every_dependency_of_the_core():
    declared = PYPROJECT["project"]["dependencies"]
    done = subprocess.run([sys.executable, ROOT / ".ci" / "lowest.py"], capture_output=True, text=True, check=True)
    pins = dict(line.split("==") for line in done.stdout.split())
    assert len(pins) == len(declared) > 10
    assert all(any(text.startswith(f"{name}>={version}") for text in declared) for name, version in pins.items())


@pytest.mark.parametrize("text", ["numpy", "numpy==1.26", "numpy<2", "numpy>1.26", "a @ file:///b"])
def test_lowest_refuses_what_has_no_lower_bound(text):
    with pytest.raises(ValueError, match="lower bound"):
        script("lowest.py")["lowest"]([text])


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("a.py", b"x = 1\n", []),
        ("a.py", b"", []),
        ("a.py", b"x = 1 \n\ty\n", ["a.py:1: white space at the end"]),
        ("a.md", b"x\r\n", ["a.md:1: white space at the end"]),
        ("a.py", b"x = 1", ["a.py: must end with one line break"]),
        ("LICENSE", b"x\n\n", ["LICENSE: must end with one line break"]),
        ("a.png", b"x \n\n", []),
        ("tests/golden/a.json", b"{}", []),
        ("a.png", bytes(500_001), ["a.png: 500 kB, above 500 kB; make it smaller, or list it in .ci/tidy.py"]),
        ("zsad/assets/tiny.onnx", bytes(500_001), []),
    ],
)
def test_tidy(tmp_path, name, data, found):
    path = tmp_path / "file"
    path = path.with_suffix(Path(name).suffix)
    path.write_bytes(data)
    assert script("tidy.py")["findings"](path, name) == found


def test_large_files_that_are_listed_exist():
    assert all((ROOT / name).is_file() for name in script("tidy.py")["LARGE"])


def test_hooks_fetch_nothing_and_call_what_the_dev_extra_brings():
    dev = " ".join(PYPROJECT["project"]["optional-dependencies"]["dev"])
    package = {"ruff": "ruff", "mypy": "mypy", "lint-imports": "import-linter"}
    repos = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    for hook in repos[0]["hooks"]:
        program, *rest = hook["entry"].split()
        assert hook["language"] == "system"
        assert (ROOT / rest[0]).is_file() if program == "python" else package[program] in dev


@needs_pre_commit
def test_hooks_pass_good_files_and_stop_bad_ones(tmp_path):
    for name in ("pyproject.toml", ".pre-commit-config.yaml", ".ci/tidy.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    place = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
        "PATH": f"{place}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
        "RUFF_NO_CACHE": "true",
    }

    def hook(name: str, file: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pre_commit", "run", name, "--files", file]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, env=environment, check=True)
    (tmp_path / "good.py").write_text('"""A module."""\n\nVALUE = 1\n', encoding="utf-8")
    (tmp_path / "bad.py").write_text('"""A module."""\nimport os\nVALUE  = 1 \n', encoding="utf-8")
    subprocess.run(["git", "add", "."], cwd=tmp_path, env=environment, check=True)
    for name, reason in (
        ("ruff-check", "F401"),
        ("ruff-format", "would be reformatted"),
        ("tidy", "bad.py:3: white space"),
    ):
        code, output = hook(name, "good.py")
        assert code == 0, output
        code, output = hook(name, "bad.py")
        assert code == 1 and reason in output, output


@needs_pre_commit
@pytest.mark.parametrize("module", ["mypy", "importlinter.cli"])
def test_slow_hooks_are_installed(module):
    assert importlib.util.find_spec(module)


def test_version_is_one_and_has_its_changelog():
    assert PYPROJECT["project"]["version"] == zsad.__version__
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert first and first[1] == zsad.__version__
