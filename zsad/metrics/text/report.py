"""The text metrics of a set of answers, each under the name of its variant."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from zsad.metrics.text.scores import (
    check_pairs,
    cider_d,
    coco_bleu,
    coco_rouge_l,
    rouge_l,
    rouge_n,
    sacre_bleu,
    sentence_bleu,
)
from zsad.metrics.text.tokens import ptb_tokens, rouge_tokens, words


def text_scores(predictions: Sequence[str], references: Sequence[str], sacre: bool = True) -> dict[str, float]:
    """Return every text metric of answers against one reference each.

    COCO's scores leave out empty answers, as that code does; all others count them as 0.

    Args:
        predictions: the answers.
        references: what is right, one per answer.
        sacre: whether to add sacreBLEU, which needs the extra ``language``.

    Returns:
        Name with its variant -> value: in [0, 1], but sacreBLEU in 0 to 100 and CIDEr-D in 0 to 10.

    Raises:
        MetricError: the lists differ in length, or are empty.
        MissingExtraError: sacreBLEU is wanted and not installed.
    """
    check_pairs(predictions, references)
    exact = [(words(a), words(b)) for a, b in zip(predictions, references, strict=True)]
    lower = [(words(a, lower=True), words(b, lower=True)) for a, b in zip(predictions, references, strict=True)]
    stems = [(rouge_tokens(a), rouge_tokens(b)) for a, b in zip(predictions, references, strict=True)]
    coco = [(ptb_tokens(a), ptb_tokens(b)) for a, b in zip(predictions, references, strict=True)]
    answers, truth = [a for a, _ in coco if a], [b for a, b in coco if a]
    found = {"sacrebleu": sacre_bleu(predictions, references)} if sacre else {}
    found["bleu4-sentence-method1"] = fmean(sentence_bleu(*pair) for pair in exact)
    for order in range(1, 5):
        found[f"bleu{order}-sentence-lower-method1"] = fmean(sentence_bleu(*pair, order) for pair in lower)
    found |= {f"rouge{order}-f-stemmed": fmean(rouge_n(*pair, order).f for pair in stems) for order in (1, 2)}
    found["rougeL-f-stemmed"] = fmean(rouge_l(*pair).f for pair in stems)
    if answers:
        found |= {f"coco-bleu{n}-ptb-lite": one for n, one in enumerate(coco_bleu(answers, truth), 1)}
        found["coco-rougeL-ptb-lite"] = fmean(coco_rouge_l(a, b) for a, b in zip(answers, truth, strict=True))
        found["cider-d-ptb-lite"] = fmean(cider_d(answers, truth))
    return found
