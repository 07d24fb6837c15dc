"""Claims of explanations against what a detector found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.language.align import Findings, Lexicon, Span, align, claims, findings, map_findings
from zsad.video.events import find_events
from zsad.video.live import Rule
from zsad.video.series import ScoreSeries

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/language/alignment.json").read_text(encoding="utf-8"))


def detector(told: dict[str, Any]) -> Findings:
    place, events = told["location"] or {}, told["events"]
    return Findings(
        told["duration_s"],
        told["anomaly"],
        None if events is None else tuple(Span(e["start_s"], e["end_s"], e["class"]) for e in events),
        told["counts"],
        place.get("row"),
        place.get("col"),
        told["peak"],
    )


@pytest.mark.parametrize("row", GOLDEN["examples"], ids=lambda row: row["explanation"][:30])
def test_examples(row: dict[str, Any]) -> None:
    found = align(row["explanation"], detector(row["detector"])).to_dict()
    ours = [
        {key: value for key, value in claim.items() if key not in ("evidence", "text")} for claim in found["claims"]
    ]
    assert sorted(map(repr, map(sorted_pairs, ours))) == sorted(map(repr, map(sorted_pairs, row["claims"])))
    assert found["summary"] == row["summary"]
    assert all(claim["evidence"] for claim in found["claims"])


def sorted_pairs(claim: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(claim.items())


def test_the_shipped_words_are_the_described_ones() -> None:
    words, told = Lexicon(), GOLDEN["lexicon"]
    assert (words.classes, words.nouns, words.part_nouns) == (told["classes"], told["nouns"], told["part_nouns"])
    assert (words.numbers, words.at_least) == (GOLDEN["number_words"], GOLDEN["at_least_words"])


def said(text: str, kind: str) -> list[dict[str, Any]]:
    return [dict(claim.said) for claim in claims(text, 60) if claim.kind == kind]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("It starts around about 7.5 sec.", [(7.5, 7.5)]),
        ("From 3 to 5 people run.", []),
        ("Between 0:05 and 9 nothing moves.", []),
        ("From 9 s to 4 s.", []),
        ("The whole video shows smoke.", [(0, 60)]),
    ],
)
def test_times(text: str, times: list[tuple[float, float]]) -> None:
    assert [(one["start"], one["end"]) for one in said(text, "time")] == times


def test_negation_reaches_over_three_words() -> None:
    assert said("There is not any sign of fire.", "class") == [{"label": "fire", "negated": False}]
    assert said("There is never a fire.", "class") == [{"label": "fire", "negated": True}]


def test_equal_claims_count_once() -> None:
    assert len(said("A fire. Flames. The fire burns on.", "class")) == 1


def test_a_number_of_seconds_is_no_score() -> None:
    assert said("Severity 0.9/1, confidence 1 s, score 0.25.", "severity") == [{"score": 0.25}]


@pytest.mark.parametrize(
    "text", ["9" * 400 + " people", "from " + "9" * 400 + " to 5 s", "at 1:99 \0", "\u0663 people"]
)
def test_odd_texts_are_read(text: str) -> None:
    found = align(text, Findings(10.0, True, (), {"person": 1}, peak=0.5))
    assert sum(map(found.count, ("aligned", "contradicted", "unsupported"))) == len(found.checked)
    assert found.count("aligned") == 0


@given(st.text(alphabet="fire no 0123456789:.s,atmen", max_size=60))
def test_every_claim_gets_a_verdict_and_hedging_never_contradicts(text: str) -> None:
    found = Findings(30.0, False, (), {"person": 2}, "top", "left", 0.2)
    assert align(f"Perhaps {text.replace('.', '')}", found).count("contradicted") == 0
    result = align(text, found)
    assert sum(map(result.count, ("aligned", "contradicted", "unsupported"))) == len(result.checked)
    assert align(text, Findings()).count("contradicted") == 0


def test_scores_and_events_become_findings() -> None:
    series = ScoreSeries([0.1, 0.9, 0.2], [0, 10, 20], [0.0, 1.0, 2.0], 30, 10.0, "map")
    events = find_events(series, Rule(0.8), lambda index: (80, 0, 100, 10))
    found = findings(series, events, (100, 50), {"person": 3})
    assert found == Findings(3.0, True, (Span(1.0, 2.0),), {"person": 3}, "top", "right", 0.9)
    result = align("Two people stand in the upper left corner from 1 to 2 seconds.", found)
    assert [(one.claim.kind, one.verdict) for one in result.checked] == [
        ("time", "aligned"),
        ("count", "contradicted"),
        ("location", "contradicted"),
    ]
    assert "person: 3" in result.line()
    raw = ScoreSeries([5.0], [0], [0.0], 1, 0.0, "motion")
    assert findings(raw, []) == Findings(None, False, ())


def test_a_map_becomes_findings() -> None:
    values = np.zeros((30, 60), np.float32)
    values[25:, :10] = 0.75
    assert map_findings(values, 0.5) == Findings(anomaly=True, row="bottom", col="left", peak=0.75)
    assert map_findings(values, 0.9) == Findings(anomaly=False, peak=0.75)
