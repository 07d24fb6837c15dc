"""Text metrics: tokens, BLEU, ROUGE and CIDEr of single pairs and of corpora."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.language_parity.fixtures import Checks, Fixtures, close, same
from zsad.metrics.text import (
    cider_d,
    coco_bleu,
    coco_rouge_l,
    ptb_tokens,
    rouge_l,
    rouge_n,
    rouge_tokens,
    sacre_bleu,
    sentence_bleu,
    words,
)


def invented(files: Fixtures) -> Checks:
    """Compare the pairs whose words a set has."""
    data = files.json("textmetrics")
    rows = data["invented"]
    for side in ("reference", "prediction"):
        tokens = [rouge_tokens(row[side]) for row in rows]
        yield same("texts", f"stems of the {side}", tokens, [row[f"rouge_tokens_{side}"] for row in rows])
        tokens = [ptb_tokens(row[side]) for row in rows]
        yield same("texts", f"treebank tokens of the {side}", tokens, [row[f"ptb_{side}"].split() for row in rows])
    scores = [_scores(row) for row in rows]
    for name in scores[0]:
        wanted = [row["scores"][name] for row in rows]
        yield close("texts", name, [one[name] for one in scores], np.array(wanted, np.float64))
    for name, wanted in data["invented_means"].items():
        yield close("texts", f"mean of {name}", np.nanmean([one[name] for one in scores]), wanted)
    kept = [row for row in rows if row["ptb_prediction"]]
    answers, truth = ([row[f"ptb_{side}"].split() for row in kept] for side in ("prediction", "reference"))
    corpus = data["invented_corpus"]
    yield close("texts", "COCO BLEU of the corpus", coco_bleu(answers, truth), corpus["coco_bleu1_4"])
    yield close("texts", "CIDEr-D of the corpus", fmean(cider_d(answers, truth)), corpus["coco_cider"])
    sacre = sacre_bleu([row["prediction"] for row in rows], [row["reference"] for row in rows])
    yield close("texts", "sacreBLEU of the corpus", sacre, corpus["sacrebleu"])
    tasks = data["lmms_eval_aggregation"]["example"]
    present = [tasks[task] for task in ("Cause", "Description", "Result") if tasks[task] is not None]
    yield close("texts", "mean of the tasks that are there", fmean(present), tasks["right"])


def _scores(row: dict[str, Any]) -> dict[str, float]:
    answer, truth = words(row["prediction"]), words(row["reference"])
    lower = words(row["prediction"], lower=True), words(row["reference"], lower=True)
    stems = rouge_tokens(row["prediction"]), rouge_tokens(row["reference"])
    coco = row["ptb_prediction"].split(), row["ptb_reference"].split()
    found = {"ecva_bleu_as_coded": sentence_bleu(truth, answer), "bleu4_method1": sentence_bleu(answer, truth)}
    found |= {f"bleu{n}_lower_method1": sentence_bleu(*lower, n) for n in range(1, 5)}
    found |= {f"ecva_rouge{n}_f": rouge_n(*stems, n).f for n in (1, 2)} | {"ecva_rougeL_f": rouge_l(*stems).f}
    for name, one in (("1", rouge_n(*stems, 1)), ("2", rouge_n(*stems, 2)), ("L", rouge_l(*stems))):
        found |= {f"rouge{name}_precision": one.precision, f"rouge{name}_recall": one.recall}
    found["coco_bleu4_single"] = coco_bleu([coco[0]], [coco[1]])[3] if coco[0] else float("nan")
    found["coco_rouge_l"] = coco_rouge_l(*coco) if coco[0] else float("nan")
    return found


def pairs(files: Fixtures) -> Checks:
    """Compare the published pairs, which a set holds as numbers of tokens."""
    arrays, told = files.npz("cuva_pairs"), files.json("textmetrics")["cuva_pairs"]["this_set"]
    exact, stems, coco = (_tokens(arrays, name) for name in ("whitespace", "rouge", "ptb"))
    spoken = [bool(answer) for answer, _ in exact]
    coco = [(answer if full else [], truth) for full, (answer, truth) in zip(spoken, coco, strict=True)]
    yield same("texts", "pairs: empty answers", np.flatnonzero(~np.array(spoken)), np.array(told["empty_predictions"])
               - told["first"])  # fmt: skip
    overlap = [rouge_l(*pair) for pair in stems]
    columns = {
        "ecva_bleu_as_coded": [sentence_bleu(truth, answer) for answer, truth in exact],
        "bleu4_method1": [sentence_bleu(*pair) for pair in exact],
        "ecva_rouge1_f": [rouge_n(*pair, 1).f for pair in stems],
        "ecva_rouge2_f": [rouge_n(*pair, 2).f for pair in stems],
        "ecva_rougeL_f": [one.f for one in overlap],
        "rougeL_precision": [one.precision for one in overlap],
        "rougeL_recall": [one.recall for one in overlap],
        "coco_bleu4_single": [coco_bleu([a], [b])[3] if a else float("nan") for a, b in coco],
        "coco_rouge_l": [coco_rouge_l(a, b) if a else float("nan") for a, b in coco],
    }
    for name, column in columns.items():
        yield close("texts", f"pairs: {name}", column, arrays[f"score:{name}"])
        yield close("texts", f"pairs: mean of {name}", np.nanmean(column), told["means"][name])
    answers, truth = [a for a, _ in coco if a], [b for a, b in coco if a]
    yield close("texts", "pairs: COCO BLEU of the corpus", coco_bleu(answers, truth), told["coco_bleu1_4"])


def _tokens(arrays: Any, name: str) -> list[tuple[list[str], list[str]]]:
    def side(which: str) -> list[list[str]]:
        ends, numbers = arrays[f"{name}:{which}_offsets"], arrays[f"{name}:{which}"]
        return [[str(n) for n in numbers[a:b]] for a, b in pairwise(ends)]

    return list(zip(side("pred"), side("ref"), strict=True))
