"""The page of a running station in a browser, on a desk and on a phone."""

import pytest

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, part, parts
from tests.line.test_sources import Running
from tests.line.test_station import seen
from tests.report.browser import Browser, available
from zsad.line.api.limits import Access
from zsad.line.api.recent import Recent
from zsad.line.api.server import served

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not available(), reason="needs chromium and chromedriver (apt-get install chromium-driver)"),
]
LONG = f"<b>{'a' * 90}.png"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    place = tmp_path_factory.mktemp("page")
    parts(place / "parts", 5, bad=(3,))
    part(place / "parts", LONG, 90)
    (place / "parts" / "torn.png").write_bytes(b"no image")
    recent = Recent()
    with (
        Running(line(place), BrightDetector(thresholds=LIMITS), more=[recent]) as station,
        served(station, recent, Access(port=0)) as address,
    ):
        seen(lambda: station.health.total == 7)
        station.health.alarms.rise("sink-webhook", f"https://mes.example/{'x' * 150}: no answer")
        yield address


def test_parts_are_shown_and_nothing_scrolls_sideways(page, tmp_path):
    with Browser(tmp_path / "profile", 1280, 900) as browser:
        for width, phone in ((1280, False), (420, True)):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}
            browser.devtools("Emulation.setDeviceMetricsOverride", size)
            browser.open(page)
            browser.wait_for("document.querySelectorAll('#parts .piece').length === 7")
            browser.wait_for("document.querySelector('#parts img')?.naturalWidth > 0")
            assert browser.run("return document.getElementById('n-reject').textContent") == "1"
            names = browser.run("return [...document.querySelectorAll('#parts bdi')].map(name => name.textContent)")
            assert sorted(names) == sorted(["torn.png", LONG, *(f"{n:04d}.png" for n in range(5))])
            assert "sink-webhook" in browser.run("return document.getElementById('alarms').textContent")
            assert browser.run("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]
        assert [entry["message"] for entry in browser.log("browser")] == []
