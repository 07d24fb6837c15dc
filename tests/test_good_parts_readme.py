"""The README's section "You have good parts", run as it stands, on drawn parts in the place of the solar cells."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys

import pytest
from typer.testing import CliRunner

from benchmarks import solar_cells
from zsad import paths
from zsad.cli import app
from zsad.fitting import trial

from .fitting.pictures import part

FEWER = {"200": "6", "499": "26", "699": "30", "100": "3"}
"""Places in lists of cells: 6 to learn from, 20 to calibrate on, 4 good and 3 defective ones to judge."""
PLACES = re.compile(r"(?<=:)(200|499|699|100)(?=\])|(?<=\[)(200|499)(?=:)")


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """A package of the form of elpv-dataset, of drawn parts."""
    data = tmp_path / "site" / "elpv_dataset" / "data"
    (data / "images").mkdir(parents=True)
    (data.parent / "__init__.py").write_text("")
    lines = []
    for number in range(36):
        bad = number >= 32
        name = f"images/cell{number:04d}.png"
        part(number, bad).save(data / name)
        lines.append(f"{name}  {float(bad)}  {'mono' if number % 2 else 'poly'}")
    (data / "labels.csv").write_text("\n".join([*lines, "images/cell9999.png  0.3333333333  mono"]) + "\n")
    monkeypatch.setitem(sys.modules, "elpv_dataset", package_at(data.parent))
    monkeypatch.setattr(trial, "DEFECTS", 1)


def package_at(folder):
    """A package as an import leaves it, with a spec by which its files are found."""
    spec = importlib.util.spec_from_file_location(folder.name, folder / "__init__.py",
                                                  submodule_search_locations=[str(folder)])  # fmt: skip
    return importlib.util.module_from_spec(spec)


@pytest.fixture
def run(monkeypatch):
    """Run a command of the section here; a drawn model takes the place of the one that a package brings."""

    def one(words, folder):
        monkeypatch.chdir(folder)
        if words[:3] == ["zsad", "models", "get"]:
            shutil.copy(paths.asset("tiny.onnx"), words[words.index("--out") + 1])
            return ""
        if words[0] == "python":
            text = PLACES.sub(lambda place: FEWER[place[0]], solar_cells.script())
            exec(compile(text, "cells.py", "exec"), {})
            return ""
        more = []
        if words[1] == "calibrate":
            refused = CliRunner().invoke(app, words[1:])
            assert refused.exit_code == 1 and "n = 20 supports 13.9 %" in refused.stderr, refused.output
            more = ["--accept-rate"]
        done = CliRunner().invoke(app, [*words[1:], *more], env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.output

    return one


def test_the_walk_through_the_solar_cells(cells, run, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    steps = list(solar_cells.walk(folder, run))
    verbs = [step["command"].split()[:2][-1] for step in steps]
    assert verbs == ["models", "cells.py", "fit", "calibrate", "detect"]
    assert {kind: one["cells"] for kind, one in solar_cells.judged(folder).items()} == {"good": 4, "bad": 3}
    assert solar_cells.judged(folder)["bad"]["rejected"] == 3
    thresholds = json.loads((folder / "cells.json").read_text())
    assert thresholds["n"] == 20 and thresholds["guarantee"]
    assert (folder / "judged" / "report.html").is_file()


def test_what_the_section_promises_is_what_order_statistics_say():
    text = solar_cells.section()
    assert "299 good cells support a promise of 1 %" in text and "20 support 13.9 %" in text
    assert pytest.approx(0.139, abs=5e-4) == 1 - 0.05 ** (1 / 20)
    assert 0.99**299 < 0.05 < 0.99**298
