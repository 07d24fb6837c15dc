"""CUVA and ECVA end to end: six tasks, MMEval's judge and four agents, against figures worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")
pytest.importorskip("sacrebleu")

from tests.language.bench import layouts
from tests.language.clips import Levels
from zsad.errors import UsageError
from zsad.language.bench import BENCHMARKS, Options, Run
from zsad.language.bench.cuva import HIT, IOU
from zsad.language.bench.texts import PER_PAIR, SWAPPED
from zsad.language.cache import Cache
from zsad.language.endpoint import Endpoint
from zsad.language.gateway import Gateway


def said(words, text, grey=None, **more):
    when = {"text_contains": [words], **({"image": {"mean_grey": grey}} if grey else {}), **more}
    return {"when": when, "reply": {"text": text}}


FIRST, SECOND = [35, 45], [65, 75]
MARKS = "[{}]: {}/2\n"
ALL_FIVE = "".join(
    MARKS.format(name, mark)
    for name, mark in [
        ("Consistency", 2),
        ("Details", 1),
        ("Relevance", 1),
        ("Temporal Coherence", 2),
        ("Anomaly recognition", 1),
    ]
)
TASKS = [
    said("YES or NO", "Yes, a crash.", FIRST),
    said("YES or NO", "I am not sure", SECOND),  # asked for again, unparsed in the end: wrong
    said("of these categories", "[5]", FIRST),
    said("of these categories", "Theft or Robbery?", SECOND, attempt=0),
    said("of these categories", "[9]", SECOND, attempt=1),
    said("When does", "[5, 15]", FIRST),
    said("When does", "from 3 to 7 s", SECOND),
    said("Describe the anomaly", "A car hits a wall."),
    said("Why does", "The driver looks away.", FIRST),
    {"when": {"text_contains": ["Why does"]}, "behaviour": {"refusal": "filter"}},
    said("lead to?", "The car stops."),
]
JUDGE = [
    said("for the description", f"{ALL_FIVE}Score: 9/10"),  # the five count, not their wrong sum
    said("for the cause", "Score: 4 out of 10"),
    said("for the result", "very good"),
]


@pytest.fixture
def data(tmp_path):
    return layouts.cuva(tmp_path / "cuva")


def test_cuva_by_task(serve, bench, data):
    server = serve(*JUDGE, *TASKS)
    done = bench("cuva", data, "--endpoint", server.url, "--folder-fps", "2", "--frames", "4")
    assert done.exit_code == 0, done.output
    shown = {key: (row["value"], row["count"], row["unparsed"]) for key, row in done.figures.items()}
    assert shown["Detection", "accuracy"] == (50.0, 2, 1)
    assert shown["Classification", "accuracy, 11 categories"] == (100.0, 2, 0)
    # [5, 15] against [5, 10], and [3, 7] against [2, 4]: 5 of 10 s, 1 of 5 s
    assert shown["Timestamp", IOU] == (pytest.approx((0.5 + 0.2) / 2), 2, 0)
    assert shown["Timestamp", HIT] == (50.0, 2, 0)
    judge = "judge, MMEval, 0 to 10"
    assert shown["Description", judge] == (7.0, 1, 0)
    assert shown["Cause", judge] == (2.0, 2, 0)  # 4 and, for the refusal, 0
    assert done.figures["Cause", judge]["note"] == "1 without an answer count as 0"
    assert shown["Result", judge] == (None, 1, 1)
    assert shown["mean of tasks", judge] == (4.5, 2, 0)
    assert shown["Description", "bleu4-sentence-method1"][0] == pytest.approx(1.0)
    assert shown["Cause", PER_PAIR][:2] == (pytest.approx(0.5, abs=1e-6), 2)
    assert done.said["notes"] == ["test.json: rows without a usable right answer to Timestamp: 1"]
    # ten answers, two of them asked for again, three of the judge, one of these asked for again
    assert len(server.log) == 10 + 2 + 3 + 1
    assert all(len(row["images"]) == 4 for row in server.log)
    again = bench("cuva", data, "--endpoint", server.url, "--folder-fps", "2", "--frames", "4", out="two")
    assert again.said == done.said and len(server.log) == 16


def test_cuva_with_the_moments_given(serve, bench, data):
    server = serve(
        said("What matters happens here: from 5 s to 10 s", "The driver looks away."),
        said("for the", "Score: 2/10"),
        *TASKS,
    )
    done = bench("cuva", data, "--endpoint", server.url, "--folder-fps", "2", "--frames", "4", "--sampling", "added")
    # only the question about the time itself has moments in this list, and that one must not know them
    assert done.exit_code == 2 and "goes by annotated moments" in done.flat
    table = layouts.ecva(data.parent / "table", "csv")
    done = bench(
        "cuva",
        table,
        "--endpoint",
        server.url,
        "--folder-fps",
        "2",
        "--frames",
        "4",
        "--sampling",
        "added",
        "--no-judge",
    )
    assert done.exit_code == 0, done.output
    hinted = [row for row in server.log if "What matters happens here: from 5 s to 10 s" in row["text"]]
    # four frames of the even choice, and for each of five seconds two more, which are the same at 2 frames a second
    assert {len(row["images"]) for row in hinted} == {len(expected_added())}
    assert len(hinted) == 5  # classification was asked for again, since a sentence is no number
    assert not any("When does" in row["text"] or "YES or NO" in row["text"] for row in hinted)
    assert "an upper bound" in done.said["notes"][-1]


def expected_added():
    """By hand: middles of four parts of 40 frames, and round(2 s) + round(0.6), + round(1.2) for 5 to 9 s."""
    even = {(round(9.75 * k) + round(9.75 * (k + 1))) // 2 for k in range(4)}
    return even | {2 * s + more for s in range(5, 10) for more in (1, 1)}


def submission(rows, **changed):
    return json.dumps([{**row, **changed} for row in rows])


def test_cuva_submissions_are_checked_and_perfect_answers_judged(serve, bench, data, tmp_path):
    rows = [row for row in layouts.CUVA_ROWS if row["output"] != "[,]"]
    said_by_models = {"[0005,0010]": "[5, 10]", "[0002,0004]": "[2, 4]", "[5-1,5]": "[5]"}
    rows = [{**row, "output": said_by_models.get(row["output"], row["output"])} for row in rows]
    (tmp_path / "s.json").write_text(submission(rows))
    server = serve(said("Answer to mark", "Score: 10/10"))
    done = bench("cuva", data, "--answers", tmp_path / "s.json", "--endpoint", server.url, "--folder-fps", "2")
    assert done.exit_code == 0, done.output
    assert len(server.log) == 4  # each answer in words, though it is the right one to the letter
    for task, name in (("Detection", "accuracy"), ("Classification", "accuracy, 11 categories"), ("Timestamp", HIT)):
        assert done.figures[task, name]["value"] == 100.0
    assert done.figures["Timestamp", IOU]["value"] == 1.0
    for changed, line in (
        ({"ID": 77}, "is no question of the data"), ({"visual_input": "00009.mp4"}, "is about '00001.mp4' in the data"),
        ({"task": "Reasoning"}, "task 'Reasoning' is none of"),
    ):  # fmt: skip
        (tmp_path / "s.json").write_text(submission(rows[:1], **changed))
        done = bench("cuva", data, "--answers", tmp_path / "s.json", "--no-judge", out="bad")
        assert done.exit_code == 1 and line in done.flat and len(done.output.strip().splitlines()) == 1, done.output


AGENTS = [
    said("same event", "Score: 1"),
    said("How sound", "I would give Score: 2. Final Score: 4"),
    said("Count the pieces", "Key Information Count: 2, Included Key Information Count: 1"),
    said("shows nothing at all", "Score: 1"),
]
BLACK = [0, 5]


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_ecva_by_agents(serve, bench, tmp_path, form):
    data = layouts.ecva(tmp_path / "ecva", form)
    server = serve(*AGENTS, said("lead to?", "Nothing is seen.", BLACK), said("Why does", "", BLACK),
                   said("Describe the anomaly", "A man runs.", BLACK), *TASKS)  # fmt: skip
    done = bench("ecva", data, "--endpoint", server.url, "--folder-fps", "2", "--frames", "4")
    assert done.exit_code == 0, done.output
    shown = {key: (row["value"], row["count"], row["unparsed"]) for key, row in done.figures.items()}
    assert shown["Classification", "accuracy, 11 categories"] == (100.0, 1, 0)
    assert shown["Timestamp", IOU] == (0.5, 1, 0)
    assert shown["Cause", "judge, text match, 0 or 1"] == (0.5, 2, 0)
    assert shown["Cause", "judge, logic, 0 to 5"] == (2.0, 2, 0)
    assert shown["Result", "judge, key information, 0 to 5"] == (2.5, 2, 0)
    assert shown["mean of tasks", "judge, text match, 0 or 1"] == (pytest.approx((1 + 0.5 + 1) / 3), 3, 0)
    made_up = "judge, nothing made up of an empty video, 0 or 1"
    assert [shown[task, made_up] for task in ("Description", "Cause", "Result")] == [(1.0, 1, 0)] * 3
    assert shown["Description", SWAPPED][0] == pytest.approx(1.0) and ("Detection", "accuracy") not in done.figures
    assert sorted(done.said["notes"]) == [
        f"annotations.{form}: rows without a usable right answer to Classification: 1",
        f"annotations.{form}: rows without a usable right answer to Description: 1",
        f"annotations.{form}: rows without a usable right answer to Timestamp: 1",
        f"annotations.{form}: rows without a whole number as video_id: 1",
    ]


def test_ecva_by_ranked_quarters(serve, bench, tmp_path):
    data = layouts.ecva(tmp_path / "ecva")
    for i, frame in enumerate(sorted((data / "00001").iterdir())):
        layouts.Image.new("RGB", (32, 24), (40 + 50 * (i // 10),) * 3).save(frame)
    server = serve(
        {"when": {"text_contains": ["one quarter"]}, "reply": {"template": "Grey {grey_0}."}},
        said("Order the quarters", "[4, 2, 1, 3]"),
        {"when": {"text_contains": ["Why does"]}, "reply": {"template": "{grey_0} {grey_1} {grey_2} {grey_3}"}},
        said("of these categories", "[5]"),
        said("When does", "[5, 15]"),
        *TASKS,
    )
    options = ("--folder-fps", "2", "--frames", "8", "--sampling", "ranked", "--no-judge")
    done = bench("ecva", data, "--endpoint", server.url, *options)
    assert done.exit_code == 0, done.output
    asked = next(row["text"] for row in server.requests("Order the quarters") if "Grey 90" in row["text"])
    assert "1. Grey 40.\n2. Grey 90.\n3. Grey 140.\n4. Grey 190." in asked
    rows = [json.loads(line) for line in (tmp_path / "out" / "answers.jsonl").read_text().splitlines()]
    assert next(row["output"] for row in rows if row["id"] == "Cause/1") == "90 90 190 190"
    sent = len(server.log)
    assert (
        bench("ecva", data, "--endpoint", server.url, *options, out="two").said == done.said and len(server.log) == sent
    )


def test_ecva_outputs_of_others_by_the_name_of_their_file(bench, tmp_path):
    data = layouts.ecva(tmp_path / "ecva")
    row = {"video_file": "00001.mp4", "prompt": "p", "output": "The car burns."}
    (tmp_path / "video_llama_outcome.json").write_text(json.dumps([row, {**row, "task_type": "default"}]))
    (tmp_path / "video_llama_time_segment.json").write_text(json.dumps([{**row, "output": "[0.0, 0.12]</s>"}]))
    files = [
        word for name in ("outcome", "time_segment") for word in ("--answers", tmp_path / f"video_llama_{name}.json")
    ]
    done = bench("ecva", data, *files, "--no-judge")
    assert done.exit_code == 1 and done.figures["Result", "rouge1-f-stemmed"]["value"] == 1.0
    assert done.figures["Timestamp", IOU]["value"] == 0.0
    (tmp_path / "mine.json").write_text(json.dumps([row]))
    bad = bench("ecva", data, "--answers", tmp_path / "mine.json", "--no-judge", out="bad")
    assert bad.exit_code == 1 and "task 'mine' is none of" in bad.flat


def test_the_judge_sees_frames_about_the_peaks_of_importance(serve, tmp_path):
    rows = [layouts.HEAD, ["1", "[0005,0006]", "[5-1,5]", "It is lit.", "", "", '["bright as 200"]']]
    (tmp_path / "data").mkdir()
    layouts.sheet(tmp_path / "data" / "annotations.xlsx", rows)
    layouts.write_frames(tmp_path / "data" / "00001", [20] * 150 + [200] * 30 + [20] * 120)
    server = serve(said("for the cause", "Score: 6/10"), {"reply": {"text": "Yes."}})
    options = Options(BENCHMARKS["cuva"], tmp_path / "data", frames=8, judged=True, folder_fps=30.0, embedder=Levels())
    found = Run(options, Gateway(Endpoint(server.url), Cache(None))).findings()
    assert found.facts == {"importance_peaks": {"00001.mp4": [150]}}
    (judged,) = server.requests("for the cause")
    asked = server.requests("Why does")[0]
    dark = asked["images"][0]  # pictures of one grey are the same file
    assert sum(image != dark for image in asked["images"]) == 1  # of 8 even frames, one falls into the 30 bright ones
    # of 17 frames (each 30th, and ten from 120 to 180) the middles of 8 parts: 153 and 166 are bright
    assert len(judged["images"]) == 8 and sum(image != dark for image in judged["images"]) == 2
    with pytest.raises(UsageError, match="key sentences, which this data has none of"):
        Run(
            replace(options, data=layouts.cuva(tmp_path / "other"), folder_fps=2.0), Gateway(None, Cache(None))
        ).findings()


def test_what_both_will_cost(bench, data, tmp_path):
    done = bench("cuva", data, "--dry-run", out=None)
    assert done.exit_code == 0 and "calls: 14 at most" in done.flat and "cuva.mmeval" in done.flat  # 10 and 4
    table = layouts.ecva(tmp_path / "ecva")
    done = bench("ecva", table, "--dry-run", "--sampling", "ranked", out=None)
    # 2 + 5 answers, 4 captions and a ranking of two videos, three agents of 5 answers, three of nothing and their agent
    assert "calls: 38 at most" in done.flat, done.output
