"""The cheap half of ``benchmarks/house.py``: the tree keeps its limits, and the measurement finds what breaks them."""

from __future__ import annotations

import json

import pytest

from benchmarks import house


def test_the_tree_keeps_its_limits(tmp_path, capsys):
    out = tmp_path / "house.json"
    assert house.main(["--no-env", "--no-wheel", "--json", str(out)]) == 0, capsys.readouterr().out
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["files"] > 100 and 10_000 < figures["lines"] <= 140 * figures["files"]
    assert (
        {"cli/detect.py", "detector/base.py"} <= set(figures["call_path"]) <= set(figures["touched_before_the_result"])
    )
    assert "images/preprocess.py" in figures["touched_before_the_result"]
    assert {"numpy", "PIL", "onnxruntime"} <= set(figures["detect_imports"]["others"])


def write(folder, **texts):
    for name, text in texts.items():
        path = folder / (name.replace("__of__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return house.sources(folder)


def test_sizes(tmp_path):
    text = "def f():\n    def g():\n        pass\n    return g\n\n\nasync def h(): ...\n"
    found = house.sizes(write(tmp_path / "p", __init__="", a=text, b__of__c="x = 1\n"))
    assert (found["files"], found["lines"]) == (3, 8)
    assert (found["mean_file"], found["longest_file"]) == (2.7, 7)
    assert found["longest_files"] == {"p.a": 7, "p.b.c": 1, "p": 0}
    assert found["longest_functions"] == {"p.a:f": 4, "p.a:g": 2, "p.a:h": 1}


@pytest.mark.parametrize(
    "line",
    ["import p.b.c", "from p.b import c", "from p.b.c import x", "from .b import c", "from .b.c import x",
     "def f():\n    from p.b.c import x"],
)  # fmt: skip
def test_a_cycle_is_found_however_it_is_written(tmp_path, line):
    modules = write(tmp_path / "p", __init__="", a=line, b__of__c="from p.a import f", b__of____init__="")
    graph = house.imports(modules)
    assert graph["p.b.c"] == {"p.a"} and "p.b.c" in graph["p.a"]
    assert set(house.cycle(graph)) == {"p.a", "p.b.c"}


def test_type_checking_and_other_packages_make_no_cycle(tmp_path):
    checking = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.b\nelse:\n    import p.c\n"
    graph = house.imports(write(tmp_path / "p", __init__="", a=checking, b="import p.a, json", c=""))
    assert graph == {"p": set(), "p.a": {"p.c"}, "p.b": {"p.a"}, "p.c": set()}
    assert house.cycle(graph) == []


def test_broken_limits_are_named(monkeypatch, tmp_path, capsys):
    figures = {
        "mean_file": 141,
        "longest_file": 360,
        "cycle": ["a", "b", "a"],
        "call_path": ["f"] * 12,
        "torch_modules": 0,
    }
    assert house.broken(figures) == ["mean_file: 141, at most 140", "cycle: 3, at most 0"]
    monkeypatch.setattr(house, "measure", lambda **_: figures)
    assert house.main(["--json", str(tmp_path / "x.json")]) == 1
    assert "broken limit: mean_file: 141, at most 140" in capsys.readouterr().out
