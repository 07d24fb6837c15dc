"""``zsad explain`` end to end: regions in words and pictures, claims against the map."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from tests.language.explain.drawn import run
from tests.part_images import part
from zsad.errors import InputError
from zsad.language.align import map_findings
from zsad.language.cache import Cache
from zsad.language.endpoint import Endpoint
from zsad.language.explain.part import CROPS, around, evidence_of, explain_part, in_words, pictures, severity
from zsad.language.gateway import Gateway
from zsad.types import Result, Thresholds

RULES = [
    {"when": {"text_contains": ["Begin with yes or no"]}, "reply": {"text": "Yes, a dent."}},
    {
        "when": {"text_contains": ["Describe in two to four"]},
        "reply": {"text": "One defect in the lower right corner."},
    },
    {"when": {"text_contains": ["What may have caused it"]}, "reply": {"text": "A tool slipped."}},
    {"when": {"text_contains": ["How many?"]}, "reply": {"text": "There are three defects."}},
]


def result_of(boxes, thresholds=None, size=(120, 80)):
    values = np.full(size[::-1], 0.1, np.float32)
    for (x0, y0, x1, y1), value in boxes.items():
        values[y0:y1, x0:x1] = value
    image = Image.new("RGB", size, (90, 90, 90))
    return Result(float(values.max()), values, thresholds or Thresholds(pixel=0.5), "part.png", image=image)


TWO = {(0, 0, 20, 10): 0.9, (100, 60, 120, 80): 0.6}


def test_regions_in_words():
    told = in_words(result_of(TWO), list(result_of(TWO).regions)).splitlines()
    assert told[0] == "Score of the whole image 0.90, of 0 to 1; anomalous."
    assert told[1] == ("Region 1: top left, 20 x 10 of 120 x 80 pixels (2.1 % of the image), highest value 0.90, high "
                       "severity.")  # fmt: skip
    assert told[2].startswith("Region 2: bottom right, 20 x 20") and told[2].endswith("0.60, moderate severity.")
    assert in_words(result_of({}), []).splitlines()[1:] == ["No region stands out."]
    assert "no verdict, since no threshold is set" in in_words(result_of(TWO, Thresholds()), [])


def test_evidence_is_that_of_the_map():
    one = evidence_of(result_of({(100, 60, 120, 80): 0.75}))
    assert one.found.row == "bottom" and one.found.col == "right" and one.found.counts == {"region": 1}
    values = result_of({(100, 60, 120, 80): 0.75}).map
    whole = map_findings(values, 0.5)
    assert (one.found.anomaly, one.found.row, one.found.col, one.found.peak) == (
        whole.anomaly, whole.row, whole.col, whole.peak)  # fmt: skip
    two = evidence_of(result_of(TWO))
    assert two.places == (("top", "left"), ("bottom", "right"))
    verdicts = [one.verdict for one in two.align("Two defects, one in the upper left corner. One in the middle left "
                                                 "part. The severity of 0.9.").checked]  # fmt: skip
    assert verdicts == ["aligned", "aligned", "contradicted", "aligned"]


def test_what_nobody_has_decided_is_not_known():
    hint = evidence_of(result_of(TWO, Thresholds()))
    assert hint.found.anomaly is None and hint.found.counts is None and len(hint.places) == 2
    assert evidence_of(result_of({}, Thresholds(pixel="never"))).places == ()
    assert evidence_of(result_of({})).found.anomaly is False
    by_score = evidence_of(result_of(TWO, Thresholds(image=0.5)))
    assert by_score.found.anomaly is True and by_score.found.counts is None


def test_pictures_are_the_image_its_heat_and_the_highest_regions():
    many = {(20 * i, 0, 20 * i + 8, 8): 0.6 + 0.05 * i for i in range(5)}
    result = result_of(many)
    seen = pictures(result, list(result.regions))
    assert [one.what for one in seen[2:]] == [f"Region {i} by itself" for i in range(1, CROPS + 1)]
    assert seen[2].box == around((80, 0, 88, 8), (120, 80)) and seen[0].picture.sha != seen[1].picture.sha
    assert Image.open(BytesIO(seen[2].picture.load())).size == (48, 28)
    with pytest.raises(InputError, match="keeps no image"):
        pictures(Result(0.5, np.zeros((4, 4), np.float32), name="x"), [])


@pytest.mark.parametrize("seed", range(5))
def test_crops_lie_in_the_image_and_hold_their_region(seed):
    rng = np.random.default_rng(seed)
    wide, high = (int(one) for one in rng.integers(1, 300, 2))
    x0, y0 = int(rng.integers(0, wide)), int(rng.integers(0, high))
    x1, y1 = int(rng.integers(x0 + 1, wide + 1)), int(rng.integers(y0 + 1, high + 1))
    a, b, c, d = around((x0, y0, x1, y1), (wide, high))
    assert 0 <= a <= x0 < x1 <= c <= wide and 0 <= b <= y0 < y1 <= d <= high


def test_levels_are_those_of_claims():
    assert [severity(value) for value in (0.0, 0.39, 0.4, 0.69, 0.7, 1.0)] == [
        "low", "low", "moderate", "moderate", "high", "high"]  # fmt: skip


@pytest.fixture
def image(tmp_path):
    part(tmp_path / "part.png", 120)
    return tmp_path / "part.png"


def explain(image, *words, code=0):
    return run("explain", image, "--out", image.parent / "out", *words, code=code)


def test_an_image_is_explained_and_a_second_run_changes_nothing(serve, image):
    server = serve(*RULES, deterministic=True)
    said = explain(image, "--endpoint", server.url, "--pixel-threshold", 0.15)
    folder = image.parent / "out" / "part"
    data = json.loads((folder / "explanation.json").read_text())
    assert data["kind"] == "zsad explanation" and [row["task"] for row in data["answers"]] == [
        "judgement", "description", "cause"]  # fmt: skip
    assert len(server.log) == 3 and all(len(row["images"]) == len(data["pictures"]) for row in server.log)
    assert "Region 1: " in server.log[0]["text"]
    assert data["detector"]["verdict"] == "anomalous" and data["found"]["counts"]["region"] == len(data["regions"])
    kinds = {one["kind"]: one["verdict"] for row in data["answers"] for one in row["claims"]}
    assert kinds["presence"] == "aligned" and set(kinds) == {"presence", "count", "location"}
    assert "claims 4" in said or "claims 3" in said
    before = [(folder / name).read_bytes() for name in ("explanation.json", "explanation.html")]
    explain(image, "--endpoint", server.url, "--pixel-threshold", 0.15)
    assert len(server.log) == 3
    assert [(folder / name).read_bytes() for name in ("explanation.json", "explanation.html")] == before


def test_what_is_inspected_is_told(serve):
    server = serve(*RULES)
    gateway = Gateway(Endpoint(server.url), Cache(None))
    done = explain_part(gateway, Path("part.png"), result_of(TWO), noun="nut {regions}", asked=["How many?"])
    assert "Inspected is: nut {regions}" in server.log[0]["text"] and done.data["object"] == "nut {regions}"
    assert done.answers[0].alignment.checked[0].verdict == "contradicted" and len(done.pictures) == 4


def test_own_questions_and_budget(serve, image):
    server = serve(*RULES)
    explain(image, "--endpoint", server.url, "--question", "How many?")
    data = json.loads((image.parent / "out" / "part" / "explanation.json").read_text())
    assert [row["title"] for row in data["answers"]] == ["How many?"] and data["found"]["anomaly"] is None
    assert data["answers"][0]["claims"][0]["verdict"] == "unsupported"  # no threshold: nothing is counted
    said = explain(image, "--endpoint", server.url, "--budget", "calls=1", code=4)
    assert "2 questions are missing" in said and len(server.log) == 2


def test_bad_input_is_one_line(serve, image):
    assert "no such file" in run("explain", image.parent / "absent.png", "--out", image.parent / "o", code=2)
    assert "--out is missing" in run("explain", image, "--endpoint", "http://a", code=2)
    assert "give --endpoint URL" in explain(image, code=2)
    assert "--question is empty" in explain(image, "--question", " ", code=2)
    assert "no endpoint there" in explain(image, "--endpoint", "http://127.0.0.1:9", "--llm", "x", code=1)
    assert "calls: 3 at most" in explain(image, "--dry-run")
    blind = {"behaviour": {"status": 400, "message": "this model does not support image input"}}
    assert "takes no images" in explain(image, "--endpoint", serve(blind).url, "--llm", "x", code=1)
    (image.parent / "text.png").write_text("none")
    said = explain(image.parent / "text.png", "--endpoint", serve(*RULES).url, code=1)
    assert "not an image that can be read" in said and not (image.parent / "out" / "text").exists()
