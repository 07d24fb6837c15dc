"""The words that claims are read by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

CLASSES = {
    "fighting": "fight(?:s|ing)?|brawl|punch(?:es|ed|ing)?",
    "fire": "fire|flames?|burn(?:s|ing)?",
    "explosion": "explosion|explod(?:e|es|ed|ing)|blast",
    "theft": "theft|steals?|stealing|stole|stolen",
    "robbery": "robbery|robs?|robbed",
    "accident": "crash(?:es|ed)?|collision|collid(?:e|es|ed|ing)|accident",
    "fall": "falls?|fell",
    "vandalism": "vandali(?:sm|ses|zes)|graffiti|smash(?:es|ed)?",
    "running": "runs?|running|sprint(?:s|ing)?",
    "weapon": "gun|knife|weapon",
}
"""Class of an event -> pattern of the words that name it."""
NOUNS = {
    "person": "persons?|people",
    "car": "cars?|vehicles?",
    "truck": "trucks?",
    "dog": "dogs?",
    "bicycle": "bikes?|bicycles?",
}
"""What detectors count -> pattern of its words."""
PART_NOUNS = {"person": "men|man|women|woman|boys?|girls?|children|child|pedestrians?|guards?"}
"""The same, of words that may mean some of them only."""
NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "no": 0,
}  # fmt: skip
"""Number words."""
AT_LEAST = {"several": 3, "many": 5}
"""Words that say a lower bound."""


@dataclass(frozen=True)
class Lexicon:
    """Words of classes and of things that are counted; other sets may be given for other detectors.

    Attributes:
        classes: name of a class -> pattern of its words, as Python's ``re`` reads it.
        nouns: thing -> pattern.
        part_nouns: thing -> pattern of words for a part of them.
        numbers: word -> number.
        at_least: word -> lower bound.
    """

    classes: Mapping[str, str] = field(default_factory=lambda: CLASSES)
    nouns: Mapping[str, str] = field(default_factory=lambda: NOUNS)
    part_nouns: Mapping[str, str] = field(default_factory=lambda: PART_NOUNS)
    numbers: Mapping[str, int] = field(default_factory=lambda: NUMBERS)
    at_least: Mapping[str, int] = field(default_factory=lambda: AT_LEAST)

    def of_class(self, name: str) -> re.Pattern[str]:
        """Return the pattern that finds a class."""
        return re.compile(rf"\b(?:{self.classes[name]})\b", re.IGNORECASE)

    def of_count(self, noun: str) -> re.Pattern[str]:
        """Return the pattern that finds how many of something there are: its group 1 is the number or its word."""
        words = "|".join(map(re.escape, (*self.numbers, *self.at_least)))
        between = r"(?:(?!(?:of|to|and|in|on|at|or|is|are|s|sec|seconds?)\b)[a-z]+\s+){0,2}?"
        return re.compile(rf"(?<![\d.:])\b({words}|\d{{1,9}})\s+{between}(?:{noun})\b", re.IGNORECASE)
