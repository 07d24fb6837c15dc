"""What CI leaves out where it runs the tests again: named tests exist, and "unreachable" is what the imports say."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
AGAIN = tomllib.loads((ROOT / ".ci" / "again.toml").read_text(encoding="utf-8"))
TORCH = {"torch", "torchvision", "open_clip", "timm", "kornia", "albumentations"}


@pytest.mark.parametrize("name", AGAIN)
def test_what_is_left_out_exists(name):
    for entries in AGAIN[name].values():
        assert entries == list(dict.fromkeys(entries))
        for entry in entries:
            path, _, test = entry.partition("::")
            assert (ROOT / path).exists(), entry
            assert not test or f"\ndef {test}(" in (ROOT / path).read_text(encoding="utf-8"), entry


def imported(path: Path) -> set[str]:
    """Every name that a file may import from zsad, modules among them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_what_is_unreachable_can_not_come_to_torch_nor_ask_for_it():
    """Imports inside of functions count; the package itself does too, since its lazy names lead everywhere."""
    grimp = pytest.importorskip("grimp", reason="comes with import-linter")
    graph = grimp.build_graph("zsad", include_external_packages=True, exclude_type_checking_imports=True)
    asking = {name for name in graph.modules if name.startswith("zsad") and "find_spec(" in _source(name)}
    ends = (TORCH & graph.modules) | asking | {"zsad"}
    assert {"torch", "zsad.detector.loading"} <= ends
    near = ends.union(*map(graph.find_downstream_modules, ends))
    for entry in AGAIN["torch-free"]["unreachable"]:
        path = ROOT / entry
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            assert imported(file) & near == set(), file


def _source(module: str) -> str:
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8") if path.is_file() else ""  # a folder of data
