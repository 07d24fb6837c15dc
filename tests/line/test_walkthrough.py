"""The walk of ``export/README.md``, as it stands there: good parts, thresholds, a station, verdicts over OPC UA."""

import re
import shlex
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from export.examples import read_opcua
from tests.fitting.pictures import folder
from tests.line.stations import rows
from tests.line.test_remote import free_port, until
from zsad.cli import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "export" / "README.md").read_text(encoding="utf-8")
WALK = TEXT.split("## From good parts to verdicts")[1].split("## What a station promises")[0]
QUICK = {
    "fit": ["--rotations", "none", "--foreground", "off"],
    "calibrate": ["--false-reject", "0.4", "--confidence", "0.5"],
}
"""What makes the walk short: of few parts, a station would be given more."""


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", WALK, re.S)


def test_the_walk(tmp_path, monkeypatch):
    pytest.importorskip("asyncua")
    import asyncio

    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "good", 3)
    folder(tmp_path / "more_good", 3, first=20)
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith(("zsad ", "mkdir "))]
    assert [line.split()[1] for line in commands] == ["fit", "calibrate", "parts", "line", "line", "line"]
    Path(commands.pop(2).split()[1]).mkdir()
    folder(tmp_path / "parts", 1, first=60, spot=True, name="spoilt")
    for line in commands[:3]:
        words = shlex.split(line)[1:]
        done = CliRunner().invoke(app, [*words, *QUICK.get(words[0], [])])
        assert done.exit_code == 0, done.output
    port = free_port()
    Path("line.yaml").write_text(blocks("yaml")[0].replace("4840", str(port)))
    done = CliRunner().invoke(app, shlex.split(commands[3])[1:])
    assert done.exit_code == 0 and "no thresholds" not in done.output, done.output
    from zsad.line.opening import opened
    from zsad.line.settings import read_line

    stop, heard = threading.Event(), {}
    with opened(read_line("line.yaml")) as station:

        def listen():
            until(lambda: station.health.total == 1, 120)
            time.sleep(1.1)
            heard.update(asyncio.run(read_opcua.read(f"opc.tcp://127.0.0.1:{port}/zsad")))
            stop.set()

        thread = threading.Thread(target=listen)
        thread.start()
        station.run(stop)
        thread.join()
    last = rows(tmp_path / "station.sqlite")[-1]
    assert heard["LastPart/Verdict"] == last["verdict"] == "reject" and heard["LastPart/Id"] == last["id"]
    assert heard["Counters/Total"] == 1 and heard["Alarms"] == []
    assert len((tmp_path / "parts.jsonl").read_text().splitlines()) == 1


def test_the_first_commands_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("### A station on a line")[1]
    commands = [line for line in text.split("```")[1].splitlines() if line.startswith(("zsad ", "mkdir "))]
    assert commands.pop(0) == "mkdir parts" and commands[-1] == "zsad line run line.yaml"
    Path("parts").mkdir()
    for line in commands[:-1]:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, done.output


def test_names_are_documented():
    from zsad.line.database import COLUMNS
    from zsad.line.sinks.modbus import MAP

    table = TEXT.split("### SQLite")[1].split("### OPC UA")[0]
    assert re.findall(r"^\| `(\w+)` ", table, re.M) == list(COLUMNS)
    registers = TEXT.split("### Modbus TCP")[1].split("### MQTT")[0]
    for _, name, _ in MAP:
        assert name in registers
    for name in read_opcua.NAMES:
        assert name.rsplit("/", 1)[-1] in TEXT.split("### OPC UA")[1].split("### Modbus")[0]


def test_what_systemd_is_told(tmp_path, monkeypatch):
    import socket

    from zsad.line.notify import notify

    notify("READY=1")
    if sys.platform == "win32":
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "s"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
        notify("READY=1")
        assert server.recv(100) == b"READY=1"
