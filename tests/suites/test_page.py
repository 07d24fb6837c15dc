"""The benchmark's report in a real browser."""

from __future__ import annotations

import pytest

from tests.fakes import BrightDetector, write_class
from tests.report.browser import Browser, available
from zsad.suites.measure import Plan, run_suite
from zsad.suites.page import write_page
from zsad.suites.suite import load_suite
from zsad.suites.tables import read_records

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not available(), reason="needs chromium and chromedriver (apt-get install chromium-driver)"),
]
SUITE = """
name: toy
title: "<script>document.title = 'pwned'</script>"
runs:
  - {name: one, entries: [{key: parts, layout: mvtec, path: parts}, {key: full, layout: kvasir, path: none}]}
  - {name: two, entries: [{key: mvtec-ad, layout: mvtec-ad, path: parts}]}
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    place = tmp_path_factory.mktemp("bench")
    (place / "suite.yaml").write_text(SUITE)
    write_class(place / "parts" / "nut", seed=1)
    write_class(place / "parts" / "<img src=x onerror=alert(1)>", seed=2)
    plan = Plan(place / "out", place, partial=True)
    run_suite(load_suite(place / "suite.yaml"), plan, lambda **_: BrightDetector(), lambda _: None)
    write_page(place / "report.html", read_records(place / "out"), place / "out", "A report")
    return place / "report.html"


@pytest.mark.parametrize("width", [1280, 380])
def test_page(report, tmp_path, width):
    with Browser(tmp_path, width=width) as browser:
        browser.open(report.as_uri())
        assert browser.run("return document.title") == "A report"
        assert browser.run("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert browser.run("return document.images.length") == 2 * 4 * 2 * 2
        assert browser.run("return document.querySelectorAll('script').length") == 0
        assert browser.run("return [...document.querySelectorAll('polyline')].every(p => p.getBBox().width > 10)")
        # Wide tables scroll inside of their box, the page itself does not.
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.run("return document.querySelectorAll('td.up, td.down').length") > 0
        requests = [line for line in browser.log("performance") if '"Network.requestWillBeSent"' in line["message"]]
        assert not [line for line in requests if "http" in line["message"].split('"url":"')[1][:5]]
        assert not [line for line in browser.log("browser") if line["level"] == "SEVERE"]
