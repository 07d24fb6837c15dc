"""Benchmarks of language models on anomalies in videos: VANE-Bench, CUVA, ECVA, HAWK and HIVAU-70k.

Each has its data read in the published layout, questions in our own words where the data has none, figures under the
names of their variants, and what could not be read counted. Nothing of the data is in here.
"""

from zsad.language.bench.items import Answer, Data, Findings, Question, Row, Verdict
from zsad.language.bench.output import check_places, results, write
from zsad.language.bench.run import Run
from zsad.language.bench.settings import BENCHMARKS, BY_VIDEO, Benchmark, Options, chosen, prompts_of, read_data, steps

__all__ = [
    "BENCHMARKS",
    "BY_VIDEO",
    "Answer",
    "Benchmark",
    "Data",
    "Findings",
    "Options",
    "Question",
    "Row",
    "Run",
    "Verdict",
    "check_places",
    "chosen",
    "prompts_of",
    "read_data",
    "results",
    "steps",
    "write",
]
