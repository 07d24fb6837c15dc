"""Test session set-up: what may be skipped, and what an environment without torch can't run."""

from __future__ import annotations

import importlib.util
import os
import re
import tomllib
from pathlib import Path

import pytest

# Workers share the processors. Two of them with two threads each would wait for each other; this is set before torch
# is imported, and is handed on to the programs that tests start.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable // workers)))

_LEFT_OUT = pytest.StashKey[set[str]]()
HAS_TORCH = importlib.util.find_spec("torch") is not None

# Packages, and folders of tests, that are about torch as a whole.
_TORCH_PACKAGES = {"backbone", "training", "onnx_export", "weak", "factory"}
# A module that imports one of these at its top needs the torch extra.
_NEEDS_TORCH = re.compile(
    r"^(?:import|from) (?:torch|torchvision|open_clip|timm|kornia|albumentations|onnx|onnxscript)\b"
    r"|^from (?:factory|zsad\.(?:backbone|detector\.torch_detector|training|onnx_export|video\.weak))\b"
    r"|^from zsad\.scoring\.(?:direction|memory)_head\b"
    r"|^from zsad\.prompt\.(?:apply|class_learner|ensemble|learner|published)\b"
    r"|^pytestmark = pytest\.mark\.torch\b"
    r'|^torch = pytest\.importorskip\("torch"\)',
    re.MULTILINE,
)


ROOT = Path(__file__).parent
AGAIN = ROOT / ".ci" / "again.toml"
"""What a second or third run need not show again, with the reasons."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--again", choices=("torch-free", "lowest"), help="leave out what .ci/again.toml lists: the first run has it"
    )
    parser.addoption(
        "--require-system", action="store_true", help="a skipped `system` test counts as a failure (for CI)"
    )
    parser.addoption(
        "--factory", action="store_true", help="run the long tests of how the bundled model was made (a minute) too"
    )


def pytest_configure(config: pytest.Config) -> None:
    again = config.getoption("--again")
    lists = tomllib.loads(AGAIN.read_text(encoding="utf-8"))[again].values() if again else ()
    config.stash[_LEFT_OUT] = {entry for entries in lists for entry in entries}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what another run has shown and, without torch, what needs it; the header says so."""
    if collection_path.is_relative_to(ROOT) and collection_path.relative_to(ROOT).as_posix() in config.stash[_LEFT_OUT]:
        return True
    if HAS_TORCH:
        return None
    if collection_path.is_dir():
        return True if collection_path.name in _TORCH_PACKAGES else None
    if collection_path.suffix != ".py":
        return None
    return True if _NEEDS_TORCH.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another run has shown, and the tests marked `factory` unless the command line asks for them."""
    long = not config.getoption("--factory")
    left_out = [
        item for item in items
        if (long and item.get_closest_marker("factory")) or item.nodeid.partition("[")[0] in config.stash[_LEFT_OUT]
    ]  # fmt: skip
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_report_header(config: pytest.Config) -> list[str]:
    torch = "torch: installed" if HAS_TORCH else "torch: absent, files that need it are not collected"
    lines = [torch] if config.getoption("--factory") else [torch, "factory: its long tests run with --factory"]
    if again := config.getoption("--again"):
        lines.append(f"again: {len(config.stash[_LEFT_OUT])} entries of .ci/again.toml under {again} are left out")
    return lines


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    outcome = yield
    report = outcome.get_result()
    strict = item.config.getoption("--require-system") and item.get_closest_marker("system")
    if strict and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a system test was skipped ({report.longrepr}), with --require-system"
