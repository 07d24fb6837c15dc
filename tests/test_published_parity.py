"""Parity with the published method, from the small fixtures of the tree and from the full ones where they are."""

import json

import pytest
import torch

from tests.golden_support import FULL, ROOT, parity


def run(arguments, capsys):
    code = parity.main([str(a) for a in arguments])
    return code, capsys.readouterr().out.strip().splitlines()


def test_small_fixtures(capsys, tmp_path):
    code, lines = run([ROOT / "tests" / "golden", "--json", tmp_path / "parity.json"], capsys)
    assert code == 0, [line for line in lines if line.startswith("FAIL")]
    assert lines[-1].startswith("parity PASS: 1")
    assert any("T_fp64.npz is not in this folder" in line for line in lines)
    report = json.loads((tmp_path / "parity.json").read_text())
    assert report["passed"] and report["run"]["packages"]["torch"] == torch.__version__.split("+")[0]
    for part in ("preprocess", "tokenizer", "ops", "metrics", "T"):
        assert any(q["where"] == part for q in report["quantities"])


@pytest.mark.skipif(not FULL.is_dir(), reason="the full fixtures are not beside this checkout")
def test_full_fixtures(capsys):
    code, lines = run([FULL, "--quiet"], capsys)
    assert code == 0 and lines[-1].startswith("parity PASS"), lines


def test_a_wrong_number_fails_and_a_damaged_file_is_no_traceback(capsys, tmp_path):
    import numpy as np

    with np.load(ROOT / "tests" / "golden" / "ops.npz") as data:
        ops = dict(data)
    ops["gauss_big.out"] = ops["gauss_big.out"] + 1e-3
    np.savez(tmp_path / "ops.npz", **ops)
    (tmp_path / "metrics.npz").write_bytes(b"PK nothing")
    code, lines = run([tmp_path], capsys)
    assert code == 1
    assert any(line.startswith("FAIL") and "gauss_big" in line for line in lines)
    assert any(line.startswith("FAIL") and "metrics.npz" in line for line in lines)
    assert lines[-1].startswith("parity FAIL: 2 of")


def test_nothing_to_compare(capsys, tmp_path):
    code, lines = run([tmp_path / "absent"], capsys)
    assert code == 2 and "no fixtures there" in lines[-1]


def test_small_fixtures_stay_small():
    size = sum(file.stat().st_size for file in (ROOT / "tests" / "golden").iterdir())
    assert size < 3_000_000
