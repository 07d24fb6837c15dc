"""Methods that score videos by asking a language model; each is a ``VideoScorer``, and may be planned before."""

from zsad.language.scorers.ask import AskScorer
from zsad.language.scorers.base import LanguageScorer, Planned, Setting
from zsad.language.scorers.gated import GatedScorer
from zsad.language.scorers.lavad import LavadScorer
from zsad.language.scorers.mcanet import McanetScorer
from zsad.language.scorers.vera import VeraScorer

__all__ = [
    "AskScorer",
    "GatedScorer",
    "LanguageScorer",
    "LavadScorer",
    "McanetScorer",
    "Planned",
    "Setting",
    "VeraScorer",
]
