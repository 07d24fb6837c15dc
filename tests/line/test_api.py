"""Page and API of a running station."""

import base64
import json
import threading
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, parts, rows
from tests.line.test_sources import Running
from zsad.errors import UsageError
from zsad.line.api.limits import Access, Rates, access_of
from zsad.line.api.recent import Recent
from zsad.line.part import Part, Seen, failed
from zsad.types import Result

pytest.importorskip("fastapi")
try:
    from fastapi.testclient import TestClient
except (ImportError, RuntimeError):
    pytest.skip("the test client needs httpx", allow_module_level=True)
LOCAL = {"base_url": "http://127.0.0.1:8710"}


def picture(level=250, size=(24, 32)):
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[4:9, 5:12, 0] = level
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    from zsad.line.api.app import app_of

    place = tmp_path_factory.mktemp("page")
    parts(place / "parts", 5, bad=(3,))
    recent = Recent()
    with Running(line(place), BrightDetector(thresholds=LIMITS), more=[recent]) as station:
        deadline = time.monotonic() + 30
        while (station.health.total < 5 or not recent.drawn) and time.monotonic() < deadline:
            time.sleep(0.02)
        station.health.alarms.rise("drift", "<b>higher</b>\x1b[31m")
        yield station, app_of(station, recent, Access()), recent, place


@pytest.fixture
def client(running):
    return TestClient(running[1], **LOCAL)


def test_the_page_and_what_it_shows(client):
    page = client.get("/")
    assert (
        page.status_code == 200 and "zsad line" in page.text and "unsafe" not in page.headers["content-security-policy"]
    )
    assert client.get("/line.css").text.startswith(":root") and "showState" in client.get("/line.js").text
    state = client.get("/api/state").json()
    assert state["counters"] == {"ok": 4, "reject": 1, "unjudged": 0, "total": 5}
    assert state["threshold"] == 0.8 and len(state["scores"]) == 5 and set(state["latency_ms"]) == {"p50", "p95", "p99"}
    assert state["alarms"][0]["text"] == "<b>higher</b>\\x1b[31m"
    found = client.get("/api/parts", params={"limit": 3}).json()
    assert [one["verdict"] for one in found] == ["ok", "reject", "ok"] and found[0]["mark"] is None


def test_overlays_of_the_last_parts(running, client):
    part_id = next(iter(running[2].drawn))
    answer = client.get("/api/overlay", params={"id": part_id})
    assert answer.headers["content-type"] == "image/png" and Image.open(BytesIO(answer.content)).size == (32, 24)
    assert client.get("/api/overlay", params={"id": "none"}).status_code == 404


def test_overlays_are_drawn_while_somebody_looks(monkeypatch):
    from zsad.line.api import recent as module

    monkeypatch.setattr(module, "overlay_png", lambda seen, side: b"png")
    monkeypatch.setattr(module.threading.Thread, "start", lambda thread: None)
    recent, seen = Recent(), Seen(Part("a", lambda: None, 0.0), result=Result(0.5, None))
    for name in "abcdef":
        recent.show(failed(name, "here", "torn"), True, seen)
    recent._draw()
    assert recent._pictures == {} and recent.drawn == set()
    recent._draw()
    assert recent.drawn == set("cdef") and recent.picture("f") == b"png"
    monkeypatch.setattr(module, "WATCHED_S", 0.0)
    recent.show(failed("g", "here", "torn"), True, seen)
    recent._draw()
    assert recent.picture("g") is None


def test_marks_are_kept_for_the_next_fit(running, client):
    part_id = client.get("/api/parts").json()[1]["key"]
    assert client.post("/api/marks", json={"id": part_id, "mark": "good"}).json()["mark"] == "good"
    assert client.get("/api/parts").json()[1]["mark"] == "good"
    assert client.get("/api/marks.csv").text == f"path,mark\r\n{running[3] / 'parts' / '0003.png'},good\r\n"
    from zsad.calibration.marks import read_marks

    (running[3] / "marks.csv").write_bytes(client.get("/api/marks.csv").content)
    assert read_marks(running[3] / "marks.csv").good == (str(running[3] / "parts" / "0003.png"),)
    assert client.post("/api/marks", json={"id": part_id, "mark": ""}).status_code == 200
    assert client.get("/api/parts").json()[1]["mark"] is None
    assert client.post("/api/marks", json={"id": "none", "mark": "good"}).status_code == 404
    assert client.post("/api/marks", json={"id": part_id, "mark": "fine"}).status_code == 422
    crossed = client.post("/api/marks", json={"id": part_id, "mark": "bad"}, headers={"Origin": "http://evil.example"})
    assert crossed.status_code == 403


def test_rows_of_a_period(client):
    lines = client.get("/api/parts.csv").text.splitlines()
    assert len(lines) == 6 and lines[0].startswith("id,source,time,score")
    today = lines[1].split(",")[2][:10]
    assert len(client.get("/api/parts.csv", params={"start": today}).text.splitlines()) == 6
    assert len(client.get("/api/parts.csv", params={"end": today}).text.splitlines()) == 1
    assert client.get("/api/parts.csv", params={"start": "yesterday"}).status_code == 422


def test_health_and_metrics(client):
    assert client.get("/healthz").json() == {"status": "ok", "alarms": ["drift"]}
    text = client.get("/metrics").text
    assert 'zsad_parts_total{verdict="ok"} 4.0' in text and 'zsad_alarm{kind="drift"} 1.0' in text
    assert 'zsad_latency_seconds{quantile="0.99"}' in text and "zsad_up 1.0" in text


def test_predict(running, client):
    before = rows(running[3] / "station.sqlite")
    found = client.post("/predict", content=picture()).json()
    assert (found["verdict"], found["score"], found["fired"]) == ("reject", 0.980392, ["score"])
    assert (found["width"], found["height"]) == (32, 24)
    assert client.post("/predict", content=picture(100)).json()["verdict"] == "ok"
    drawn = client.post("/predict?as=overlay", content=picture())
    assert drawn.headers["content-type"] == "image/png" and Image.open(BytesIO(drawn.content)).size == (32, 24)
    assert rows(running[3] / "station.sqlite") == before


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, 400),
        (b"no image", {}, 400),
        (picture()[:60], {}, 400),
        (b"x", {"Content-Length": "999999999999999"}, 413),
        (b"\0" * ((32 << 20) + 1), {}, 413),
    ],
)
def test_bodies_that_are_no_image(client, body, headers, code):
    answer = client.post("/predict", content=body, headers=headers)
    assert answer.status_code == code and answer.json()["detail"]


def test_a_bomb_is_refused(client):
    buffer = BytesIO()
    Image.new("1", (14_000, 14_000)).save(buffer, "PNG")
    assert "decompression bomb" in client.post("/predict", content=buffer.getvalue()).json()["detail"]


def test_rates_and_who_may_ask(running, monkeypatch, tmp_path):
    from zsad.line.api.app import app_of

    rates = Rates(1.0, 3)
    assert [rates.take("a") for _ in range(4)] == [True, True, True, False] and rates.take("b")
    station, _, recent, _ = running
    assert TestClient(running[1], base_url="http://evil.example").get("/api/state").status_code == 421
    guarded = TestClient(app_of(station, recent, Access("0.0.0.0", 1, "t" * 16)), base_url="https://press:8710")
    assert guarded.get("/api/state").status_code == 401 and guarded.get("/healthz").status_code == 200
    for header, code in [
        ("Bearer " + "t" * 16, 200),
        ("Basic " + base64.b64encode(b"me:" + b"t" * 16).decode(), 200),
        ("Bearer " + "t" * 15, 401),
        ("Basic !!", 401),
        ("Bearer ttttttttttttttt\u00e9", 401),
    ]:
        assert guarded.get("/api/state", headers={"Authorization": header.encode()}).status_code == code
    with pytest.raises(UsageError, match="needs a token"):
        access_of("0.0.0.0:80", None, None)
    monkeypatch.setenv("ZSAD_TOKEN", "short")
    with pytest.raises(UsageError, match="too short"):
        access_of("127.0.0.1:80", None, None)
    monkeypatch.setenv("ZSAD_TOKEN", "t" * 20)
    (tmp_path / "c").write_text("")
    with pytest.raises(UsageError, match="go together"):
        access_of("127.0.0.1:80", tmp_path / "c", None)
    assert access_of("[::]:80", tmp_path / "c", tmp_path / "c").host == "::"
    with pytest.raises(UsageError, match="give HOST:PORT"):
        access_of("here", None, None)


def test_only_so_many_at_a_time(running):
    from zsad.line.api.app import app_of

    class Slow(BrightDetector):
        def batch(self, images, **more):
            time.sleep(0.4)
            return super().batch(images, **more)

    station, _, recent, _ = running
    before = station.loaded
    from dataclasses import replace

    station.loaded = replace(before, detector=Slow(thresholds=LIMITS))
    try:
        with TestClient(app_of(station, recent, Access()), **LOCAL) as client:
            codes = []

            def ask():
                codes.append(client.post("/predict", content=picture()).status_code)

            threads = [threading.Thread(target=ask) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        station.loaded = before
    assert sorted(codes)[:2] == [200, 200] and set(codes[0:]) <= {200, 503} and 503 in codes


def test_the_schema_says_what_is_answered(client):
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        *("/healthz", "/metrics", "/api/state", "/api/parts", "/api/overlay", "/api/parts.csv", "/api/marks"),
        *("/api/marks.csv", "/predict"),
    }
    assert json.dumps(schema) and "429" in schema["paths"]["/predict"]["post"]["responses"]


def test_schemathesis_finds_nothing(running):
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings

    from zsad.line.api.app import app_of

    station, _, recent, _ = running
    login = {"Authorization": "Bearer " + "t" * 16}
    app = app_of(station, recent, Access(token="t" * 16))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=login)
    for found in schema.get_all_operations():

        @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=found.ok().as_strategy())
        def ask(case):
            # No schema can say which bytes are an image.
            left_out = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
            case.call_and_validate(headers=login, excluded_checks=left_out)

        ask()


def test_a_served_page(tmp_path):
    import urllib.request

    from zsad.line.api.server import served

    parts(tmp_path / "parts", 1)
    recent = Recent()
    with (
        Running(line(tmp_path), more=[recent]) as station,
        served(station, recent, Access(port=0)) as address,
        urllib.request.urlopen(f"{address}healthz", timeout=20) as answer,
    ):
        assert json.load(answer)["status"] == "ok"


def answer_of(client):
    """Read until the server closes, or has answered; return what came."""
    found = b""
    while b"\r\n\r\n" not in found:
        try:
            more = client.recv(4096)
        except ConnectionError:
            break
        if not more:
            break
        found += more
    return found.split(b"\r\n")[0]


def test_slow_garbled_and_sly_clients_hold_nothing_up(tmp_path, monkeypatch):
    """Against the server itself, through sockets: what its own test client can't say."""
    import socket
    from urllib.parse import urlsplit

    from zsad.line.api import limits
    from zsad.line.api.server import served

    monkeypatch.setattr(limits, "HEADER_S", 0.6)
    monkeypatch.setattr(limits, "READ_S", 0.6)
    recent, slow = Recent(), []
    parts(tmp_path / "parts", 1)
    with Running(line(tmp_path), more=[recent]) as station, served(station, recent, Access(port=0)) as address:
        place = urlsplit(address)

        def say(data):
            client = socket.create_connection((place.hostname, place.port), 20)
            client.sendall(data)
            return client

        def ask(path, method=b"GET", more=b""):
            head = method + b" " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + more + b"\r\n"
            with say(head) as client:
                return answer_of(client)

        begun = time.monotonic()
        for data in (b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"):  # headers that never end
            slow += [say(data) for _ in range(20)]
        again = say(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer_of(again) == b"HTTP/1.1 200 OK"
        again.sendall(b"GET /he")  # and those of the next request of a connection
        for client in (*slow, again):
            answer_of(client)
            assert client.recv(1) == b""  # closed
            client.close()
        assert time.monotonic() - begun < 15
        assert ask(b"/healthz") == b"HTTP/1.1 200 OK"
        for path in (b"/predict", b"/api/marks"):  # bodies that never end, and those that are too large
            assert b" 408 " in ask(path, b"POST", b"Content-Length: 100\r\n")
            assert b" 413 " in ask(path, b"POST", b"Content-Length: 99999999999\r\n")
            assert ask(path, b"POST", b"Content-Length: " + b"9" * 300 + b"\r\n")[8:11] in (b" 40", b" 41")
        chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
        with say(b"POST /api/marks HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n" + 2 * chunk) as c:
            assert b" 413 " in answer_of(c)
        for path in (b"/../../etc/passwd", b"/..%2f..%2fetc/passwd", b"/line.css/../../x.py", b"//etc/passwd", b"/%00"):
            assert b" 404 " in ask(path), path
        twice = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
        endless = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 70_000
        for data in (b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00" + bytes(60) + b"\r\n\r\n", endless, twice):
            with say(data) as client:
                assert answer_of(client) in (b"HTTP/1.1 400 Bad Request", b""), data[:40]
        assert ask(b"/healthz") == b"HTTP/1.1 200 OK" and station.health.alive
