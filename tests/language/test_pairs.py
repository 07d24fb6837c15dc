"""Questions and answers out of labels and captions: right answers, the same lines by the same seed, bad input named."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from zsad.cli import app
from zsad.language.pairs import ANALYSE, DESCRIBE, IS_THERE, pairs, read_captions
from zsad.video.labels import load_labels

CSV = "name,start,end,label\nfire.mp4,50,125,arson\nfire.mp4,200,250,smoke\nyard.mp4,,,normal\n"
CAPTIONS = [{"video": "fire", "description": "A bin burns.", "analysis": "Bins do not burn by themselves.",
             "qa": [{"q": "Where?", "a": "By the wall."}]}]  # fmt: skip
FIRE, YARD = (
    "Yes, there is arson from 2.0 s to 5.0 s, and smoke from 8.0 s to 10.0 s.",
    "No, there is no anomaly in this video.",
)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV)
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, CAPTIONS)) + "\n\n")
    return tmp_path


def run(place, form, *more, out="out.jsonl"):
    arguments = ["language", "pairs", form, f"csv:{place / 'mine.csv'}", "--out", str(place / out), *map(str, more)]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})
    lines = (place / out).read_text().splitlines() if done.exit_code == 0 else []
    return done, [json.loads(line) for line in lines]


def test_vadllama(place):
    done, (fire, yard) = run(place, "vadllama", "--fps", 25, "--captions", place / "c.jsonl")
    assert done.exit_code == 0 and "2 lines of 2 videos" in done.output
    assert (
        fire["temporal_label"] == [[2.0, 5.0], [8.0, 10.0]] and fire["video"] == "fire" and yard["temporal_label"] == []
    )
    assert [one["a"] for one in fire["QA"]] == [FIRE, "By the wall."] and yard["QA"][0]["a"] == YARD
    assert fire["QA"][0]["q"] in IS_THERE


def test_holmes(place):
    _, rows = run(place, "holmes", "--fps", 25, "--captions", place / "c.jsonl")
    told = [(row["task"], row["conversations"][1]["value"]) for row in rows]
    assert told == [("judgement", FIRE), ("description", "A bin burns."), ("analysis", CAPTIONS[0]["analysis"]),
                    ("question", "By the wall."), ("judgement", YARD)]  # fmt: skip
    asked = [row["conversations"][0]["value"].removeprefix("<video>\n") for row in rows]
    assert asked[1] in DESCRIBE and asked[2] in ANALYSE and len({row["id"] for row in rows}) == 5


def test_hawk_asks_for_a_description_in_half_of_the_cases(place):
    labels, said = load_labels(f"csv:{place / 'mine.csv'}", None, set()), read_captions(place / "c.jsonl")
    described = 0
    for seed in range(200):
        fire, yard = pairs("hawk", labels, said, seed, 25)
        asks = fire["QA"][0]["q"] in DESCRIBE
        assert [one["a"] for one in fire["QA"]] == (["A bin burns."] if asks else [FIRE, "By the wall."])
        assert yard["QA"][0]["a"] == YARD and yard["description"] == ""  # nothing is said of it
        described += asks
    assert 70 <= described <= 130


def test_the_seed_decides_and_the_order_does_not(place):
    one, two = (run(place, "hawk", "--fps", 25, "--seed", 3, out=name)[1] for name in ("a.jsonl", "b.jsonl"))
    assert one == two
    head, *rows = CSV.splitlines()
    (place / "mine.csv").write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert sorted(run(place, "hawk", "--fps", 25, "--seed", 3, out="e.jsonl")[1], key=lambda r: r["video"]) == one
    assert any(run(place, "hawk", "--fps", 25, "--seed", s, out="d.jsonl")[1] != one for s in range(4, 9))


BAD = {
    '{"video": "fire", "qa": [{"q": "x"}]}': "c.jsonl:1: qa is",
    "[1]": "c.jsonl:1: needs a text video",
    '{"video": "van"}': "has no video",
    '{"video": "fire"}\n{"video": "fire"}': "is there twice",
    "{": "c.jsonl:1",
}


@pytest.mark.parametrize(("line", "said"), BAD.items())
def test_captions_that_are_none_are_one_line(place, line, said):
    (place / "c.jsonl").write_text(line)
    done, _ = run(place, "hawk", "--fps", 25, "--captions", place / "c.jsonl")
    assert done.exit_code == 1 and said in " ".join(done.output.split()) and not (place / "out.jsonl").exists()


def test_seconds_need_frames_per_second(place):
    done, _ = run(place, "vadllama")
    assert done.exit_code == 1 and "give --fps N" in " ".join(done.output.split())
    assert run(place, "vadlama", "--fps", 25)[0].exit_code == 2
    assert run(place, "hawk", "--fps", 25, out="mine.csv")[0].exit_code != 0 and (place / "mine.csv").read_text() == CSV
