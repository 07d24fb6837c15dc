"""Pages of videos: their size, what they hold, and what a person does with them in a browser."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

from tests.report.browser import Browser, available
from tests.video.moving_clips import calm_clip, fast_clip
from zsad.errors import OccupiedError
from zsad.video import ScoreSeries
from zsad.video.events import find_events
from zsad.video.live import Rule
from zsad.video.methods import MotionMethod
from zsad.video.output import Told
from zsad.video.pages import write_index, write_page
from zsad.video.run import Done, Plan, score_videos


def told(name="clip", **more):
    fields = {"path": "clip.mp4", "score": 1.0, "threshold": 0.5, "hint": False, "n_frames": 10, "fps": 10.0,
              "partial": False}  # fmt: skip
    return Told(name, **{**fields, **more})


def test_a_page_of_an_hour_stays_small(tmp_path):
    count = 30 * 3600
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.03, 0.036, count))  # no two alike: the costly form
    series = ScoreSeries(rng.random(count), np.arange(count), times - times[0], count, 30.0, "motion")
    event = {"start": 0, "end": 9, "peak": 3, "key": 3, "start_s": 0.0, "end_s": 0.3, "peak_s": 0.1, "score": 0.9,
             "label": "", "region": None, "picture": "000003.jpg"}  # fmt: skip
    write_page(tmp_path, told(n_frames=count, fps=30.0, events=(event,) * 60), series, tmp_path / "x.mp4", Rule(0.5))
    assert (tmp_path / "index.html").stat().st_size < 2_000_000


def test_names_from_outside_stay_text(tmp_path):
    name = "<img src=x onerror=alert(1)>"
    series = ScoreSeries([1.0], [0], [0.0], 1, 0.0, "</script><b>", "\x1b[31m")
    write_page(tmp_path, told(path=name, fault=name, partial=True), series, tmp_path / "x.mp4", Rule(0.5))
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "<img src=x" not in page and "<b>" not in page.split("</style>")[1].replace('<b id="n-events">', "")
    assert "\x1b" not in page
    done = [Done(name, tmp_path / "x", told(name)), Done("y", tmp_path / "y", None, name)]
    write_index(tmp_path, done)
    assert "<img src=x" not in (tmp_path / "index.html").read_text("utf-8")


def test_a_foreign_page_stays(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(OccupiedError, match="was not written by zsad"):
        write_index(tmp_path, [])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    videos = [("calm", calm_clip(root / "calm.mp4", 60)), ("fast", fast_clip(root / "fast.mp4"))]
    plan = Plan(root / "out", Rule(60.0, None, 1, 2), hint=False)
    return root / "out", score_videos(MotionMethod(), videos, plan)


def test_the_index_has_the_highest_peak_first(run):
    page = (run[0] / "index.html").read_text("utf-8")
    links = re.findall(r'href="(\w+)/index.html"', page)
    assert links == ["fast", "calm"] and page.count("keyframes/") == 1 and "no event" in page


def scripted(browser):
    return browser.run("return [...document.querySelectorAll('#cards .card b')].map(card => card.textContent)")


@pytest.mark.system
@pytest.mark.skipif(not available(), reason="needs chromium and chromedriver (apt-get install chromium-driver)")
def test_a_person_moves_the_threshold_and_jumps_in_the_video(run, tmp_path):
    out, done = run
    series_file = json.loads((out / "fast" / "scores.json").read_text())
    series = ScoreSeries(**{key: series_file[key] for key in ("values", "positions", "timestamps", "n_frames", "fps",
                                                                "method")})  # fmt: skip
    with Browser(tmp_path / "profile", 1280, 900) as browser:
        browser.open((out / "fast" / "index.html").as_uri())
        browser.wait_for("document.querySelectorAll('#cards .card').length === 1")
        browser.wait_for("document.getElementById('movie').readyState >= 2")  # the video plays here
        assert browser.run("return document.getElementById('movie').duration") == pytest.approx(34 / 25, abs=0.05)
        browser.run("document.querySelector('#cards .card').click()")
        peak = done[1].told.events[0]["peak_s"]
        browser.wait_for(f"Math.abs(document.getElementById('movie').currentTime - {peak}) < 0.02")
        assert browser.run("return document.querySelector('#cards img').naturalWidth") == 96
        for share in (5, 200, 900):
            browser.run("const s = document.getElementById('threshold'); s.value = arguments[0]; "
                        "s.dispatchEvent(new Event('input'))", share)  # fmt: skip
            level = share / 1000 * max(series.values.max(), 60.0)
            expected = find_events(series, Rule(float(np.float32(level)), None, 1, 2))
            assert browser.run("return document.getElementById('n-events').textContent") == str(len(expected))
        browser.run("document.getElementById('reset').click()")
        assert len(scripted(browser)) == 1
        browser.run(
            "const c = document.getElementById('timeline'), r = c.getBoundingClientRect();"
            "c.dispatchEvent(new MouseEvent('click', {clientX: r.left + r.width / 2, clientY: r.top + 20}))"
        )
        browser.wait_for("Math.abs(document.getElementById('movie').currentTime - 0.68) < 0.03")
        assert [entry["message"] for entry in browser.log("browser")] == []


@pytest.mark.system
@pytest.mark.skipif(not available(), reason="needs chromium and chromedriver (apt-get install chromium-driver)")
def test_pages_fit_a_phone(run, tmp_path):
    with Browser(tmp_path / "profile", 420, 900, phone=True) as browser:
        for page in (run[0] / "index.html", run[0] / "fast" / "index.html"):
            browser.open(page.as_uri())
            time.sleep(0.2)
            assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
            assert browser.run("return [...document.images].every(image => !image.complete || image.naturalWidth > 0)")
        assert [entry["message"] for entry in browser.log("browser")] == []
