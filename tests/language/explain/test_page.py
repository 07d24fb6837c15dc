"""The page of an explanation in a browser: it fits a phone, shows its pictures, and has no script."""

from __future__ import annotations

import pytest

from tests.report.browser import Browser, available
from zsad.language.asking import Picture
from zsad.language.explain.page import write_explanation_page
from zsad.language.pictures import to_jpeg

CLAIMS = [{"kind": "time", "start": 5.0, "end": 8.0, "hedged": False, "verdict": "aligned", "evidence": "from 5 to 8 s",
           "text": "It burns"},
          {"kind": "location", "row": "top", "col": "left", "verdict": "contradicted", "evidence": "bottom right",
           "text": "Above"}]  # fmt: skip


def documented(picture, answer="It burns. Above.\nAnd " + "on and " * 60):
    rows = [{"task": "what", "title": "What happens", "question": "Tell.\n[picture]", "prompts": "explain 1",
             "answer": answer, "value": answer, "reason": "text", "claims": CLAIMS}]  # fmt: skip
    frame = {"timestamp": 1.5, "score": 0.5, "sha256": picture.sha, "motion_sha256": picture.sha}
    return {
        "kind": "zsad explanation", "format": 1, "model": "m" * 90, "answers": rows,
        "video": {"name": "x" * 80, "path": "x.mp4", "n_frames": 48, "fps": 4.0, "width": 32, "height": 24},
        "scores": {"method": "ask", "model": "", "threshold": 0.5, "known": False, "events": []},
        "sampler": {"name": "density"}, "frames": [{"index": i, **frame} for i in range(12)], "hint": "",
        "found": {"duration_s": 12.0, "events": [{"start_s": 4.0, "end_s": 8.0, "label": None}]},
        "summary": {"claims": 2, "aligned": 1, "contradicted": 1, "unsupported": 0, "trust": 0.5}, "unparsed": 1,
        "partial": True, "missing": [{"task": "why", "title": "Why", "reason": "budget"}],
        "calls": {"sent": 1, "cached": 0, "unparsed": 0, "tokens": 9},
    }  # fmt: skip


@pytest.mark.system
@pytest.mark.skipif(not available(), reason="needs chromium and chromedriver (apt-get install chromium-driver)")
def test_the_page_fits_a_phone_and_colours_claims(tmp_path):
    from PIL import Image

    picture = Picture.of(to_jpeg(Image.new("RGB", (32, 24), (200, 60, 20))))
    write_explanation_page(tmp_path / "explanation.html", documented(picture), {picture.sha: picture.load()})
    with Browser(tmp_path / "profile", 420, 900, phone=True) as browser:
        browser.open((tmp_path / "explanation.html").as_uri())
        browser.wait_for("[...document.images].every(image => image.complete)")
        assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
        assert browser.run("return [...document.images].map(image => image.naturalWidth)") == [32] * 24
        colours = browser.run(
            "return [...document.querySelectorAll('mark')].map(one => [one.className, one.textContent, "
            "getComputedStyle(one).backgroundColor])"
        )
        assert [one[:2] for one in colours] == [["aligned", "It burns."], ["contradicted", "Above."]]
        assert colours[0][2] != colours[1][2] and browser.run("return document.scripts.length") == 0
        assert browser.run("return document.querySelectorAll('svg .event, svg .sent').length") == 13
        assert [entry["message"] for entry in browser.log("browser")] == []
