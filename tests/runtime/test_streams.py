"""``python -m zsad.runtime`` whose output is closed, full, or cut off by a signal, ends as ``zsad detect`` does."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hint_place import SMALL, noise
from zsad.runtime.__main__ import main


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SMALL, "small.onnx")
    noise(Path("part.png"), 0)
    return tmp_path


def ended(arguments: str) -> tuple[int, list[str]]:
    shell = f'"{sys.executable}" -m zsad.runtime {arguments}'
    done = subprocess.run(shell, shell=True, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stderr.decode().splitlines()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("redirect", "code", "lines"), [(">/dev/full", 1, 1), (">&-", 1, 1), ("2>&-", 0, 0), ("2>/dev/full", 0, 0)]
)
def test_a_closed_or_full_stream_is_at_most_one_line(place, redirect, code, lines):
    got, said = ended(f"small.onnx part.png {redirect}")
    assert (got, len(said)) == (code, lines), said
    assert all(line.startswith("zsad.runtime: standard output: can't be written") for line in said)


def test_wrong_usage_keeps_its_code_where_nobody_reads(place):
    assert ended("none.onnx part.png 2>&-")[0] == 1 and ended("small.onnx part.png --rule score 2>&-")[0] == 2


def test_being_asked_to_end_is_one_line(place):
    code = (
        "import signal, sys, zsad.runtime.__main__ as runtime\n"
        "from zsad.terminal import run\n"
        "runtime.inspect = lambda *_: signal.raise_signal(signal.SIGTERM)\n"
        "sys.exit(run(lambda: runtime.main(['small.onnx', 'part.png']), runtime.PROGRAM))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, b"zsad.runtime: terminated\n")


def test_a_name_is_shown_and_not_obeyed(place, capsys):
    noise(place / "red\x1b[31m.png", 1)
    assert main(["small.onnx", "red\x1b[31m.png"]) == 0
    assert capsys.readouterr().out.startswith("red\\x1b[31m.png  ")


def test_long_names_have_their_maps_and_too_long_ones_are_rows(place, capsys):
    long, impossible = "a" * 251 + ".png", "b" * 300 + ".png"
    noise(place / long, 1)
    assert main(["small.onnx", long, impossible, "--out", "maps", "--threshold", "1"]) == 1
    assert len(list(Path("maps").iterdir())) == 1 and capsys.readouterr().err.count("\n") == 1
    code, said = ended(f"small.onnx part.png --out {'c' * 300}")
    assert code == 1 and len(said) == 1 and said[0].startswith("zsad.runtime: ccc") and "too long" in said[0].lower()
