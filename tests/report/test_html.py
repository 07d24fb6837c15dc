from __future__ import annotations

import base64
import json
import random
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.report import FACTS
from zsad.pictures.blocks import pool
from zsad.report import choice, html
from zsad.report.exhibits import AREA, LONGEST, Exhibit, make_exhibit
from zsad.report.html import Entry, Report

TINY = Exhibit(b"j", np.zeros((1, 1), np.uint8))


def state_of(found: dict[str, list]) -> tuple:
    (state,) = found["state-data"]
    assert len(state["time"]) == 19
    return state["state"], state["done"], state["total"]


def blocks(page: bytes) -> dict[str, list]:
    """Read the data blocks as the page's script does."""
    found = {}
    for name in ("row-data", "card-data", "state-data"):
        _, _, rest = page.partition(f'id="{name}">'.encode())
        found[name] = [json.loads(line) for line in rest.partition(b"</script>")[0].splitlines() if line]
    return found


def write(path, scores, exhibit=TINY):
    report = Report(path, FACTS, len(scores))
    for i, score in enumerate(scores):
        link = f"img/{i}.png"
        report.add(Entry(f"{i}.png", link, score=score), exhibit if report.wants(link, score) else None)
    report.close()
    return blocks(path.read_bytes())


def test_every_image_has_a_row_and_up_to_250_a_card(tmp_path):
    found = write(tmp_path / "r.html", [i / 250 for i in range(250)])
    assert len(found["row-data"]) == len(found["card-data"]) == 250
    assert state_of(found) == ("finished", 250, 250)


@pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
def test_the_highest_200_and_50_others_have_cards(tmp_path, order):
    scores = [i / 1000 for i in range(1000)]
    if order == "falling":
        scores.reverse()
    elif order == "mixed":
        random.Random(1).shuffle(scores)
    cards = write(tmp_path / "r.html", scores)["card-data"]
    high = {scores[index] for index, why, *_ in cards if why == "high"}
    others = [scores[index] for index, why, *_ in cards if why == "random"]
    assert high == {i / 1000 for i in range(800, 1000)}
    assert len(others) == len(set(others)) == 50 and max(others) < 0.8
    assert 0.2 < np.mean(others) < 0.6  # a choice from all, not from one end


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=40))
def test_choice_of_cards_law(tmp_path_factory, scores):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "HIGHEST", 5)
        patch.setattr(choice, "RANDOM", 3)
        cards = write(tmp_path_factory.mktemp("r") / "r.html", scores)["card-data"]
    high = sorted((scores[index] for index, why, *_ in cards if why == "high"), reverse=True)
    assert high == sorted(scores, reverse=True)[:5]
    assert len(cards) == min(len(scores), 8) == len({card[0] for card in cards})


def test_names_are_text_not_markup(tmp_path):
    evil = "</script><script>alert(1)</script><!-- \u2028 & \" ' \x1b[31m \udcff\n.png"
    report = Report(tmp_path / "r.html", FACTS | {"title": evil, "model": evil, "description": evil}, 2)
    report.add(Entry(evil, "x%3Cy.png", stem="x", score=0.5, note=evil), TINY)
    report.add(Entry(evil, "x.png", error=evil))
    report.close()
    page = (tmp_path / "r.html").read_bytes()
    assert b"alert(1)</script>" not in page and b"<script>alert" not in page and b"\x1b" not in page
    rows = blocks(page)["row-data"]
    assert rows[0][0].startswith("</script><script>alert(1)") and "\\udcff\\n.png" in rows[0][0]
    assert len(rows) == 2


def test_nothing_is_fetched(tmp_path):
    write(tmp_path / "r.html", [0.5])
    page = (tmp_path / "r.html").read_text()
    assert "default-src 'none'" in page
    for reference in ("http://", "https://", "src=", "@import", "url(", "fetch(", "XMLHttpRequest", "eval("):
        assert reference not in page, reference


def test_page_is_whole_after_each_image_whenever_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(html, "_WAITING", 300)  # every third image or so
    path = tmp_path / "r.html"
    report = Report(path, FACTS, 90)
    seen = set()
    for i in range(40):
        page = path.read_bytes()
        assert page.rstrip().endswith(b"</html>")
        found = blocks(page)
        state, done, total = state_of(found)
        assert (state, total) == ("running", 90) and i - 10 <= done <= i
        assert len(found["row-data"]) == len(found["card-data"]) == done
        seen.add(done)
        report.add(Entry(f"{i}.png", f"{i}.png", score=i / 100), TINY)
    assert len(seen) > 5
    report.close(finished=False)
    assert state_of(blocks(path.read_bytes())) == ("stopped", 40, 90)


def test_a_page_at_least_every_minute(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(html.time, "monotonic", lambda: clock[0])
    path = tmp_path / "r.html"
    report = Report(path, FACTS, 9)
    for _ in range(3):
        report._pause = 60
        clock[0] += 61
        report.add(Entry("x", "x", error="no"))
        assert state_of(blocks(path.read_bytes()))[1] == report._count
    report.close()


def test_memory_holds_no_more_than_the_chosen_cards_and_some_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(html, "_WAITING", 10_000)
    report = Report(tmp_path / "r.html", FACTS, 5000)
    for i in range(5000):
        report.add(Entry(f"{i}.png", f"{i}.png", score=i / 5000), TINY)
        assert len(report._waiting) < 10_200
    assert len(report._choice.highest()) == 200 and len(report._choice.random()) == 50
    assert (tmp_path / "r.html").stat().st_size > 200_000
    report.close()


def test_cards_are_packed_once_and_only_if_they_are_shown(tmp_path, monkeypatch):
    packed = []
    monkeypatch.setattr(Exhibit, "packed", lambda exhibit: packed.append(exhibit) or b'1,1,"",""')
    report = Report(tmp_path / "r.html", FACTS, 1000)
    for i in range(1000):
        report.add(Entry(f"{i}.png", f"{i}.png", score=i / 1000), Exhibit(b"", np.zeros((1, 1), np.uint8)))
    report._flush("running")
    report.close()
    assert len(packed) == 250


def test_ten_thousand_images_stay_below_25_megabytes(tmp_path):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (512, 512, 3), dtype=np.uint8))  # the worst that can be packed
    exhibit = make_exhibit(noise, rng.random((512, 512), dtype=np.float32))
    assert exhibit.map.shape == (256, 256)
    path = tmp_path / "r.html"
    report = Report(path, FACTS, 10_000)
    for i in range(10_000):
        name = f"line-3/camera-left/2026-11-25/batch-000{i % 7}/part_number_{i:06d}_inspected.png"
        entry = Entry(name, f"../../../data/{name}", name.replace("/", "__"), rng.random(), 0.9, 3, 0.1, ms=12.3)
        report.add(entry, exhibit if report.wants(entry.link, entry.score) else None)
    report.close()
    assert path.stat().st_size < 25e6


def test_cards_keep_a_defect_of_one_pixel():
    values = np.zeros((1024, 700), np.float32)
    values[777, 333] = 1.0
    exhibit = make_exhibit(Image.new("L", (700, 1024)), values)
    assert exhibit.map.shape == (256, 175) and exhibit.map.dtype == np.uint8
    assert exhibit.map.max() == 255 and (exhibit.map > 0).sum() == 1
    width, height, jpeg, png = json.loads(b"[" + exhibit.packed() + b"]")
    assert (width, height) == (175, 256)
    for data, mode in ((jpeg, "L"), (png, "L")):
        with Image.open(BytesIO(base64.b64decode(data))) as image:
            assert image.size == (175, 256) and image.mode == mode


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**31))
def test_pool_law(height, width, step, seed):
    values = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    pooled = pool(values, step)
    expected = [
        [values[y : y + step, x : x + step].max() for x in range(0, width, step)] for y in range(0, height, step)
    ]
    assert np.array_equal(pooled, np.array(expected, np.float32)) and not np.shares_memory(pooled, values)


@pytest.mark.parametrize("size", [(300, 200), (1000, 90), (8, 8), (257, 2000), (60_000, 8)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_thumbnail_and_map_lie_on_one_grid(size, mode):
    exhibit = make_exhibit(Image.new(mode, size, 90), np.full(size[::-1], 0.5, np.float32))
    with Image.open(BytesIO(exhibit.jpeg)) as image:
        assert image.size == exhibit.map.shape[::-1]
        assert image.width * image.height <= AREA + sum(image.size) and max(image.size) <= LONGEST
    if size == (1000, 90):
        assert exhibit.map.shape == (45, 500)  # a strip has its pixels side by side
    assert (exhibit.map == 128).all()


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        Report(tmp_path / "missing" / "r.html", FACTS, 1)
