"""The listing keeps what the architecture promises."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import zsad
from zsad.errors import MissingExtraError

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "zsad").rglob("*.py"))
TORCH = ("torch", "torchvision", "open_clip", "timm", "kornia", "albumentations")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_quiet_and_pulls_in_nothing_heavy():
    code = (
        "import os, sys; before = dict(os.environ); import zsad;"
        f"heavy = [m for m in (*{TORCH!r}, 'onnxruntime', 'skimage', 'PIL', 'numpy') if m in sys.modules];"
        "assert dict(os.environ) == before; print(heavy)"
    )
    assert run(code) == "[]"


@pytest.mark.parametrize(
    "name", ["Detector", "ModelCard", "Region", "Result", "Sample", "Thresholds", "OnnxDetector", "evaluate", "load"]
)
def test_public_names_resolve_without_torch(name):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({TORCH!r}));"  # None blocks the import
        f"import zsad; print(zsad.{name}.__name__)"
    )
    assert run(code) == name


def test_public_names_are_listed():
    torch = importlib.util.find_spec("torch") is not None
    assert set(dir(zsad)) == set(zsad.__all__) - (set() if torch else {"TorchDetector", "train"})
    if not torch:
        with pytest.raises(MissingExtraError, match="torch"):
            zsad.train  # noqa: B018
    with pytest.raises(AttributeError, match="nonsense"):
        zsad.nonsense  # noqa: B018


def test_no_utils():
    banned = {"utils", "util", "common", "core", "helpers", "misc", "lib"}
    assert [p for p in SOURCES if p.stem in banned or p.parent.name in banned] == []


def test_nothing_is_put_on_the_path_by_hand():
    folders = ("zsad", "tests", "benchmarks", "factory", "export")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    assert len(files) > 200
    tricks = ("sys.path.insert", "sys.path.append", "syspath_prepend")
    assert [path for path in files if any(trick in path.read_text(encoding="utf-8") for trick in tricks)] == []


def test_content_folders_are_not_packages():
    for folder in ("prompts", "benchmarks", "export"):
        assert (ROOT / folder).is_dir()
        assert not (ROOT / folder / "__init__.py").exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module needs a docstring"


def test_nothing_is_unpickled_or_evaluated():
    calls = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            unsafe = name in ("eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "os.system")
            unsafe |= name == "torch.load" and "weights_only=True" not in ast.unparse(node)
            unsafe |= name.endswith("np.load") and "allow_pickle=False" not in ast.unparse(node)
            if unsafe:
                calls.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert calls == []
