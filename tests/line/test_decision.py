import numpy as np
import pytest

from zsad.line.decision import Judge
from zsad.line.settings import Decision
from zsad.types import Result, Thresholds


def result(score, level=0.0):
    values = np.zeros((10, 20), np.float32)
    values[2:5, 3:8] = level
    return Result(score, values)


def verdicts(judge, scores):
    return [judge.judge(judge.prepared(result(score))).verdict for score in scores]


def test_thresholds_decide_and_without_one_nothing_does():
    judge = Judge(Thresholds(image=0.5), Decision())
    assert verdicts(judge, [0.4, 0.5, 0.6]) == ["ok", "reject", "reject"]
    assert verdicts(Judge(Thresholds(), Decision()), [0.4, 0.9]) == ["unjudged", "unjudged"]
    judged = judge.judge(judge.prepared(result(0.7)))
    assert (judged.fired, judged.threshold) == (("score",), 0.5)


def test_regions_count_by_area_and_where_they_lie():
    limits = Thresholds(pixel=0.5, rule="region")
    judged = Judge(limits, Decision()).judge(Judge(limits, Decision()).prepared(result(0.1, 0.9)))
    assert judged.verdict == "reject" and judged.threshold == 0.5
    assert judged.regions == ({"box": [3, 2, 8, 5], "area": 15, "score": pytest.approx(0.9), "centroid": [5.0, 3.0]},)
    for decision in (Decision(min_area=0.08), Decision(roi=(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)),))):
        judge = Judge(limits, decision)
        assert judge.judge(judge.prepared(result(0.1, 0.9))).verdict == "ok"


def test_hysteresis_lowers_the_threshold_after_a_part_that_fired():
    judge = Judge(Thresholds(image=0.5), Decision(hysteresis=0.1))
    assert verdicts(judge, [0.45, 0.55, 0.45, 0.42, 0.35, 0.45]) == ["ok", "reject", "reject", "reject", "ok", "ok"]
    judge = Judge(Thresholds(image=0.5), Decision(hysteresis=0.1), [True])
    assert verdicts(judge, [0.45]) == ["reject"]


def test_k_of_n_by_counting():
    scores = np.random.default_rng(3).random(200)
    judge = Judge(Thresholds(image=0.6), Decision(k=2, n=3))
    fired = scores >= 0.6
    expected = ["reject" if fired[max(0, i - 2) : i + 1].sum() >= 2 else "ok" for i in range(200)]
    assert verdicts(judge, scores.tolist()) == expected
