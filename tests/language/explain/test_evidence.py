"""What claims are held against: places of several events, classes, regions; and how verdicts are shown."""

from __future__ import annotations

import json

import pytest

from zsad.documents import Entries
from zsad.errors import InputError
from zsad.language.align import Claim, Findings, Span
from zsad.language.explain.evidence import Evidence, of_series, read_evidence
from zsad.language.explain.marked import in_words, paragraphs, value_in_words
from zsad.language.parse import prose
from zsad.video.events import find_events
from zsad.video.live import Rule
from zsad.video.series import ScoreSeries

SCORED = ScoreSeries([0.1, 0.9, 0.2, 0.95], [0, 10, 20, 30], [0.0, 1.0, 2.0, 3.0], 40, 10.0, "map",
                     classes={"normal": [1, 0, 1, 0], "Road-accident": [0, 1, 0, 1]})  # fmt: skip
BOXES = {1: (0, 0, 20, 10), 3: (80, 40, 100, 50)}


def evidence(known=True):
    events = find_events(SCORED, Rule(0.8), BOXES.get)
    return of_series(SCORED, events, (100, 50), known=known)


def verdicts(found, text, also=()):
    return {(row["kind"], in_words(row)): row["verdict"] for row in found.align(text, also).to_dict()["claims"]}


def test_a_place_of_any_event_is_aligned():
    found = evidence()
    assert found.places == (("bottom", "right"), ("top", "left"))
    for text in ("It lies in the upper left corner.", "It lies in the lower right corner."):
        assert set(verdicts(found, text).values()) == {"aligned"}
    wrong = found.align("It lies in the middle left part.").checked[0]
    assert wrong.verdict == "contradicted" and wrong.evidence == "places: bottom right, top left"
    assert set(verdicts(Evidence(), "It lies in the upper left corner.").values()) == {"unsupported"}


def test_without_a_threshold_nobody_knows_whether_there_is_an_anomaly():
    assert verdicts(evidence(), "This is unusual.") == {("presence", "something is anomalous"): "aligned"}
    assert verdicts(evidence(known=False), "This is unusual.") == {
        ("presence", "something is anomalous"): "unsupported"
    }
    assert verdicts(evidence(known=False), "It burns from 1 s to 2 s.")[("time", "from 1 to 2 s")] == "aligned"


def test_names_of_the_detectors_classes_are_read():
    found = evidence()
    assert found.classes == ("Road-accident",) and found.found.events[0].label == "Road-accident"
    assert verdicts(found, "A road accident is seen.")[("class", "Road-accident")] == "aligned"
    assert verdicts(found, "There is no road accident.")[("class", "no Road-accident")] == "contradicted"
    assert verdicts(found, "A fire is seen.") == {("class", "fire"): "contradicted"}


def test_claims_of_the_form_count_once():
    also = [Claim("time", (("start", 1.0), ("end", 2.0)), text="[1, 2]")]
    assert verdicts(evidence(), "[1, 2]", also) == {("time", "from 1 to 2 s"): "aligned"}
    assert len(evidence().align("It burns from 1 to 2 s.", also).checked) == 2  # with the class


def test_regions_are_counted_where_a_threshold_is_set():
    two = Evidence(Findings(anomaly=True, counts={"region": 2}), regions=True)
    assert verdicts(two, "There are two defects.") == {("count", "region: 2"): "aligned"}
    assert verdicts(two, "There is one scratch.") == {("count", "region: 1"): "unsupported"}
    assert verdicts(two, "There are three cracks.") == {("count", "region: 3"): "contradicted"}
    assert verdicts(Evidence(regions=True), "There are two defects.") == {("count", "region: 2"): "unsupported"}


@pytest.mark.parametrize(
    "found",
    [Evidence(), evidence(), Evidence(Findings(2.5, False, (), {"person": 3}, peak=0.5)),
     Evidence(Findings(events=(Span(0.0, 1.0),)), (("middle", "left"),), ("a b",))],
)  # fmt: skip
def test_evidence_is_written_and_read(found):
    data = json.loads(json.dumps(found.to_dict()))
    assert read_evidence(Entries.of(data, "x", InputError)).to_dict() == data


@pytest.mark.parametrize(
    "change",
    [{"anomaly": "yes"}, {"events": [{"start_s": "1", "end_s": 2}]}, {"events": 3}, {"counts": {"person": -1}},
     {"peak": 7}, {"duration_s": float("nan")}, {"more": 1}],
)  # fmt: skip
def test_evidence_from_outside_is_not_trusted(change):
    with pytest.raises(InputError, match="x"):
        read_evidence(Entries.of(evidence().to_dict() | change, "x", InputError))


@pytest.mark.parametrize(
    ("reply", "value", "reason"),
    [("A man runs.", "A man runs.", "text"), ("  \n", None, "empty"), ("", None, "empty"),
     ("I'm sorry, but I can't help with that.", None, "refusal"), ("I\u2019m sorry, I can\u2019t.", None, "refusal"),
     ("Sorry, no.", None, "refusal"), ("As an AI, I cannot view videos.", None, "refusal"),
     ("Unfortunately, I am unable to view the frames.", None, "refusal"),
     ("I'm not able to assist with it.", None, "refusal"),
     ("I cannot see anything unusual.", "I cannot see anything unusual.", "text"),
     ("A man says sorry.", "A man says sorry.", "text")],
)  # fmt: skip
def test_prose_and_apologies(reply, value, reason):
    assert prose(reply) == (value, reason)


def test_sentences_have_the_worst_verdict_of_their_claims():
    claims = [{"text": "A fire burns at 3.5 s", "verdict": "aligned"}, {"text": "A fire burns at 3.5 s", "verdict":
              "contradicted"}, {"text": "It may be arson", "verdict": "unsupported"}]  # fmt: skip
    answer = "A fire burns at 3.5 s.\n\nIt may be arson! Then  nothing."
    lines = paragraphs(answer, claims)
    assert lines == [[("A fire burns at 3.5 s.", "contradicted")],
                     [("It may be arson!", "unsupported"), (" Then  nothing.", "")]]  # fmt: skip
    assert "\n\n".join("".join(text for text, _ in line) for line in lines) == answer
    whole = paragraphs("[3, 5]", [{"text": "[3, 5]", "verdict": "aligned"}])
    assert whole == [[("[3, 5]", "aligned")]] and paragraphs("", []) == []


@pytest.mark.parametrize(
    ("claim", "said"),
    [({"kind": "duration", "seconds": 4.0}, "lasts 4 s"),
     ({"kind": "order", "first": "a", "second": "b"}, "a before b"),
     ({"kind": "location", "row": "top", "col": None}, "top"), ({"kind": "severity", "score": 0.25}, "score 0.25"),
     ({"kind": "severity", "level": "low", "hedged": True}, "low severity, hedged"),
     ({"kind": "class", "label": "x\x1b", "negated": True}, "no x\\x1b")],
)  # fmt: skip
def test_claims_in_words(claim, said):
    assert in_words(claim) == said


def test_values_in_words():
    assert [value_in_words(v) for v in (True, "text", None, [[1.0, 2.5]], {"number": 3, "name": "fire"},
                                        {"anomaly": False, "classes": [], "spans": []}, [7], {"classes": 3})] == [
        "yes", "", "", "1 to 2.5 s", "3: fire", "no", "", "no"]  # fmt: skip
