"""VANE-Bench end to end: both readings, categories, refusals, missing frames, a second run, budgets."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from tests.language.bench import layouts
from zsad.language.bench import BENCHMARKS, Options, Run
from zsad.language.bench.vane import RIGHT, STRICT
from zsad.language.cache import Cache
from zsad.language.endpoint import Endpoint
from zsad.language.gateway import Gateway

SETS = {"SORA": {"video_1_subset_1": "AB", "video_2_subset_1": "C"}, "UCFCrime": {"Arrest002": "DA"}}
REPLIES = {
    "video_1_subset_1 0": "A)",  # right in both readings
    "video_1_subset_1 1": "The answer is B.",  # right as the letters are meant
    "video_2_subset_1 0": "B and C",  # several
    "Arrest002 0": "A",  # wrong
    "Arrest002 1": "A)\tthe hand",  # breaks the published counter
}
RULES = [
    {"when": {"text_contains": [f"({name})"], "n_images": [3, 3]}, "reply": {"text": text}}
    for name, text in REPLIES.items()
]


@pytest.fixture
def data(tmp_path):
    return layouts.vane(tmp_path / "VQA_Data", SETS)


def test_both_readings_by_category(serve, bench, data):
    server = serve(*RULES)
    done = bench("vane", data, "--endpoint", server.url)
    assert done.exit_code == 0, done.output
    assert len(server.log) == 5 and all(row["body"]["seed"] == 8 for row in server.log)
    shown = {key: (row["value"], row["count"], row["unparsed"]) for key, row in done.figures.items()}
    assert shown == {
        ("SORA", RIGHT): (pytest.approx(200 / 3), 3, 1),
        ("SORA", STRICT): (pytest.approx(100 / 3), 3, 0),
        ("UCFCrime", RIGHT): (50.0, 2, 0),
        ("UCFCrime", STRICT): (0.0, 2, 1),
        ("all", RIGHT): (60.0, 5, 1),
        ("all", STRICT): (20.0, 5, 1),
        ("mean of categories", RIGHT): (pytest.approx((200 / 3 + 50) / 2), 2, 0),
    }
    assert "breaks on 1" in done.figures["all", STRICT]["note"]
    assert done.said["model"] == "scripted-vlm" and done.said["judge"] is None and done.said["prompts"] == "vane 1"
    assert done.said["questions"] == {"all": 5, "measured": 5, "without_text": 0}


def test_frames_go_in_the_order_of_their_numbers(serve, bench, data, tmp_path):
    server = serve({"reply": {"template": "{grey_0} {grey_1} {grey_2}"}})
    bench("vane", data / "SORA", "--endpoint", server.url)
    rows = [json.loads(line) for line in (tmp_path / "out" / "answers.jsonl").read_text().splitlines()]
    assert {row["output"] for row in rows} == {"69 70 71"}
    bench("vane", data / "SORA", "--endpoint", server.url, "--frames", "1", out="one")
    rows = [json.loads(line) for line in (tmp_path / "one" / "answers.jsonl").read_text().splitlines()]
    assert {row["output"] for row in rows} == {"69 {grey_1} {grey_2}"}


def test_a_second_run_asks_nothing_and_writes_the_same(serve, bench, data, tmp_path):
    server = serve(*RULES)
    first = bench("vane", data, "--endpoint", server.url, "--record", tmp_path / "calls.jsonl")
    second = bench("vane", data, "--endpoint", server.url, "--llm", "scripted-vlm", out="two")
    replayed = bench("vane", data, "--replay", tmp_path / "calls.jsonl", out="three")
    assert (first.exit_code, second.exit_code, replayed.exit_code) == (0, 0, 0) and len(server.log) == 5
    for name in ("results.json", "answers.jsonl", "index.html"):
        found = {(tmp_path / out / name).read_bytes() for out in ("out", "two", "three")}
        assert len(found) == 1, name


def test_a_budget_ends_with_4_and_the_next_run_goes_on(serve, bench, data):
    server = serve(*RULES)
    done = bench("vane", data, "--endpoint", server.url, "--budget", "calls=2")
    assert done.exit_code == 4 and len(server.log) == 2 and "budget reached" in done.flat and not done.said
    assert bench("vane", data, "--endpoint", server.url).exit_code == 0 and len(server.log) == 5


def test_refusals_and_silence_are_wrong_and_counted(serve, bench, data):
    rules = [
        {"when": {"text_contains": ["(Arrest002 0)"]}, "behaviour": {"refusal": "field"}},
        {"when": {"text_contains": ["(Arrest002 1)"]}, "reply": {"text": " "}},
        *RULES,
    ]
    done = bench("vane", data / "UCFCrime", "--endpoint", serve(*rules).url)
    assert done.exit_code == 0, done.output
    row = done.figures["UCFCrime", RIGHT]
    assert (row["value"], row["count"], row["unparsed"]) == (0.0, 2, 2)
    assert done.said["questions"]["without_text"] == 2
    page = (data.parent / "out" / "index.html").read_text()
    assert "(refusal), wrong" in page and "(empty), wrong" in page


def test_missing_clips_and_questions_that_are_none_are_named(serve, bench, data):
    clip = data / "SORA" / "video_2_subset_1"
    for frame in clip.iterdir():
        frame.unlink()
    clip.rmdir()
    (data / "SORA" / "bad_qa.txt").write_text("__import__('os')")
    (data / "SORA" / "none_qa.txt").write_text("[{'Q': 'What is odd?', 'A': 'A'}]")
    broken = data / "UCFCrime" / "Arrest002" / "frame_10.jpg"
    broken.write_bytes(b"no picture")
    done = bench("vane", data, "--endpoint", serve(*RULES).url)
    assert done.exit_code == 1, done.output
    assert done.said["questions"] == {"all": 5, "measured": 2, "without_text": 0}
    lines = " ".join(done.said["left_out"])
    for piece in ("bad_qa.txt: no questions of it (not a literal)", "none_qa.txt: question 1 offers no options",
                  "video_2_subset_1: no such video", "frame_10.jpg"):  # fmt: skip
        assert piece in lines, piece
    assert "not measured: " in done.flat and ("all", RIGHT) not in done.figures  # one category is left


def test_a_failed_call_is_named_and_not_measured(serve, bench, data):
    rules = [{"when": {"text_contains": ["(Arrest002 0)"]}, "behaviour": {"status": 400, "message": "no"}}, *RULES]
    done = bench("vane", data / "UCFCrime", "--endpoint", serve(*rules).url)
    assert done.exit_code == 1 and done.figures["UCFCrime", RIGHT]["count"] == 1
    assert "Arrest002#1: HTTP 400" in done.said["left_out"][0]


def test_each_answer_is_told_once(serve, data):
    told = []
    run = Run(Options(BENCHMARKS["vane"], data, frames=10), Gateway(Endpoint(serve(*RULES).url), Cache(None)),
              on_answer=lambda what, done: told.append((what, done)))  # fmt: skip
    assert len(run.findings().answers) == 5 and told == [("answers", i) for i in range(1, 6)]


def test_figures_are_shown_where_nothing_is_to_be_written(serve, bench, data):
    done = bench("vane", data / "SORA", "--endpoint", serve(*RULES).url, "--llm", "scripted-vlm", out=None)
    assert done.exit_code == 0 and "66.7" in done.output and "Wrote" not in done.output
    assert sorted(path.name for path in data.parent.iterdir()) == ["VQA_Data", "home"]


def test_what_it_will_cost(bench, data):
    done = bench("vane", data, "--dry-run", out=None)
    assert done.exit_code == 0, done.output
    assert "calls: 5 at most" in done.flat and "missing: 0 videos" in done.flat and "hours: " in done.flat


def test_some_videos_drawn_by_a_seed(serve, bench, data):
    server = serve(*RULES)
    done = bench("vane", data, "--endpoint", server.url, "--limit", "1", "--seed", "3")
    one = {row["video"] for row in map(json.loads, (data.parent / "out" / "answers.jsonl").read_text().splitlines())}
    again = bench("vane", data, "--endpoint", server.url, "--limit", "1", "--seed", "3", out="two")
    assert done.exit_code == 0 and len(one) == 1 and again.said["figures"] == done.said["figures"]


def test_answers_of_others(bench, data, tmp_path):
    file = tmp_path / "mine.jsonl"
    rows = {"SORA/video_1_subset_1#1": "A", "SORA/video_1_subset_1#2": "(B)", "SORA/video_2_subset_1#1": "D",
            "UCFCrime/Arrest002#1": "ERROR"}  # fmt: skip
    file.write_text("\n".join(json.dumps({"id": name, "output": text}) for name, text in rows.items()))
    done = bench("vane", data, "--answers", file)
    assert done.exit_code == 1, done.output
    assert done.figures["SORA", RIGHT]["value"] == pytest.approx(200 / 3) and done.said["model"] is None
    assert [line.split(":")[0] for line in done.said["left_out"]] == ["UCFCrime/Arrest002#1", "UCFCrime/Arrest002#2"]


@pytest.mark.parametrize(
    ("row", "line"),
    [('{"id": "SORA/x#1", "output": "A"}', "is no question of the data"),
     ('{"id": "SORA/video_1_subset_1#1"}', "output is missing"),
     ('{"id": "SORA/video_1_subset_1#1", "output": "A"}\n' * 2, "a second answer"),
     ('{"id": "SORA/video_1_subset_1#1", "output": [1]}', "it must be text"),
     ("[1]", "it must be a mapping"), ("{", "not valid JSON")],
)  # fmt: skip
def test_wrong_answer_files_are_one_line(bench, data, tmp_path, row, line):
    (tmp_path / "bad.jsonl").write_text(row)
    done = bench("vane", data, "--answers", tmp_path / "bad.jsonl")
    assert done.exit_code == 1 and line in done.flat and len(done.output.strip().splitlines()) == 1, done.output
