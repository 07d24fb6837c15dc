import pytest
import yaml

from zsad.detector.providers import CPU, offered
from zsad.errors import ConfigError, ProviderError, UsageError
from zsad.line.checking import check_line
from zsad.line.database import Database, Message
from zsad.line.example import EXAMPLE
from zsad.line.model import load_model
from zsad.line.settings import Folder, Trigger, line_of
from zsad.line.sinks.settings import Csv
from zsad.line.telling import sinks_of


def said(**more):
    return {"source": {"kind": "folder", "path": "parts"}, **more}


def test_the_example_is_a_configuration(tmp_path):
    line = line_of(yaml.safe_load(EXAMPLE), tmp_path / "press.yaml")
    assert line.source == Folder(tmp_path / "parts") and line.sinks == () and line.name == "press"
    assert line.database == tmp_path / "station.sqlite" and line.model is None and line.thresholds is None


def test_every_commented_key_of_the_example_is_one(tmp_path):
    commented = [text.lstrip("# ").split("  #")[0].rstrip() for text in EXAMPLE.splitlines() if ": " in text]
    sources = [yaml.safe_load(text.split("}")[0] + "}") for text in commented if text.startswith("source: {")]
    sinks = [yaml.safe_load(text.split("}")[0] + "}") for text in commented if text.startswith("- {kind")]
    kinds = {line_of(given, tmp_path / "line.yaml").source.__class__ for given in sources}
    assert len(kinds) == len(sources) >= 4
    assert len({line_of(said(sinks=given), tmp_path / "line.yaml").sinks[0].__class__ for given in sinks}) >= 5


def test_paths_are_relative_to_the_file(tmp_path):
    line = line_of(said(database="db/s.sqlite", thresholds="t.json", sinks=[{"kind": "csv", "path": "a.csv"}]),
                   tmp_path / "line.yaml")  # fmt: skip
    assert line.database == tmp_path / "db" / "s.sqlite" and line.thresholds == tmp_path / "t.json"
    assert line.sinks == (Csv(tmp_path / "a.csv"),)
    trigger = line_of({"source": {"kind": "trigger"}}, tmp_path / "line.yaml").source
    assert trigger == Trigger(tmp_path)


def test_sinks_have_names_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_WEBHOOK_SECRET", "shh")

    def names(*given):
        sinks = [{"kind": "webhook", "url": "http://a/", **one} for one in given]
        return [sink.name for sink in sinks_of(line_of(said(sinks=sinks), tmp_path / "line.yaml"))]

    assert names({}, {"name": "mes"}, {}) == ["webhook", "mes", "webhook-2"]
    with pytest.raises(UsageError, match="two sinks are called mes; give each a name of its own"):
        names({"name": "mes"}, {"name": "mes"})
    with pytest.raises(ConfigError, match="name must have at most 40 letters"):
        names({"name": "a b"})


def test_what_a_person_should_know_of_the_sinks(tmp_path):
    (tmp_path / "parts").mkdir()
    database = Database(tmp_path / "station.sqlite")
    database.commit([], [Message("mqtt", "alarms", "a", "{}")])
    database.close()
    sinks = [{"kind": "modbus", "hold_ms": 0}, {"kind": "modbus"}, {"kind": "modbus", "handshake": True, "hold_ms": 0}]
    pytest.importorskip("pymodbus")
    found = check_line(line_of(said(sinks=sinks), tmp_path / "line.yaml"))
    assert sum("shows parts that no PLC sees" in warning for warning in found.warnings) == 1
    assert sum("for which messages wait (1)" in warning for warning in found.warnings) == 1


def test_a_station_runs_on_the_device_that_it_names_and_on_no_other(tmp_path):
    (tmp_path / "parts").mkdir()
    assert load_model(line_of(said(device="cpu"), tmp_path / "line.yaml")).detector.providers == [CPU]
    for device in ("cuda", "NoSuchExecutionProvider"):
        if device == "cuda" and "CUDAExecutionProvider" in offered():
            continue
        with pytest.raises(ProviderError, match="is not available here"):
            load_model(line_of(said(device=device), tmp_path / "line.yaml"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sources": {}}, "unknown key 'sources'"),
        ({}, "source is missing"),
        (said(password="x"), "unknown key 'password'"),
        ({"source": {"kind": "folder"}}, "path is missing"),
        ({"source": {"kind": "pigeon"}}, "kind must be one of folder"),
        ({"source": {"kind": "folder", "path": "a", "poll": 3}}, "unknown key 'poll'"),
        (said(decision={"k": 3, "n": 2}), "k is 3 of n 2"),
        (said(decision={"roi": [[[0, 0], [2, 0], [1, 1]]]}), "corner outside"),
        (said(sinks=[{"kind": "mqtt", "password": "x"}]), "unknown key 'password'"),
        (said(sinks={"csv": {}}), "sinks must be a list"),
        (said(sinks=[{"kind": "webhook", "url": "file:///etc/passwd"}]), "url must begin with http"),
        (said(sinks=[{"kind": "webhook", "url": "http://a:b@c/"}]), "secrets come from the environment"),
        ({"source": {"kind": "camera", "address": "rtsp://me:secret@10.0.0.5/s"}}, "secrets come from the environment"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, data, message):
    with pytest.raises(ConfigError, match=message) as caught:
        line_of(data, tmp_path / "line.yaml")
    assert "\n" not in str(caught.value) and "secret@" not in str(caught.value)
