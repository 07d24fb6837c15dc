"""Measure the house itself: files, lines, functions, what `detect` imports and passes through, what is installed.

    python benchmarks/house.py [--no-env] [--no-wheel] [--json benchmarks/results/house.json]

Prints one line per quantity and writes them as JSON. Exit code 1 if a limit is broken: files in ``zsad/`` of at most
140 lines in the mean and 360 at most, no import cycle, at most 12 files on the call path from the ``detect`` command
to the Result, and no torch among the modules that ``detect`` imports. The house that images alone live in had 183
files and 23,920 lines (e1f2c6d, limits 185 and 24,000); rooms that come to it add to both, so what stays bounded is
the size of a file. The environment takes a minute (a new venv with ``pip install .``); ``--no-env`` leaves it out. MB
are 10^6 bytes.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
import venv
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from benchmarks import house_trace
from zsad.suites import record

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "zsad"
RESULTS = ROOT / "benchmarks" / "results" / "house.json"
LIMITS = {"mean_file": 140, "longest_file": 360, "cycle": 0, "call_path": 12, "torch_modules": 0}
"""Largest value of each bounded quantity."""
SHOWN = 5
"""Longest files and functions that are named."""

_SIZES = """
import importlib.metadata as metadata, json
own = {"pip", "setuptools", "wheel"}
sizes = {}
for found in metadata.distributions():
    if found.name not in own:
        places = (found.locate_file(file) for file in found.files or ())
        sizes[found.name] = sum(place.stat().st_size for place in places if place.is_file())
print(json.dumps(sizes))
"""


def sources(package: Path) -> dict[str, Path]:
    """Return every module of a package by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def sizes(modules: dict[str, Path]) -> dict[str, Any]:
    """Count files and lines, and name the longest files and functions."""
    lines, functions = {}, {}
    for name, path in modules.items():
        text = path.read_text(encoding="utf-8")
        lines[name] = text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{name}:{node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    return {
        "files": len(modules),
        "lines": sum(lines.values()),
        "mean_file": round(sum(lines.values()) / len(lines), 1),
        "longest_file": max(lines.values()),
        "longest_files": _largest(lines),
        "longest_functions": _largest(functions),
    }


def _largest(values: dict[str, int]) -> dict[str, int]:
    return dict(sorted(values.items(), key=lambda item: -item[1])[:SHOWN])


def imports(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Return which modules of the package each one imports, inside functions as well; not for type checking only."""
    return {name: _imported(path, name, modules) - {name} for name, path in modules.items()}


def _imported(path: Path, name: str, modules: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & modules.keys()
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:  # `from zsad import paths` imports the module zsad.paths, not what is in zsad
                found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base} & modules.keys()
        waiting += ast.iter_child_nodes(node)
    return found


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return one import cycle, first module repeated at its end, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def detected() -> dict[str, Any]:
    """Run ``zsad detect`` on one image, twice in new processes: what it imports, and what it passes through."""
    with tempfile.TemporaryDirectory() as place:
        image = house_trace.draw(Path(place) / "one.png")
        seen = {way: _traced(way, image, Path(place) / way) for way in ("modules", "path")}
    ours = [name for name in seen["modules"]["modules"] if name.split(".")[0] == "zsad"]
    others = sorted({name.split(".")[0] for name in seen["modules"]["modules"]} - {"zsad"} - sys.stdlib_module_names)
    return {
        "detect_imports": {"ours": len(ours), "others": [n for n in others if not n.startswith(("_", "house"))]},
        "torch_modules": sum(name.split(".")[0] == "torch" for name in seen["modules"]["modules"]),
        "call_path": seen["path"]["stack"],
        "touched_before_the_result": seen["path"]["touched"],
    }


def _traced(way: str, image: Path, out: Path) -> dict[str, list[str]]:
    command = [sys.executable, house_trace.__file__, way, str(image), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"zsad detect failed under {' '.join(command)}: {done.stderr[-2000:]}")
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def wheel_mb() -> float:
    """Build the wheel and return its size."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return round(sum(path.stat().st_size for path in Path(place).glob("*.whl")) / 1e6, 2)


def environment_mb() -> dict[str, float]:
    """Install the core into a new environment and return the size of each package, largest first."""
    with tempfile.TemporaryDirectory() as place:
        venv.create(place, with_pip=True)
        python = Path(place) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True, capture_output=True)
        done = subprocess.run([python, "-c", _SIZES], check=True, capture_output=True, text=True, cwd=place)
    found: dict[str, int] = json.loads(done.stdout)
    return {name: round(size / 1e6, 1) for name, size in sorted(found.items(), key=lambda item: -item[1])}


def measure(wheel: bool = True, environment: bool = True) -> dict[str, Any]:
    """Return every figure of the tree."""
    modules = sources(PACKAGE)
    figures = sizes(modules) | {"cycle": cycle(imports(modules))} | detected()
    if wheel:
        figures["wheel_mb"] = wheel_mb()
    if environment:
        packages = environment_mb()
        figures |= {"environment_mb": round(sum(packages.values()), 1), "environment_mb_by_package": packages}
    return figures


def broken(figures: dict[str, Any]) -> list[str]:
    """Return one line for each limit that the figures break."""
    found = []
    for name, limit in LIMITS.items():
        value = figures[name] if isinstance(figures[name], int | float) else len(figures[name])
        if value > limit:
            found.append(f"{name}: {value}, at most {limit}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Size and shape of the source tree.")
    parser.add_argument("--no-env", action="store_true", help="leave out the new environment")
    parser.add_argument("--no-wheel", action="store_true", help="leave out the wheel")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    figures = measure(wheel=not options.no_wheel, environment=not options.no_env)
    problems = broken(figures)
    for name, value in figures.items():
        count = f"{len(value)}: " if isinstance(value, list) else ""
        print(f"{name}: {count}{value if not isinstance(value, list) else ', '.join(value) or '-'}")
    report = {"benchmark": "house", "limits": LIMITS, "broken": problems} | figures
    report |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print("\n".join(f"broken limit: {line}" for line in problems) or "every limit holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
