"""Parity with the published video models, from the small fixtures of the tree and from all where they are."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import parity_video

ROOT = Path(__file__).resolve().parents[3]
SMALL = ROOT / "tests" / "golden" / "video"
FULL = ROOT.parent / "shared" / "golden_video"


def run(arguments, capsys):
    code = parity_video.main([str(a) for a in arguments])
    return code, capsys.readouterr().out.strip().splitlines()


def test_small_fixtures(capsys):
    code, lines = run([SMALL], capsys)
    assert code == 0, [line for line in lines if line.startswith("FAIL")]
    assert lines[-1].startswith("parity PASS: ")
    for part in ("sampling", "segments", "sampler", "vador", "ovvad", "frames", "list", "detection", "fullsize"):
        assert any(line.split()[1] == part for line in lines if line.startswith("ok"))


@pytest.mark.skipif(not FULL.is_dir(), reason="the full fixtures are not beside this checkout")
def test_all_fixtures(capsys):
    code, lines = run([FULL, "--quiet"], capsys)
    assert code == 0 and lines[-1].startswith("parity PASS: "), lines


def test_a_wrong_number_fails_and_a_damaged_file_is_no_traceback(capsys, tmp_path):
    with np.load(SMALL / "urdmu_segments.npz") as data:
        arrays = dict(data)
    arrays["long.out"] = arrays["long.out"] + 1e-3
    np.savez(tmp_path / "urdmu_segments.npz", **arrays)
    (tmp_path / "vadclip_sampling.npz").write_bytes(b"PK nothing")
    code, lines = run([tmp_path], capsys)
    assert code == 1 and lines[-1].startswith("parity FAIL: 2 of")
    assert any(line.startswith("FAIL") and "long.out" in line for line in lines)
    assert any(line.startswith("skip") and "sampler.json" in line for line in lines)


def test_nothing_to_compare(capsys, tmp_path):
    code, lines = run([tmp_path / "absent"], capsys)
    assert code == 2 and "no fixtures there" in lines[-1]
