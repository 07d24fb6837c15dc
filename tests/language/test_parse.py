"""Parsers of replies: every row of the fixtures, worked cases, and no text on which one raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import parity_language
from benchmarks.language_parity import replies
from benchmarks.language_parity.fixtures import Fixtures
from zsad.language import parse

GOLDEN = Path(__file__).parents[1] / "golden" / "language"
SYSTEMS = (
    replies.lavad, replies.vera, replies.holmes, replies.vadllama, replies.hawk, replies.cuva, replies.ecva,
    replies.vane,
)  # fmt: skip
READERS = (
    parse.bracket_score, parse.judge_score, parse.last_line, parse.guiding_questions, parse.numbered,
    parse.learner_output, parse.judgement, parse.detection, parse.category, parse.key_information, parse.ranking,
    parse.letter, parse.answer, parse.json_object, parse.qa_pairs, lambda text: parse.agent_score(text, 5),
    lambda text: parse.marks(text, "Des"), lambda text: parse.time_spans(text, 60.0),
)  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.__name__)
def test_every_row_of_the_fixtures(system):
    checks = list(system(Fixtures(GOLDEN)))
    assert checks and [(check.quantity, check.note) for check in checks if not check.passed] == []


def test_the_comparison_finds_a_wrong_value(tmp_path, capsys):
    data = json.loads((GOLDEN / "holmes.json").read_text(encoding="utf-8"))
    data["judgement"][0] |= {"right": 0, "reason": "another"}
    (tmp_path / "holmes.json").write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "hawk.json").write_text("{}")
    assert parity_language.main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("parity FAIL: 3 of ")
    assert parity_language.main([str(tmp_path / "nothing")]) == 2


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_no_text_makes_a_parser_raise(text):
    for read in READERS:
        found = read(text)
        assert isinstance(found.reason, str) and found.reason
    parse.moment_cells(text), parse.type_cells(text), parse.key_sentences(text)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="[](){}0123456789.,:/'\"-+eE *_#\nABCDscoreoutput</>yesno", max_size=60))
def test_nor_do_the_signs_that_they_look_for(text):
    for read in READERS:
        read(text)
    value = parse.bracket_score(text).value
    assert value is None or 0 <= value <= 1
    assert parse.learner_output(text).value in (None, 0, 1)
    assert parse.letter(text).value in (None, *"ABCD")


@pytest.mark.parametrize("read", READERS)
def test_huge_texts_and_numbers_are_answered(read):
    for text in ("[" * 50_000, "{" * 50_000, "9" * 5000, "[" + "9" * 5000 + "]", "score: " + "1" * 400, "A" * 200_000,
                 "[1" + ",1" * 40_000 + "]", "[" * 100 + "0.5" + "]" * 100):  # fmt: skip
        assert read(text).reason


@pytest.mark.parametrize(
    ("reply", "value", "reason"),
    [("score 10/10", None, "unparsed"), ("score: 1.5/2", None, "unparsed"), ("score: 0.75, good", 0.75, "text"),
     ("{'score': 2}", None, "out_of_range"), ("{'score': [1]}", None, "not_a_number")],
)  # fmt: skip
def test_a_judges_score_is_no_part_of_a_longer_number(reply, value, reason):
    assert parse.judge_score(reply) == (value, reason)


def test_json_with_prose_around_it():
    assert parse.json_object('{"a": 1}').value == {"a": 1}
    assert parse.json_object('I think {"a": "}"} is it').value == {"a": "}"}
    assert parse.json_object('{"a": 1').value is None and parse.json_object("[1]").reason == "unparsed"
    assert parse.json_object("").reason == "empty"


def test_lists_with_marks():
    assert parse.numbered("- one\n* two\nthree").value == ["one", "two"]
    assert parse.numbered("1. a\n2. b\n3. c", most=2) == (["a", "b"], "capped")
    assert parse.guiding_questions("New Questions:\n```\n1. Is it wet?\n```\nmore?").value == ["Is it wet?"]


BLANKS = " " * 20_000
RUNS = ("score:", "category", "Details", "[1", "1", "final score", "no", "x", "New Questions", "Output", "(A", '"a"')


@pytest.mark.parametrize("before", RUNS)
def test_long_runs_of_one_sign_take_no_time(before):
    for run in (BLANKS, ":" * 20_000, "[" * 20_000, "0" * 20_000, "- " * 10_000, "_" * 20_000):
        for read in READERS:
            assert read(before + run + "x").reason
        parse.key_sentences(before + run), parse.moment_cells(before + run), parse.type_cells(before + run)
