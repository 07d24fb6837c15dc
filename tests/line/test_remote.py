"""Sinks that speak to others, each against the client, or the broker, that people use."""

import asyncio
import json
import math
import shutil
import socket
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.line.stations import line, parts, rows, run
from tests.line.test_sources import Running
from zsad.errors import OutputError, UsageError
from zsad.line.couriers import Courier
from zsad.line.database import Message
from zsad.line.health import Health
from zsad.line.part import failed
from zsad.line.sinks.modbus import ModbusServer
from zsad.line.sinks.settings import Modbus, Mqtt, Opcua, Webhook
from zsad.line.sinks.webhook import signature


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def until(test, seconds=45):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end
        time.sleep(0.02)


class Receiver(HTTPServer):
    """Keeps what is posted; refuses the first ``broken`` posts."""

    def __init__(self, broken=0):
        self.got, self.broken = [], broken
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.broken -= 1
            if self.server.broken < 0:
                self.server.got.append((dict(self.headers), body))
            self.send_response(503 if self.server.broken >= 0 else 204)
            self.end_headers()

        def log_message(self, *_):
            pass


def test_a_webhook_is_signed_and_gets_every_part_after_failures(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_WEBHOOK_SECRET", "shh")
    parts(tmp_path / "parts", 3, bad=(1,))
    receiver = Receiver(broken=1)
    sinks = [{"kind": "webhook", "url": f"http://127.0.0.1:{receiver.server_port}/parts?x=1"}]
    run(line(tmp_path, sinks=sinks))
    receiver.shutdown()
    told = [(head, body) for head, body in receiver.got if head["X-Zsad-Topic"] == "parts"]
    assert [json.loads(body)["reject"] for _, body in told] == [False, True, False]
    for head, body in told:
        assert head["X-Zsad-Signature"] == signature(b"shh", head["X-Zsad-Time"], body)
        assert head["Idempotency-Key"] == json.loads(body)["id"]
    assert rows(tmp_path / "station.sqlite", "select 1 from outbox where topic = 'parts'") == []
    monkeypatch.delenv("ZSAD_WEBHOOK_SECRET")
    with pytest.raises(UsageError, match="set ZSAD_WEBHOOK_SECRET"):
        run(line(tmp_path, sinks=sinks))


def test_what_nobody_takes_stays_in_the_outbox(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_WEBHOOK_SECRET", "shh")
    monkeypatch.setattr("zsad.line.telling._ONCE_S", 0.3)
    parts(tmp_path / "parts", 2)
    port = free_port()
    sinks = [{"kind": "webhook", "url": f"http://127.0.0.1:{port}/"}]
    assert len(run(line(tmp_path, sinks=sinks))) == 2
    waiting = rows(tmp_path / "station.sqlite", "select topic, id from outbox")
    assert sum(row["topic"] == "parts" for row in waiting) == 2
    assert "sink-webhook" in {row["kind"] for row in rows(tmp_path / "station.sqlite", "select kind from alarms")}


def test_a_sink_that_takes_a_post_and_never_answers_holds_nothing_up(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_WEBHOOK_SECRET", "shh")
    monkeypatch.setattr("zsad.line.telling._STOP_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        parts(tmp_path / "parts", 20)
        configured = line(tmp_path, sinks=[{"kind": "webhook", "url": url, "timeout_s": 0.2}])
        with Running(configured) as station:
            until(lambda: station.health.total == 20)
            until(lambda: station.health.alarms.standing)
            assert [alarm.kind for alarm in station.health.alarms.standing] == ["sink-webhook"]
            parts(tmp_path / "parts", 5, first=20)
            until(lambda: station.health.total == 25)
    waiting = rows(configured.database, "select id from outbox where topic = 'parts' order by seq")
    assert waiting == rows(configured.database, "select id from parts order by rowid") and len(waiting) == 25


async def _opcua(port, names):
    from asyncua import Client

    async with Client(f"opc.tcp://127.0.0.1:{port}/zsad") as client:
        index = await client.get_namespace_index("urn:zsad:station")
        found = {}
        for name in names:
            path = ["0:Objects", *(f"{index}:{part}" for part in f"Station/{name}".split("/"))]
            node = await client.nodes.root.get_child(path)
            assert node == client.get_node(f"ns={index};s=Station/{name}")
            found[name] = await node.read_value()
        return found


async def _writes_over_opcua(port):
    """Try to change what is shown: as the user that libraries make an administrator of, and as anybody."""
    from asyncua import Client, ua

    with pytest.raises(ua.UaError):
        async with Client(f"opc.tcp://admin:x@127.0.0.1:{port}/zsad"):
            pass
    async with Client(f"opc.tcp://127.0.0.1:{port}/zsad") as client:
        node = client.get_node(f"ns={await client.get_namespace_index('urn:zsad:station')};s=Station/LastPart/Id")
        with pytest.raises(ua.UaError):
            await node.write_value("forged")
        with pytest.raises(ua.UaError):
            await client.delete_nodes([node])


NAMES = [
    *("LastPart/Id", "LastPart/Score", "LastPart/Verdict", "LastPart/Time", "Alarms", "Heartbeat"),
    *("Counters/Total", "Counters/Ok", "Counters/Reject", "Counters/Unjudged"),
]


def test_opc_ua_shows_the_last_part_counters_alarms_and_a_heartbeat(tmp_path):
    pytest.importorskip("asyncua")
    parts(tmp_path / "parts", 3, bad=(2,))
    port = free_port()
    configured = line(tmp_path, sinks=[{"kind": "opcua", "port": port}])
    with Running(configured) as station:
        until(lambda: station.health.total == 3)
        time.sleep(1.2)
        first = asyncio.run(_opcua(port, NAMES))
        station.health.alarms.rise("drift", "higher")
        until(lambda: asyncio.run(_opcua(port, ["Alarms"]))["Alarms"])
        asyncio.run(_writes_over_opcua(port))
        later = asyncio.run(_opcua(port, NAMES))
    last = rows(configured.database)[-1]
    assert first["LastPart/Id"] == last["id"] and first["LastPart/Verdict"] == "reject"
    assert first["LastPart/Score"] == pytest.approx(last["score"])
    assert [first[f"Counters/{name}"] for name in ("Total", "Ok", "Reject", "Unjudged")] == [3, 2, 1, 0]
    assert later["LastPart/Id"] == last["id"]
    assert later["Alarms"] == ["drift: higher"] and later["Heartbeat"] > first["Heartbeat"]


def test_a_port_that_is_taken_is_named(tmp_path):
    pytest.importorskip("pymodbus")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = ModbusServer(Modbus(port=taken.getsockname()[1]))
        with pytest.raises(OutputError, match="can't listen"):
            server.open()
        server.close()


def registers(port, address, count, write=None):
    from pymodbus.client import ModbusTcpClient

    with ModbusTcpClient("127.0.0.1", port=port) as client:
        if write is not None:
            return client.write_registers(address, write)
        return client.read_holding_registers(address, count=count).registers


def shown(port):
    block = registers(port, 0, 82)
    number, verdict, reject = block[2] << 16 | block[3], block[4], block[5]
    score = struct.unpack(">f", struct.pack(">HH", *block[6:8]))[0]
    text = struct.pack(">64H", *block[18:82])[: block[17]].decode()
    return number, verdict, reject, score, text


def test_modbus_shows_each_part_until_the_plc_has_it(tmp_path):
    pytest.importorskip("pymodbus")
    parts(tmp_path / "parts", 3, bad=(1,))
    port = free_port()
    configured = line(tmp_path, sinks=[{"kind": "modbus", "port": port, "handshake": True}])
    seen = []
    with Running(configured) as station:
        until(lambda: station.health.total == 3)
        for _ in range(3):
            until(lambda: shown(port)[0] not in {one[0] for one in seen} | {0})
            seen.append(shown(port))
            assert registers(port, 0, 2, write=[7, 7]).isError()
            assert not registers(port, 100, 2, write=[seen[-1][0] >> 16, seen[-1][0] & 0xFFFF]).isError()
        until(lambda: station.database.backlog().get("modbus", 0) == 0)
        until(lambda: registers(port, 8, 6) == [0, 3, 0, 2, 0, 1])
        beat = registers(port, 0, 1)
        until(lambda: registers(port, 0, 1) != beat)
    found = rows(configured.database)
    assert [one[1:3] for one in seen] == [(1, 0), (2, 1), (1, 0)]
    assert [one[4] for one in seen] == [row["id"][-128:] for row in found]
    assert [one[3] for one in seen] == [pytest.approx(row["score"]) for row in found]
    assert not any(math.isnan(one[3]) for one in seen)


def test_without_a_handshake_modbus_shows_each_part_for_a_while(monkeypatch):
    waiting = [Message("modbus", "parts", name, failed(name, "here", "torn").to_json(reject=True), seq)
               for seq, name in ((1, "a"), (2, "b"))]  # fmt: skip
    server, start = ModbusServer(Modbus()), time.monotonic()
    for seq in (1, 2):
        assert server.deliver(waiting[seq - 1 :]) == 1 and server._registers[3] == seq
        assert time.monotonic() - start >= seq * 0.1
    monkeypatch.setattr("zsad.line.sinks.modbus._LOOK_S", 0.01)
    server = ModbusServer(Modbus(hold_ms=60_000))
    assert [server.deliver(waiting) for _ in range(3)] == [0, 0, 0] and server._registers[3] == 1


def test_a_sink_with_a_backlog_goes_on_telling_how_the_station_is(monkeypatch):
    monkeypatch.setattr("zsad.line.couriers._TICK_S", 0.01)
    told = []
    courier = Courier("modbus", lambda: not time.sleep(0.001), Health({}), tick=lambda: told.append(1))
    courier.start()
    until(lambda: len(told) > 2, 5)
    assert not courier.finish(0.01)


@pytest.mark.system
def test_mqtt_against_mosquitto(tmp_path):
    mqtt = pytest.importorskip("paho.mqtt.client")
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("no mosquitto")
    port = free_port()
    (tmp_path / "broker.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
        f"persistence true\npersistence_location {tmp_path}/\n"
    )

    def started():
        return subprocess.Popen([program, "-c", str(tmp_path / "broker.conf")], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)  # fmt: skip

    broker, got = started(), []
    try:
        # Its session outlives the broker: what is published before it is back waits for it.
        listener = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        listener.reconnect_delay_set(1, 1)
        listener.on_message = lambda client, data, message: got.append((message.topic, json.loads(message.payload)))
        listener.on_connect = lambda client, *_: client.subscribe("zsad/#", qos=1)
        until(lambda: _tries(lambda: listener.connect("127.0.0.1", port)))
        listener.loop_start()
        time.sleep(0.3)
        parts(tmp_path / "parts", 3, bad=(0,))
        configured = line(tmp_path, sinks=[{"kind": "mqtt", "port": port, "station": "press 1"}])
        with Running(configured) as station:
            until(lambda: sum(topic == "zsad/press 1/parts" for topic, _ in got) == 3)
            broker.terminate()
            broker.wait()
            parts(tmp_path / "parts", 2, first=3)
            until(lambda: station.health.total == 5)
            broker = started()
            until(lambda: len({p["id"] for topic, p in got if topic == "zsad/press 1/parts"}) == 5)
            until(lambda: any(topic.endswith("alarms") and p["ended"] for topic, p in got))
        listener.loop_stop()
    finally:
        broker.kill()
    assert got and {p["verdict"] for topic, p in got if topic.endswith("/parts")} == {"ok", "reject"}
    alarms = [p for topic, p in got if topic == "zsad/press 1/alarms"]
    assert {"sink-mqtt"} == {p["kind"] for p in alarms} and {p["ended"] for p in alarms} == {True, False}
    states = [p["state"] for topic, p in got if topic == "zsad/press 1/status"]
    assert "running" in states


def _tries(function):
    try:
        function()
    except OSError:
        return False
    return True


def test_names_that_no_topic_can_have(tmp_path):
    from zsad.line.sinks.remote import remote_sink

    pytest.importorskip("paho")
    with pytest.raises(UsageError, match="no part of a topic"):
        remote_sink(Mqtt(station="a/#"), "line")
    with pytest.raises(UsageError, match="set ZSAD_MQTT_PASSWORD"):
        remote_sink(Mqtt(user="me"), "line")
    assert {type(one).__name__ for one in (Opcua(), Modbus(), Webhook("http://a/"))} == {"Opcua", "Modbus", "Webhook"}
