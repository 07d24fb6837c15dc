"""Whether an explanation says what the detector found: its claims, each checked, without asking any model.

Source: the alignment of language and intermediate outputs in Hint-AD (CoRL 2024), as a check instead of a loss.
"""

from zsad.language.align.claims import Claim, claims
from zsad.language.align.findings import Findings, Span, findings, map_findings, place
from zsad.language.align.lexicon import Lexicon
from zsad.language.align.verdicts import Alignment, Checked, Tolerances, align, check

__all__ = [
    "Alignment",
    "Checked",
    "Claim",
    "Findings",
    "Lexicon",
    "Span",
    "Tolerances",
    "align",
    "check",
    "claims",
    "findings",
    "map_findings",
    "place",
]
