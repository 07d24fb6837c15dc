"""``zsad line`` as a person types it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from tests.cli.test_commands import invoke
from tests.line.stations import parts, rows


def test_init_check_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("line", "init")
    assert done.exit_code == 0 and done.stdout == "wrote line.yaml; fill it in, then: zsad line check line.yaml\n"
    done = invoke("line", "init")
    assert done.exit_code == 2 and "is there already" in done.stderr
    done = invoke("line", "check", "line.yaml")
    assert done.exit_code == 2 and "parts: no such folder" in done.stderr
    parts(tmp_path / "parts", 2)
    done = invoke("line", "check", "line.yaml")
    assert done.exit_code == 0 and "warning: no thresholds: every part will be unjudged" in done.stderr
    assert "files wait in the folder" in done.stdout
    done = invoke("line", "run", "line.yaml", "--once", "--verbose")
    assert done.exit_code == 0 and "alarm: no-thresholds" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("2 parts recorded; in all 0 ok, 0 reject, 2 unjudged")
    assert [row["verdict"] for row in rows(tmp_path / "station.sqlite")] == ["unjudged"] * 2


def test_wrong_files_are_one_line(tmp_path):
    path = tmp_path / "line.yaml"
    for text, line in [
        ("sauce: {}", "unknown key 'sauce'"),
        ("source: {kind: trigger}", "has no end; leave --once out"),
        ("source: {kind: folder, path: .}\nmodel: nothing.onnx", "nothing.onnx"),
        ("source: {kind: folder, path: .}\nthresholds: no.json", "no.json: no such file"),
    ]:
        path.write_text(text)
        done = invoke("line", "run", str(path), "--once")
        assert done.exit_code in (1, 2) and line in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "station.sqlite").exists() or rows(tmp_path / "station.sqlite") == []


def test_a_request_to_end_is_a_clean_stop(tmp_path):
    parts(tmp_path / "parts", 3)
    (tmp_path / "line.yaml").write_text("source: {kind: folder, path: parts, settle_ms: 0}\n")
    code = "import sys; sys.argv[0] = 'zsad'; from zsad.cli import main; main()"
    running = subprocess.Popen([sys.executable, "-c", code, "line", "run", "line.yaml"], cwd=tmp_path,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.1)
        if (tmp_path / "station.sqlite").is_file():
            try:
                if len(rows(tmp_path / "station.sqlite")) == 3:
                    break
            except Exception:  # not made yet
                continue
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    assert b"3 parts recorded" in out
