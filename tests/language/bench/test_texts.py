"""HAWK and HIVAU end to end: text metrics against counts by hand, the judge, answers of others, missing videos."""

from __future__ import annotations

import json
import math

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")
pytest.importorskip("sacrebleu")

from tests.language.bench import layouts

DESCRIBE = [
    {
        "when": {"text_contains": ["out of the ordinary"], "image": {"mean_grey": [35, 45]}},
        "reply": {"text": "A red car hits a tree."},
    },
    {"when": {"text_contains": ["out of the ordinary"]}, "reply": {"text": "A dog runs through the yard."}},
]
ANSWERS = [
    {"when": {"text_contains": ["What does the car hit?", "Answer this"]}, "reply": {"text": "a tree"}},
    {"when": {"text_contains": ["Which colour", "Answer this"]}, "behaviour": {"refusal": "field"}},
    {"when": {"text_contains": ["Who runs?", "Answer this"]}, "reply": {"text": "a dog"}},
]
JUDGE = [
    {"when": {"text_contains": ["Mark one aspect", "A dog runs"]}, "reply": {"text": '{"score": 1}'}},
    {"when": {"text_contains": ["Mark one aspect", "detail:"]}, "reply": {"text": "not bad"}},
    {"when": {"text_contains": ["Mark one aspect", "a tree"]}, "reply": {"text": '{"score": 0.4}'}},
    {"when": {"text_contains": ["Mark one aspect"]}, "reply": {"text": '{"score": 0.8}'}},
]
BLEU1, ROUGE = "bleu1-sentence-lower-method1", "rougeL-f-stemmed"


@pytest.fixture
def data(tmp_path):
    return layouts.hawk(tmp_path / "hawk")


def test_hawk_by_metrics_and_judge(serve, bench, data):
    server = serve(*DESCRIBE, *ANSWERS, *JUDGE)
    done = bench("hawk", data, "--endpoint", server.url, "--frames", "4")
    assert done.exit_code == 1, done.output  # one video is not there
    assert done.said["left_out"] == ["DoTA/gone.mp4: no such video below the folder of the videos"]
    assert done.said["questions"] == {"all": 6, "measured": 5, "without_text": 1}
    # "a red car hits a tree." and "a red car hits a wall.": five of six words; the other pair is the same
    assert done.figures["description", BLEU1]["value"] == pytest.approx((5 / 6 + 1) / 2)
    # of "a tree", nothing and "a dog" against "a wall", "red" and "a dog"
    assert done.figures["question", BLEU1]["value"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert done.figures["question", ROUGE]["value"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert done.figures["question", "sacrebleu"]["note"].startswith(
        "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:"
    )
    assert done.figures["question", "cider-d-ptb-lite"]["count"] == 2
    judged = {(task, name): row for (task, name), row in done.figures.items() if name.startswith("judge")}
    shown = {key: (row["value"], row["count"], row["unparsed"]) for key, row in judged.items()}
    assert shown == {
        ("description", "judge, reasonability, 0 to 1"): (pytest.approx((0.4 + 1) / 2), 2, 0),
        ("description", "judge, detail, 0 to 1"): (1.0, 2, 1),
        ("description", "judge, consistency, 0 to 1"): (pytest.approx((0.4 + 1) / 2), 2, 0),
        ("question", "judge, reasonability, 0 to 1"): (pytest.approx((0.4 + 0 + 0.8) / 3), 3, 0),
        ("question", "judge, detail, 0 to 1"): (0.0, 3, 2),
        ("question", "judge, consistency, 0 to 1"): (pytest.approx((0.4 + 0 + 0.8) / 3), 3, 0),
    }
    assert judged["question", "judge, detail, 0 to 1"]["note"] == "1 without an answer count as 0"
    asked = len(server.log)
    assert asked == 5 + 4 * 3 + 3  # three marks of detail were asked for again
    again = bench("hawk", data, "--endpoint", server.url, "--frames", "4", out="two")
    assert len(server.log) == asked and again.said == done.said


def test_hawk_with_motion_beside_each_frame(serve, bench, data):
    pytest.importorskip("cv2")
    server = serve({"when": {"text_contains": ["all else is black"], "n_images": [8, 8]}, "reply": {"text": "A dog."}})
    done = bench("hawk", data, "--endpoint", server.url, "--frames", "4", "--motion", "--no-judge")
    assert done.exit_code == 1 and done.said["questions"]["measured"] == 5, done.output
    assert done.said["settings"]["motion"] is True
    # nothing moves in these videos: four frames, then four black pictures
    shas = [[image["sha"] for image in row["images"]] for row in server.log]
    assert len(shas) == 5 and len({tuple(row[4:]) for row in shas}) == 1 and all(row[0] != row[4] for row in shas)


def test_a_judge_of_its_own_and_what_is_left_of_the_budget(serve, bench, data, tmp_path):
    model, judge = serve(*DESCRIBE, *ANSWERS), serve(*JUDGE, models=["judge-llm"])
    options = ("--endpoint", model.url, "--judge-endpoint", judge.url, "--judge-llm", "judge-llm")
    short = bench("hawk", data, *options, "--budget", "calls=7")
    assert short.exit_code == 4 and (len(model.log), len(judge.log)) == (5, 2)
    done = bench("hawk", data, *options, "--record", tmp_path / "calls.jsonl")
    assert (done.said["model"], done.said["judge"]) == ("scripted-vlm", "judge-llm") and len(model.log) == 5
    assert all("Mark one" in row["text"] for row in judge.log)
    played = bench(
        "hawk", data, "--replay", tmp_path / "calls.jsonl", "--llm", "scripted-vlm", "--judge-llm", "judge-llm", out="p"
    )
    assert played.said == done.said
    nobody = bench("hawk", data, "--replay", tmp_path / "calls.jsonl", out="q")
    assert nobody.exit_code == 1 and "say whose are meant with --llm NAME" in nobody.flat


def test_answers_of_others_need_neither_videos_nor_calls(bench, tmp_path, data):
    rows = [{"id": "DoTA/gone.mp4#description", "output": "A bus stops."}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    done = bench("hawk", data, "--answers", tmp_path / "a.json", "--no-judge")
    assert done.exit_code == 1 and len(done.said["left_out"]) == 5
    assert done.figures["description", BLEU1]["value"] == 1.0 and done.figures["description", "sacrebleu"]["count"] == 1
    assert done.said["model"] is None and done.said["judge"] is None


def test_answers_are_judged_where_a_judge_is_there(serve, bench, tmp_path, data):
    server = serve(*JUDGE)
    (tmp_path / "a.json").write_text(json.dumps([{"id": "UCF/car.mp4#description", "output": "a tree"}]))
    done = bench("hawk", data, "--answers", tmp_path / "a.json", "--judge-endpoint", server.url, "--schema")
    assert all(row["body"]["response_format"]["type"] == "json_schema" for row in server.log)
    assert (
        done.figures["description", "judge, reasonability, 0 to 1"]["value"] == 0.4
        and done.said["judge"] == "scripted-vlm"
    )


def test_hivau_lines_by_level(serve, bench, tmp_path):
    data = layouts.hivau_lines(tmp_path / "hivau")
    server = serve(
        {"when": {"text_contains": ["What happens?"]}, "reply": {"text": "Two men fight in a street."}},
        {"when": {"text_contains": ["Is it anomalous?"]}, "reply": {"text": "Yes, people run."}},
        {"when": {"text_contains": ["Why?"]}, "reply": {"text": "I can't tell."}},
    )
    done = bench("hivau", data, "--endpoint", server.url)
    assert done.exit_code == 0, done.output
    assert [row["text"].count("<video>") for row in server.log] == [0] * 4
    assert done.figures["event judgement", "accuracy, yes or no"]["value"] == 50.0
    assert done.figures["clip caption", "coco-bleu4-ptb-lite"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert done.figures["video analysis", ROUGE]["value"] == 0.0
    assert not [name for _, name in done.figures if name.startswith("judge")]


def test_hivau_annotation_asks_about_spans(serve, bench, tmp_path):
    root = tmp_path / "hivau"
    entry = {
        "n_frames": 40, "fps": 2.0, "label": ["Fighting"], "events": [[5.0, 10.0]], "clips": [[[5.0, 6.0]]],
        "clips_caption": [["A man falls."]], "events_summary": ["x"], "video_summary": "y",
        "events_summary_split": [{"judgement": "Yes.", "description": "A man falls.", "analysis": ""}],
        "video_summary_split": {"judgement": "Yes.", "description": "A man falls.", "analysis": "He was hit."},
    }  # fmt: skip
    (root / "raw_annotations").mkdir(parents=True)
    (root / "raw_annotations" / "ucf_database_test.json").write_text(json.dumps({"Abuse.x__#1_x264": entry}))
    layouts.write_frames(root / "videos" / "test" / "Abuse.x__#1_x264", [40] * 10 + [200] * 10 + [40] * 20)
    rules = [{"when": {"image": {"mean_grey": [35, 45]}}, "reply": {"text": "No."}}, {"reply": {"text": "Yes."}}]
    done = bench("hivau", root, "--endpoint", serve(*rules).url, "--folder-fps", "2")
    assert done.exit_code == 1, done.output  # the event has no analysis
    assert "event 1 has no analysis" in done.said["left_out"][0]
    # frames 10 to 20 of the event are bright, the whole video has dark ones
    assert done.figures["event judgement", "accuracy, yes or no"]["value"] == 100.0
    assert done.figures["video judgement", "accuracy, yes or no"]["value"] == 0.0
    assert {task for task, _ in done.figures} == {
        "event judgement", "event description", "clip caption", "video judgement", "video description", "video analysis"
    }  # fmt: skip


def test_figures_of_nothing_but_silence_are_zero_and_not_an_error(serve, bench, data):
    done = bench("hawk", data, "--endpoint", serve({"behaviour": {"refusal": "field"}}).url)
    assert done.exit_code == 1 and done.figures["description", BLEU1]["value"] == 0.0
    assert ("description", "cider-d-ptb-lite") not in done.figures and done.said["questions"]["without_text"] == 5
    assert not any(math.isnan(row["value"]) for row in done.figures.values() if row["value"] is not None)
