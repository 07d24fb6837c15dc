"""How near a text is to the right one: BLEU, ROUGE and CIDEr, each variant under its own name.

One name stands for several numbers in publications, so no function here is called plainly BLEU or CIDEr.
"""

from zsad.metrics.text.report import text_scores
from zsad.metrics.text.scores import (
    Overlap,
    cider_d,
    coco_bleu,
    coco_rouge_l,
    longest_common,
    rouge_l,
    rouge_n,
    sacre_bleu,
    sacre_signature,
    sentence_bleu,
)
from zsad.metrics.text.tokens import ptb_tokens, rouge_tokens, words

__all__ = [
    "Overlap",
    "cider_d",
    "coco_bleu",
    "coco_rouge_l",
    "longest_common",
    "ptb_tokens",
    "rouge_l",
    "rouge_n",
    "rouge_tokens",
    "sacre_bleu",
    "sacre_signature",
    "sentence_bleu",
    "text_scores",
    "words",
]
