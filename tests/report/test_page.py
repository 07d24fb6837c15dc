"""The report in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
from PIL import Image

from tests.contrast import Contrast
from tests.report import FACTS
from tests.report.browser import Browser, available
from zsad.report.exhibits import make_exhibit
from zsad.report.html import Entry, Report
from zsad.stream import Options, detect, find_images
from zsad.types import Thresholds

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not available(), reason="needs chromium and chromedriver (apt-get install chromium-driver)"),
]
# Pixels of the first picture that differ between the plain image and the outlined one.
OUTLINED = """(() => {
  const look = (view) => {
    document.querySelector(`[data-view=${view}]`).click();
    const canvas = document.querySelector(".card canvas");
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  };
  const settled = async () => { await new Promise(done => setTimeout(done, 50)); };
  return (async () => {
    look("image"); await settled(); const plain = look("image");
    look("mask"); await settled(); const lined = look("mask");
    return plain.filter((value, i) => value !== lined[i]).length;
  })();
})()"""
EVIL = "<img src=x onerror=document.title='pwned'>&amp;#\u00e9 50%.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve images, the first with the strongest spot, and one that is broken."""
    parts = tmp_path_factory.mktemp("parts")
    for i in range(12):
        pixels = np.full((96, 128, 3), 120, np.uint8)
        pixels[30:60, 40:80] += np.uint8(10 * (12 - i))
        Image.fromarray(pixels).save(parts / (EVIL if i == 5 else f"part {i:02d}.png"))
    (parts / "broken.png").write_bytes(b"no")
    out = parts / "out"
    detector = Contrast(thresholds=Thresholds(0.5, 0.5))
    progress = detect(detector, find_images([parts], skip=out), Options(out=out, title="parts"))
    assert (progress.total, progress.failed) == (13, 1)
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(folder, browser):
    """The report, freshly loaded; fails on any error of its script."""
    browser.log("performance")
    browser.dark(False)
    browser.open((folder / "report.html").as_uri())
    browser.wait_for("document.documentElement.dataset.ready")
    yield browser
    assert [entry for entry in browser.log("browser") if entry["level"] == "SEVERE"] == []


def names(browser: Browser) -> list[str]:
    return browser.run("return [...document.querySelectorAll('#table td.file a')].map(a => a.textContent)")


def counts(browser: Browser) -> list[int]:
    return browser.run("return [...document.querySelectorAll('[data-show] span')].map(s => +s.textContent)")


def slide(browser: Browser, which: str, value: float) -> None:
    browser.run(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('input')); return new Promise(done => setTimeout(done, 350))",
        which,
        value,
    )


def test_slider_redraws_masks_and_counts(page):
    # The spot's map value is 2 * 10 * (12 - i) / 255: the first six reach 0.5.
    assert counts(page) == [13, 6, 6, 1]
    assert page.run(f"return {OUTLINED}") > 40
    area = "document.querySelector('.card .figures span').textContent"
    assert page.run(f"return {area}") == "9.8 % area"
    slide(page, "image-t", 1)
    slide(page, "pixel-t", 1)
    assert counts(page) == [13, 0, 12, 1]
    assert page.run(f"return {OUTLINED}") == 0
    assert page.run(f"return {area}") == "0 % area"
    slide(page, "pixel-t", 0.3)
    assert counts(page) == [13, 9, 3, 1]
    assert page.run("return document.getElementById('n-anomalous').textContent") == "9"
    assert page.run("return document.getElementById('command').textContent") == "--threshold 1 --pixel-threshold 0.3"
    page.run("document.getElementById('reset').click()")
    assert counts(page) == [13, 6, 6, 1]


def test_sort_by_column_and_by_menu(page):
    by_score = names(page)
    assert by_score[0] == "part 00.png" and by_score[-1] == "broken.png"
    page.run("document.querySelector('th [data-sort=score]').click()")
    assert names(page)[0] == "part 11.png"
    assert page.run("return document.querySelector('th [data-sort=score]').parentElement.ariaSort") == "ascending"
    page.run("document.querySelector('th [data-sort=name]').click()")
    assert names(page)[:2] == [EVIL, "broken.png"]
    page.run("const s = document.getElementById('sort'); s.value = 'score'; s.dispatchEvent(new Event('change'))")
    assert names(page) == by_score
    cards = page.run("return [...document.querySelectorAll('.card .name bdi')].map(n => n.textContent)")
    assert cards == by_score[:-1]


def test_filter_and_search(page):
    page.run("document.querySelector('[data-show=failed]').click()")
    assert names(page) == ["broken.png"]
    assert "not an image" in page.run("return document.querySelector('td.file small').textContent")
    page.run("document.querySelector('[data-show=all]').click()")
    page.run("const s = document.getElementById('search'); s.value = 'PART 0'; s.dispatchEvent(new Event('input'))")
    assert len(names(page)) == 9
    assert page.run("return document.querySelectorAll('.card').length") == 9


def test_links_lead_to_the_files(page, folder):
    links = page.run("return [...document.querySelectorAll('#table a')].map(a => a.href)")
    assert len(links) == 12 * 3 + 1
    for address in links:
        assert Path(url2pathname(urlsplit(address).path)).is_file(), address


def test_file_names_stay_text(page):
    assert page.run("return document.title") == "parts - zsad report"
    assert page.run("return document.querySelectorAll('main img').length") == 0
    assert EVIL in names(page)


def test_keyboard(page):
    page.keys("2")
    assert page.run("return document.querySelector('[data-show=anomalous]').ariaPressed") == "true"
    page.keys("1")
    page.keys("\ue014")  # arrow right: the first picture
    page.keys("\ue014")
    assert page.run("return document.activeElement.querySelector('bdi').textContent") == "part 01.png"
    page.keys("\ue007")  # enter
    page.wait_for("document.getElementById('viewer').open")
    assert "part 01.png" in page.run("return document.getElementById('viewer-text').textContent")
    page.keys("\ue014")
    page.wait_for("document.getElementById('viewer-text').textContent.includes('part 02.png')")
    page.keys("\ue00c")  # escape
    page.wait_for("!document.getElementById('viewer').open")
    page.keys("/")
    assert page.run("return document.activeElement.id") == "search"
    page.keys("04")  # typed, not taken for a filter
    assert names(page) == ["part 04.png"]


def test_large_view_without_a_keyboard(page):
    page.run("document.querySelector('.card').click()")
    page.wait_for("document.getElementById('viewer').open")
    place = "document.getElementById('viewer-place').textContent"
    assert page.run(f"return {place}") == "1 of 12"
    assert page.run("return document.getElementById('back').disabled")
    page.run("document.getElementById('forth').click()")
    page.wait_for(f"{place} === '2 of 12'")
    page.run("document.getElementById('back').click()")
    page.wait_for(f"{place} === '1 of 12'")


def test_light_and_dark(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    page.dark(False)
    light = page.wait_for(ground)
    page.dark(True)
    dark = page.wait_for(ground)
    assert light != dark
    page.run("document.getElementById('theme').click()")  # light, whatever the system says
    assert page.run(f"return {ground}") == light


def test_nothing_is_requested_from_outside(page):
    urls = [
        message["params"]["request"]["url"]
        for message in (json.loads(entry["message"])["message"] for entry in page.log("performance"))
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in urls if not url.startswith(("file:", "data:", "about:", "chrome:"))] == []
    assert sum(url.startswith("file:") for url in urls) == 1


def many_images(path: Path) -> Path:
    """Write a report with large counts and long names, as of a whole production week."""
    report = Report(path, FACTS | {"title": "line-3/camera-left/2026-11-25"}, 30_000)
    exhibit = make_exhibit(Image.new("RGB", (64, 48)), np.zeros((48, 64), np.float32))
    for i in range(20_000):
        name = f"batch-{i % 7}/part_number_{i:06d}_inspected_from_above.png"
        report.add(Entry(name, "x.png", "x", i % 1000 / 1000, 0.1, size=(480, 640)), exhibit if i < 250 else None)
    report.close(finished=False)
    return path


@pytest.mark.parametrize(("width", "phone"), [(390, True), (1440, False)])
def test_fits_the_screen(folder, tmp_path, width, phone):
    with Browser(tmp_path / "profile", width, 844, phone=phone) as browser:
        for path in (folder / "report.html", many_images(tmp_path / "many.html")):
            browser.open(path.as_uri())
            browser.wait_for("document.documentElement.dataset.ready")
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
            file = browser.run("return document.querySelector('td.file').getBoundingClientRect().toJSON()")
            assert file["width"] > 250 and file["height"] < 80, "file names are broken into pieces"
            links = browser.run("return document.querySelector('#table .links').getBoundingClientRect().right")
            assert links <= width, "links out of sight"
        assert "stopped: 20,000 of 30,000" in browser.run("return document.getElementById('badge').textContent")
        assert browser.run("return document.querySelector('.folder').textContent").startswith("batch-")


def test_a_page_that_was_cut_off_still_shows_its_rows(folder, browser):
    whole = (folder / "report.html").read_bytes()
    cut = folder / "cut.html"
    start = whole.index(b'id="row-data">')
    cut.write_bytes(whole[: whole.index(b"part 03.png", start) + 5])  # in the middle of a row
    browser.open(cut.as_uri())
    browser.wait_for("document.documentElement.dataset.ready")
    assert len(names(browser)) == 5
    assert "unfinished" in browser.run("return document.getElementById('badge').textContent")


def test_uncalibrated_pictures_are_ordered_and_not_judged(tmp_path, browser):
    parts, out = tmp_path / "parts", tmp_path / "out"
    for i in range(6):
        pixels = np.full((96, 128, 3), 120, np.uint8)
        pixels[30:60, 40:80] += np.uint8(20 * (i + 1))
        parts.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(parts / f"{i}.png")
    detect(Contrast(), find_images([parts]), Options(out=out, title="parts"))
    browser.open((out / "report.html").as_uri())
    browser.wait_for("document.documentElement.dataset.ready")
    shown = "return document.getElementById(arguments[0]).textContent"
    assert browser.run(shown, "n-anomalous") == "6"
    assert "ordered by score: uncalibrated, no verdicts" in browser.run(shown, "t-anomalous")
    assert names(browser) == [f"{i}.png" for i in (5, 4, 3, 2, 1, 0)]
    assert counts(browser) == [6, 0, 0, 0]
    assert browser.run("return document.querySelector('.card .tag').textContent") == ""  # nothing is said of it
    visible = "return document.getElementById(arguments[0]).checkVisibility()"
    assert browser.run(visible, "uncalibrated") and not browser.run(visible, "command")
    assert browser.run(shown, "image-v") == browser.run(shown, "pixel-v") == "not given"
    assert browser.run(f"return {OUTLINED}") > 40  # the model's own level, as a hint
    slide(browser, "image-t", 0.9)
    assert counts(browser) == [6, sum(2 * 20 * (i + 1) / 255 >= 0.9 for i in range(6)), 5, 0]
    assert browser.run(shown, "command") == "--threshold 0.9"
    assert not browser.run(visible, "uncalibrated")
    browser.run("document.getElementById('reset').click()")
    assert counts(browser) == [6, 0, 0, 0] and browser.run(shown, "image-v") == "not given"
    assert [entry for entry in browser.log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize(
    ("judged", "anomalous"),
    [
        (Thresholds(0.5, rule="score"), 3),
        (Thresholds("never", 0.3, rule="either"), 5),
        (Thresholds(0.0, 0.9, rule="region"), 1),
    ],
)
def test_the_page_judges_as_the_run_does(tmp_path, browser, judged, anomalous):
    parts, out = tmp_path / "parts", tmp_path / "out"
    parts.mkdir()
    for i in range(6):
        pixels = np.full((96, 128, 3), 120, np.uint8)
        pixels[30:60, 40:80] += np.uint8(20 * (i + 1))
        Image.fromarray(pixels).save(parts / f"{i}.png")
    progress = detect(Contrast(thresholds=judged), find_images([parts]), Options(out=out, title="parts"))
    browser.open((out / "report.html").as_uri())
    browser.wait_for("document.documentElement.dataset.ready")
    assert counts(browser)[1] == progress.anomalous == anomalous
    assert (judged.rule == "either") == (
        "--rule" not in browser.run("return document.getElementById('command').textContent")
    )
