from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zsad.report import html
from zsad.report.html import Card, Entry, Report, make_card

FACTS = {
    "title": "parts",
    "model": "m",
    "prompt": "",
    "description": "d",
    "image": 0.5,
    "pixel": 0.5,
    "min_area": 0.0,
    "calibrated": False,
    "version": "0",
    "system": "s",
    "started": "now",
}
TINY = Card(1, 1, b"j", b"p")


def blocks(page: bytes) -> dict[str, list]:
    """Read the data blocks as the page's script does."""
    found = {}
    for name in ("row-data", "card-data", "state-data"):
        _, _, rest = page.partition(f'id="{name}">'.encode())
        found[name] = [json.loads(line) for line in rest.partition(b"</script>")[0].splitlines() if line]
    return found


def write(path, scores, card=TINY):
    report = Report(path, FACTS, len(scores))
    for i, score in enumerate(scores):
        link = f"img/{i}.png"
        report.add(Entry(f"{i}.png", link, score=score), card if report.wants(link, score) else None)
    report.close()
    return blocks(path.read_bytes())


def test_every_image_has_a_row_and_up_to_250_a_card(tmp_path):
    found = write(tmp_path / "r.html", [i / 250 for i in range(250)])
    assert len(found["row-data"]) == len(found["card-data"]) == 250
    assert found["state-data"] == [{"state": "finished", "done": 250, "total": 250}]


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
        patch.setattr(html, "HIGHEST", 5)
        patch.setattr(html, "RANDOM", 3)
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


def test_page_is_whole_at_each_flush_and_readable_when_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(html, "_PAUSE", -1e9)  # flush after each image
    path = tmp_path / "r.html"
    report = Report(path, FACTS, 9)
    for i in range(3):
        report.add(Entry(f"{i}.png", f"{i}.png", score=i / 10), TINY)
        page = path.read_bytes()
        assert page.rstrip().endswith(b"</html>")
        found = blocks(page)
        assert len(found["row-data"]) == len(found["card-data"]) == i + 1
        assert found["state-data"][0]["state"] == "running"
    report.close(finished=False)
    assert blocks(path.read_bytes())["state-data"][0] == {"state": "stopped", "done": 3, "total": 9}


def test_rows_reach_the_file_while_running(tmp_path):
    report = Report(tmp_path / "r.html", FACTS, 5000)
    for i in range(5000):
        report.add(Entry(f"{i}.png", f"{i}.png", score=0.1))
    assert (tmp_path / "r.html").stat().st_size > 200_000
    report.close()


def test_ten_thousand_images_stay_below_25_megabytes(tmp_path):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (512, 512, 3), dtype=np.uint8))  # the worst that can be packed
    card = make_card(noise, rng.random((512, 512), dtype=np.float32))
    assert max(card.width, card.height) == 256
    path = tmp_path / "r.html"
    report = Report(path, FACTS, 10_000)
    for i in range(10_000):
        name = f"line-3/camera-left/2026-11-25/batch-000{i % 7}/part_number_{i:06d}_inspected.png"
        entry = Entry(name, f"../../../data/{name}", name.replace("/", "__"), rng.random(), 0.9, True, 3, 0.1, ms=12.3)
        report.add(entry, card if report.wants(entry.link, entry.score) else None)
    report.close()
    assert path.stat().st_size < 25e6


def test_cards_keep_a_defect_of_one_pixel():
    values = np.zeros((1024, 700), np.float32)
    values[777, 333] = 1.0
    card = make_card(Image.new("L", (700, 1024)), values)
    from io import BytesIO

    with Image.open(BytesIO(card.png)) as image:
        pooled = np.asarray(image)
    assert pooled.max() == 255 and (pooled > 0).sum() == 1
    assert (card.width, card.height) == (175, 256)


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        Report(tmp_path / "missing" / "r.html", FACTS, 1)
