"""What a person does with the report in a browser: look closely, group, mark, take tables along, print."""

from __future__ import annotations

import base64
import csv
import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.contrast import Contrast
from tests.report.browser import Browser, available
from zsad.calibration.marks import read_marks
from zsad.stream import Options, detect, find_images
from zsad.types import Thresholds

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not available(), reason="needs chromium and chromedriver (apt-get install chromium-driver)"),
]
SHAPES = {"a/wide.png": (1200, 150), "a/usual.png": (400, 300), "b/tall.png": (100, 800), "b/-1+cmd.png": (400, 300)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder of four shapes in two folders with fine stripes, and their report beside it."""
    root = tmp_path_factory.mktemp("run")
    for i, (name, (width, height)) in enumerate(SHAPES.items()):
        pixels = np.full((height, width, 3), 100, np.uint8)
        pixels[:, ::2] = 60  # gone in a thumbnail
        pixels[height // 3 : height // 2, width // 3 : width // 2] = 200 + 10 * i
        (root / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / "in" / name)
    detector = Contrast(thresholds=Thresholds(0.3, 0.3))
    items = find_images([root / "in"], recursive=True)
    detect(detector, items, Options(out=root / "out", title="shapes"))
    return root


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(run, browser):
    """The report, freshly loaded and without marks; fails on any error of its script."""
    address = (run / "out" / "report.html").as_uri()
    browser.open(address)
    browser.run("localStorage.clear()")
    browser.open(address)
    browser.wait_for("document.documentElement.dataset.ready")
    yield browser
    assert [entry for entry in browser.log("browser") if entry["level"] == "SEVERE"] == []


def open_card(page: Browser, name: str) -> None:
    page.run("[...document.querySelectorAll('.card')].find(c => c.title === arguments[0]).click()", name)
    page.wait_for("document.getElementById('viewer').open")


def text(page: Browser, name: str) -> str:
    return page.run("return document.getElementById(arguments[0]).textContent", name)


def saved_csv(page: Browser, button: str) -> list[list[str]]:
    """Press a button that saves a table, and return the table."""
    page.run(
        "window.saved = null; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return make(blob); };"
        "HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };"
        "document.getElementById(arguments[0]).click()",
        button,
    )
    return list(csv.reader(io.StringIO(page.wait_for("window.saved"))))


def test_a_click_leads_to_the_full_pixels(page):
    open_card(page, "a/usual.png")
    page.run("document.getElementById('full').click()")
    page.wait_for("document.getElementById('pixels').textContent === 'Pixels of the original.'")
    shown = page.run(
        "const image = document.getElementById('original');"
        "return [image.naturalWidth, image.naturalHeight, image.getBoundingClientRect().width, image.hidden]"
    )
    assert shown == [400, 300, 400, False] and text(page, "zoom-v") == "100 %"
    page.keys("+")
    assert text(page, "zoom-v") == "200 %"
    page.keys("z")
    assert page.run("return document.getElementById('fit').disabled")
    page.run("document.getElementById('stage').click()")
    assert not page.run("return document.getElementById('fit').disabled")


def test_without_the_original_beside_it_the_overlay_or_the_thumbnail_is_enlarged(run, page):
    original, overlay = run / "in" / "a" / "usual.png", next((run / "out" / "overlay").glob("a__usual*"))
    before = original.read_bytes(), overlay.read_bytes()
    try:
        original.unlink()
        open_card(page, "a/usual.png")
        page.run("document.getElementById('full').click()")
        page.wait_for("document.getElementById('pixels').textContent.startsWith('Pixels of the overlay file')")
        overlay.unlink()
        page.open((run / "out" / "report.html").as_uri())
        page.wait_for("document.documentElement.dataset.ready")
        open_card(page, "a/usual.png")
        page.run("document.getElementById('full').click()")
        page.wait_for("document.getElementById('pixels').textContent.includes('is not beside this page')")
    finally:
        original.write_bytes(before[0])
        overlay.write_bytes(before[1])
        page.log("browser")  # that the files are absent is said there


@pytest.mark.parametrize(
    ("link", "safe"),
    [
        ("../in/a.png", True),
        ("a%20b.png", True),
        ("https://x.example/a.png", False),
        ("//x.example/a.png", False),
        ("/etc/a.png", False),
        ("\\\\server\\a.png", False),
        ("file:///a.png", False),
        ("javascript:alert(1)", False),
        ("data:image/png;base64,x", False),
    ],
)
def test_only_what_lies_beside_the_page_is_loaded(page, run, link, safe):
    script = (run / "out" / "report.html").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"const beside = \(link\) => (/.*/i)\.test", script)
    assert page.run(f"return {pattern}.test(arguments[0])", link) is safe


def test_wide_pictures_use_the_width(page):
    boxes = page.run(
        "return Object.fromEntries([...document.querySelectorAll('.card')].map("
        "c => [c.title, c.getBoundingClientRect().width / document.getElementById('cards').clientWidth]))"
    )
    assert boxes["a/wide.png"] > 0.99 and boxes["a/usual.png"] < 0.5 and boxes["b/tall.png"] < 0.5
    open_card(page, "a/wide.png")
    sheet, stage = (
        page.run("return document.getElementById(arguments[0]).clientWidth", name) for name in ("sheet", "stage")
    )
    assert sheet > 0.97 * stage


def test_groups_by_folder(page):
    page.run("const s = document.getElementById('group'); s.value = 'folder'; s.dispatchEvent(new Event('change'))")
    heads = page.run("return [...document.querySelectorAll('#cards .group')].map(h => h.textContent)")
    assert sorted(head[:2] for head in heads) == ["a/", "b/"] and all("2 pictures, 2 anomalous" in h for h in heads)
    assert page.run("return document.querySelectorAll('.card').length") == 4


def test_marks_by_key_and_by_button_are_kept_and_go_out_as_csv(page, run, tmp_path):
    assert page.run("return document.getElementById('marks-csv').disabled")
    names = page.run("return [...document.querySelectorAll('.card')].map(c => c.title)")
    page.run("document.querySelector('.card').focus()")
    page.keys("gb")  # each goes on to the next
    page.run("document.querySelectorAll('.card')[2].querySelector('.mark-bad').click()")
    page.run("document.querySelectorAll('.card')[3].querySelector('.mark-good').click()")
    assert text(page, "marks-n") == "Marked: 2 good, 2 bad"
    page.open((run / "out" / "report.html").as_uri())
    page.wait_for("document.documentElement.dataset.ready")
    assert text(page, "marks-n") == "Marked: 2 good, 2 bad"
    head, *rows = saved_csv(page, "marks-csv")
    assert head == ["path", "mark"] and page.run("return window.savedAs") == "marks.csv"
    marked = {path.removeprefix("'"): mark for path, mark in rows}
    expected = dict(zip(names, ["good", "bad", "bad", "good"], strict=True))
    assert marked == {str(run / "in" / name): mark for name, mark in expected.items()}
    with (tmp_path / "marks.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    found = read_marks(tmp_path / "marks.csv")
    assert (len(found.good), len(found.bad)) == (2, 2)
    page.run("document.querySelector('.card').focus()")
    page.keys("u")
    assert text(page, "marks-n") == "Marked: 1 good, 2 bad"


def test_a_replaced_image_has_no_mark(page, run):
    page.run("document.querySelectorAll('.card')[0].querySelector('.mark-good').click()")
    stored = page.run("return JSON.stringify(localStorage)")
    page.run(
        "for (const key of Object.keys(localStorage))"
        "localStorage.setItem(key, localStorage.getItem(key).replace(/\\|(\\d+)-/, '|9$1-'))"
    )
    assert page.run("return JSON.stringify(localStorage)") != stored
    page.open((run / "out" / "report.html").as_uri())
    page.wait_for("document.documentElement.dataset.ready")
    assert text(page, "marks-n") == "Nothing is marked yet"


def test_all_rows_as_csv(page, run):
    head, *rows = saved_csv(page, "rows-csv")
    assert head[:5] == ["path", "error", "score", "verdict", "fired"] and len(rows) == 4
    by_path = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    row = by_path[str(run / "in" / "a" / "wide.png")]
    assert (row["verdict"], row["width"], row["height"], row["image_threshold"]) == ("anomalous", "1200", "150", "0.3")
    assert 0.3 < float(row["score"]) <= 1 and float(row["latency_ms"]) > 0


def test_cells_of_the_page_are_no_formulas(page, run):
    script = (run / "out" / "report.html").read_text(encoding="utf-8")
    body = script[script.index("const cell = ") : script.index("const csv = ")]
    values = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\uff1d1", "plain", 'say "a,b"', -1.5, None]
    cells = page.run(f"{body} return arguments[0].map(cell)", values)
    assert cells[:8] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", '"\'\rx"', "'\uff1d1", "plain"]
    assert cells[8:] == ['"say ""a,b"""', "-1.5", ""]


@pytest.mark.parametrize(("count", "says"), [(1, "1 picture."), (2, "2 pictures.")])
def test_plurals(browser, tmp_path, count, says):
    for i in range(count):
        Image.new("L", (40, 30), 90 + i).save(tmp_path / f"{i}.png")
    detect(Contrast(), find_images([tmp_path]), Options(out=tmp_path / "out"))
    browser.open((tmp_path / "out" / "report.html").as_uri())
    browser.wait_for("document.documentElement.dataset.ready")
    assert text(browser, "cards-note").startswith(says)
    assert text(browser, "t-anomalous").startswith("image:" if count == 1 else "images, ordered by score:")
    assert text(browser, "page") == ("1 row" if count == 1 else "2 rows")


def test_the_rule_is_stated(page):
    assert text(page, "rule").startswith("Anomalous is a score from 0.3 or a region from 0.3 (rule: either")
    page.run("const s = document.getElementById('image-t'); s.value = 0.4; s.dispatchEvent(new Event('input'))")
    page.wait_for("document.getElementById('rule').textContent.includes('a score from 0.4')")
    assert "chosen on this page" in text(page, "rule")


def test_print_shows_every_picture_on_white(page, run):
    page.dark(True)
    page.run("dispatchEvent(new Event('beforeprint'))")
    blank = page.run(
        "return [...document.querySelectorAll('.card canvas')].filter(c => {"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "return d.every(v => v === 0); }).length"
    )
    assert blank == 0
    page.devtools("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        look = page.run(
            "const of = (s, p) => getComputedStyle(document.querySelector(s))[p];"
            "return [of('body', 'backgroundColor'), of('.card', 'backgroundColor'), of('.card', 'boxShadow'),"
            "of('.bar', 'display'), of('.pic', 'backgroundColor')]"
        )
    finally:
        page.devtools("Emulation.setEmulatedMedia", {"media": ""})
        page.dark(False)
    white = "rgb(255, 255, 255)"
    assert look == [white, white, "none", "none", white]
    paper = base64.b64decode(page.devtools("Page.printToPDF", {})["data"])
    assert paper.startswith(b"%PDF")
