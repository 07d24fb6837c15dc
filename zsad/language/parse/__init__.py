"""What language models answer, read: every function returns a value or a reason, never a guess, and never raises."""

from zsad.language.parse.letters import letter, letters_of, options_of, qa_pairs
from zsad.language.parse.objects import json_object
from zsad.language.parse.prose import prose
from zsad.language.parse.questions import guiding_questions, last_line, numbered
from zsad.language.parse.reading import Parsed
from zsad.language.parse.scores import (
    CRITERIA,
    Marks,
    agent_score,
    bracket_score,
    judge_score,
    key_information,
    marks,
    ranking,
)
from zsad.language.parse.spans import (
    ANSWER_CLASSES,
    Answer,
    answer,
    key_sentences,
    moment_cells,
    time_spans,
    type_cells,
)
from zsad.language.parse.verdicts import CATEGORIES, category, detection, judgement, learner_output

__all__ = [
    "ANSWER_CLASSES",
    "CATEGORIES",
    "CRITERIA",
    "Answer",
    "Marks",
    "Parsed",
    "agent_score",
    "answer",
    "bracket_score",
    "category",
    "detection",
    "guiding_questions",
    "json_object",
    "judge_score",
    "judgement",
    "key_information",
    "key_sentences",
    "last_line",
    "learner_output",
    "letter",
    "letters_of",
    "marks",
    "moment_cells",
    "numbered",
    "options_of",
    "prose",
    "qa_pairs",
    "ranking",
    "time_spans",
    "type_cells",
]
