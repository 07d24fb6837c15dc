"""BLEU, ROUGE and CIDEr over tokens; each function is one published variant, and its name says which."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zsad.errors import MetricError, MissingExtraError

Tokens = Sequence[str]
_TINY, _SMALL = 1e-15, 1e-9
"""What COCO's BLEU adds above and below each fraction."""


@dataclass(frozen=True)
class Overlap:
    """Precision, recall and their harmonic mean, in [0, 1].

    Attributes:
        precision: of the prediction, what the reference has.
        recall: of the reference, what the prediction has.
    """

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """2 P R / (P + R); 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def sentence_bleu(prediction: Tokens, reference: Tokens, order: int = 4) -> float:
    """Return BLEU of one sentence, in [0, 1], with epsilon 0.1 for orders without a match.

    Source: Papineni et al., BLEU (ACL 2002), smoothed by method 1 of Chen and Cherry (WMT 2014); 0 where not one
    token matches.

    >>> round(sentence_bleu("a man drops a bottle".split(), "a man breaks a bottle".split(), 2), 4)
    0.6325
    """
    matches, guesses = _matches(prediction, reference, order)
    if not matches[0]:
        return 0.0
    shares = [(match or 0.1) / max(guess, 1) for match, guess in zip(matches, guesses, strict=True)]
    brevity = min(1.0, math.exp(1 - len(reference) / len(prediction)))
    return brevity * math.exp(math.fsum(math.log(share) for share in shares) / order)


def coco_bleu(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> list[float]:
    """Return BLEU-1 to BLEU-4 of a corpus with one reference each, in [0, 1], as COCO's caption code has it.

    Source: the BLEU of the COCO caption evaluation: counts are summed over the corpus, 1e-15 is added to each count of
    matches and 1e-9 to each count of n-grams.
    """
    check_pairs(predictions, references)
    matches, guesses, mine, theirs = [0] * 4, [0] * 4, 0, 0
    for prediction, reference in zip(predictions, references, strict=True):
        found, tried = _matches(prediction, reference, 4)
        matches = [a + b for a, b in zip(matches, found, strict=True)]
        guesses = [a + b for a, b in zip(guesses, tried, strict=True)]
        mine, theirs = mine + len(prediction), theirs + len(reference)
    ratio = (mine + _TINY) / (theirs + _SMALL)
    brevity = math.exp(1 - 1 / ratio) if 0 < ratio < 1 and 1 / ratio < 700 else float(ratio >= 1)
    product, scores = 1.0, []
    for order, (match, guess) in enumerate(zip(matches, guesses, strict=True), 1):
        product *= (match + _TINY) / (guess + _SMALL)
        scores.append(brevity * product ** (1 / order))
    return scores


def sacre_bleu(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Return the corpus BLEU of sacreBLEU with its defaults (13a, mixed case, exponential smoothing), in 0 to 100.

    Raises:
        MissingExtraError: sacrebleu is not installed.
        MetricError: the lists differ in length, or are empty.
    """
    check_pairs(predictions, references)
    try:
        import sacrebleu
    except ImportError:
        raise MissingExtraError("BLEU", "language") from None
    return float(sacrebleu.corpus_bleu(list(predictions), [list(references)]).score)


def sacre_signature() -> str:
    """Return what sacreBLEU calls the variant of :func:`sacre_bleu`, with its version.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise MissingExtraError("BLEU", "language") from None
    metric = BLEU()
    metric.corpus_score(["a"], [["a"]])  # the number of references is part of it
    return str(metric.get_signature())


def rouge_n(prediction: Tokens, reference: Tokens, order: int = 1) -> Overlap:
    """Return ROUGE-N: the n-grams that both have.

    Source: Lin, ROUGE (ACL workshop 2004).

    >>> rouge_n("smoke".split(), "smoke smoke smoke".split()).f
    0.5
    """
    mine, theirs = _grams(prediction, order), _grams(reference, order)
    return _overlap((mine & theirs).total(), mine.total(), theirs.total())


def rouge_l(prediction: Tokens, reference: Tokens) -> Overlap:
    """Return ROUGE-L: the longest common subsequence.

    Source: Lin, ROUGE (ACL workshop 2004), one sentence to a text.

    >>> rouge_l("the dog bit him".split(), "the dog then bit".split()).f
    0.75
    """
    return _overlap(longest_common(prediction, reference), len(prediction), len(reference))


def coco_rouge_l(prediction: Tokens, reference: Tokens, beta: float = 1.2) -> float:
    """Return ROUGE-L as COCO's caption code has it: recall counts ``beta`` squared times as much as precision."""
    found = rouge_l(prediction, reference)
    if not found.precision or not found.recall:
        return 0.0
    weight = beta * beta
    return (1 + weight) * found.precision * found.recall / (found.recall + weight * found.precision)


def cider_d(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> list[float]:
    """Return CIDEr-D of each prediction against its one reference, in 0 to 10; the corpus's score is their mean.

    n-grams of 1 to 4 tokens, weighted by how rare they are among the references, clipped to the reference's counts,
    with a penalty for length of sigma 6.

    Source: Vedantam et al., CIDEr (CVPR 2015), the variant D that COCO's caption code calls CIDEr.

    Raises:
        MetricError: the lists differ in length, or are empty.
    """
    check_pairs(predictions, references)
    seen: Counter[Tokens] = Counter()
    for reference in references:
        seen.update({gram for order in range(1, 5) for gram in _grams(reference, order)})
    size = math.log(len(references))
    return [
        10 * _cider(prediction, reference, seen, size)
        for prediction, reference in zip(predictions, references, strict=True)
    ]


def _cider(prediction: Tokens, reference: Tokens, seen: Counter[Tokens], size: float) -> float:
    scores = []
    # COCO's code takes the length of a text as its number of pairs of neighbouring tokens.
    apart = max(len(prediction) - 1, 0) - max(len(reference) - 1, 0)
    for order in range(1, 5):
        mine, theirs = (_weights(_grams(tokens, order), seen, size) for tokens in (prediction, reference))
        product = math.fsum(min(value, theirs[gram]) * theirs[gram] for gram, value in mine.items() if gram in theirs)
        norm = math.hypot(*mine.values()) * math.hypot(*theirs.values())
        scores.append(product / norm if norm else 0.0)
    return float(np.mean(scores)) * math.exp(-(apart**2) / 72)


def _weights(grams: Counter[Tokens], seen: Counter[Tokens], size: float) -> dict[Tokens, float]:
    return {gram: count * (size - math.log(max(seen[gram], 1))) for gram, count in grams.items()}


def longest_common(first: Tokens, second: Tokens) -> int:
    """Return the length of the longest common subsequence.

    >>> longest_common("abcbdab", "bdcaba")
    4
    """
    above = [0] * (len(second) + 1)
    for token in first:
        row = [0]
        for place, other in enumerate(second):
            row.append(above[place] + 1 if token == other else max(above[place + 1], row[-1]))
        above = row
    return above[-1]


def _grams(tokens: Tokens, order: int) -> Counter[Tokens]:
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))


def _matches(prediction: Tokens, reference: Tokens, orders: int) -> tuple[list[int], list[int]]:
    """Return per order how many n-grams match, each at most as often as in the reference, and how many there are."""
    found = [(_grams(prediction, n), _grams(reference, n)) for n in range(1, orders + 1)]
    return [(mine & theirs).total() for mine, theirs in found], [mine.total() for mine, _ in found]


def _overlap(both: int, mine: int, theirs: int) -> Overlap:
    return Overlap(both / mine if mine else 0.0, both / theirs if theirs else 0.0)


def check_pairs(predictions: Sequence[object], references: Sequence[object]) -> None:
    """Refuse lists of different lengths, and empty ones.

    Raises:
        MetricError: which of both.
    """
    if len(predictions) != len(references):
        raise MetricError(f"{len(predictions)} predictions for {len(references)} references")
    if not predictions:
        raise MetricError("no texts to compare")
