"""Text metrics against worked values and against what the published code gave for invented pairs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.errors import MetricError
from zsad.metrics.text import (
    cider_d,
    coco_bleu,
    coco_rouge_l,
    longest_common,
    ptb_tokens,
    rouge_l,
    rouge_n,
    rouge_tokens,
    sacre_bleu,
    sentence_bleu,
    text_scores,
    words,
)
from zsad.metrics.text.porter import stem

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/language/textmetrics.json").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = GOLDEN["invented"]
LETTERS = st.lists(st.sampled_from("abc"), max_size=6)


@pytest.mark.parametrize(
    ("word", "cut"),
    [
        # From the tables of Porter's paper.
        ("caresses", "caress"), ("ponies", "poni"), ("cats", "cat"), ("feed", "feed"), ("agreed", "agre"),
        ("plastered", "plaster"), ("bled", "bled"), ("motoring", "motor"), ("sing", "sing"), ("conflated", "conflat"),
        ("troubled", "troubl"), ("sized", "size"), ("tanned", "tan"), ("falling", "fall"), ("hissing", "hiss"),
        ("fizzed", "fizz"), ("failing", "fail"), ("filing", "file"), ("happy", "happi"), ("conditional", "condit"),
        ("vietnamization", "vietnam"), ("decisiveness", "decis"), ("triplicate", "triplic"), ("electrical", "electr"),
        ("goodness", "good"), ("revival", "reviv"), ("adjustable", "adjust"), ("replacement", "replac"),
        ("adoption", "adopt"), ("probate", "probat"), ("rate", "rate"), ("cease", "ceas"), ("controll", "control"),
        ("roll", "roll"),
        # The later extensions.
        ("skies", "sky"), ("dying", "die"), ("news", "news"), ("dies", "die"), ("tied", "tie"), ("cried", "cri"),
        ("enjoy", "enjoy"), ("possibly", "possibl"), ("archaeology", "archaeolog"), ("by", "by"),
    ],
)  # fmt: skip
def test_stems(word: str, cut: str) -> None:
    assert stem(word) == cut


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["prediction"][:12] or "empty")
def test_a_pair_equals_the_published_code(row: dict[str, Any]) -> None:
    for side in ("reference", "prediction"):
        assert rouge_tokens(row[side]) == row[f"rouge_tokens_{side}"]
        assert ptb_tokens(row[side]) == row[f"ptb_{side}"].split()
    scores, near = row["scores"], pytest.approx
    answer, truth = words(row["prediction"]), words(row["reference"])
    assert sentence_bleu(answer, truth) == near(scores["bleu4_method1"], abs=1e-9)
    assert sentence_bleu(truth, answer) == near(scores["ecva_bleu_as_coded"], abs=1e-9)
    for order in range(1, 5):
        found = sentence_bleu(words(row["prediction"], lower=True), words(row["reference"], lower=True), order)
        assert found == near(scores[f"bleu{order}_lower_method1"], abs=1e-9)
    stems = rouge_tokens(row["prediction"]), rouge_tokens(row["reference"])
    assert rouge_n(*stems, 1).f == near(scores["ecva_rouge1_f"])
    assert rouge_n(*stems, 2).recall == near(scores["rouge2_recall"])
    assert rouge_l(*stems).precision == near(scores["rougeL_precision"])
    assert rouge_l(*stems).f == near(scores["ecva_rougeL_f"])
    if row["prediction"]:
        coco = ptb_tokens(row["prediction"]), ptb_tokens(row["reference"])
        assert coco_rouge_l(*coco) == near(scores["coco_rouge_l"])
        assert coco_bleu([coco[0]], [coco[1]])[3] == near(scores["coco_bleu4_single"], rel=1e-6)


def test_a_corpus_equals_the_published_code() -> None:
    kept = [row for row in ROWS if row["prediction"]]
    answers, truth = ([ptb_tokens(row[side]) for row in kept] for side in ("prediction", "reference"))
    assert coco_bleu(answers, truth) == pytest.approx(GOLDEN["invented_corpus"]["coco_bleu1_4"])
    assert fmean(cider_d(answers, truth)) == pytest.approx(GOLDEN["invented_corpus"]["coco_cider"])


def test_sacrebleu_of_the_corpus() -> None:
    pytest.importorskip("sacrebleu")
    found = sacre_bleu([row["prediction"] for row in ROWS], [row["reference"] for row in ROWS])
    assert found == pytest.approx(GOLDEN["invented_corpus"]["sacrebleu"])


def test_all_scores_of_answers_have_their_variants_names() -> None:
    found = text_scores([row["prediction"] for row in ROWS], [row["reference"] for row in ROWS], sacre=False)
    assert found["bleu4-sentence-method1"] == pytest.approx(GOLDEN["invented_means"]["bleu4_method1"])
    assert found["rougeL-f-stemmed"] == pytest.approx(GOLDEN["invented_means"]["ecva_rougeL_f"])
    assert found["coco-rougeL-ptb-lite"] == pytest.approx(GOLDEN["invented_means"]["coco_rouge_l"])
    assert found["cider-d-ptb-lite"] == pytest.approx(GOLDEN["invented_corpus"]["coco_cider"])
    assert not {"bleu", "cider", "rouge"} & set(found)
    assert "cider-d-ptb-lite" not in text_scores([""], ["smoke"], sacre=False)


def test_worked_values() -> None:
    # Precisions 3/4 and 2/3, as long as the reference: sqrt(1/2).
    assert sentence_bleu(list("abcx"), list("abcd"), 2) == pytest.approx(math.sqrt(0.5))
    # "e^-1" for an answer half as long.
    assert sentence_bleu(["a"], ["a", "b"], 1) == pytest.approx(math.exp(-1))
    # P 2/3, R 1/2: (1 + 1.44) P R / (R + 1.44 P).
    assert coco_rouge_l(list("abx"), list("abcd")) == pytest.approx(2.44 / 3 / (0.5 + 0.96))
    # Equal texts of four rare words: every order's cosine is 1.
    assert cider_d([list("abcd"), list("efgh")], [list("abcd"), list("efgh")]) == pytest.approx([10, 10])
    # One word of two is shared: cosine 1/2 at order 1 of 4.
    assert cider_d([["a", "x"], ["q"]], [["a", "b"], ["r"]])[0] == pytest.approx(10 * (1 / 2) / 4)


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MetricError, match="1 predictions for 2 references"):
        text_scores(["a"], ["a", "b"])
    with pytest.raises(MetricError, match="no texts"):
        cider_d([], [])


@given(LETTERS, LETTERS)
def test_the_longest_common_subsequence_is_that_of_all_subsets(first: list[str], second: list[str]) -> None:
    def subsequences(tokens: list[str]) -> set[tuple[str, ...]]:
        kept = range(1 << len(tokens))
        return {tuple(token for i, token in enumerate(tokens) if mask >> i & 1) for mask in kept}

    both = subsequences(first) & subsequences(second)
    assert longest_common(first, second) == max(map(len, both))
    assert rouge_l(first, second).f == pytest.approx(rouge_l(second, first).f)
