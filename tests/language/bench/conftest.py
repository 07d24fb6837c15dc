"""How tests of benchmarks run the command."""

from __future__ import annotations

import json
from functools import cache

import pytest
import typer
from typer.testing import CliRunner

from zsad.cli import app


@cache
def command():
    """The command line, built once."""
    return typer.main.get_command(app)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Run ``zsad video bench`` into ``tmp_path / "out"`` (or another), and give what it printed and its figures."""

    # Each call would build every command anew; without this it does so, too, and takes its time.
    monkeypatch.setattr("typer.testing._get_command", lambda app: command(), raising=False)

    def run(name, data, *arguments, out="out"):
        words = ["video", "bench", name, data, *arguments, *(["--out", tmp_path / out] if out else [])]
        done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
        done.flat = " ".join(done.output.split())
        results = tmp_path / out / "results.json" if out else None
        done.said = json.loads(results.read_text()) if results is not None and results.exists() else {}
        done.figures = {(row["task"], row["metric"]): row for row in done.said.get("figures", [])}
        assert "Traceback" not in done.output
        return done

    return run
