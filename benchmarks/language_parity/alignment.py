"""The check of explanations against findings: claims with their verdicts, and the summaries."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.language_parity.fixtures import Checks, Fixtures, close, same
from zsad.language.align import Findings, Lexicon, Span, Tolerances, align


def checks(files: Fixtures) -> Checks:
    data = files.json("alignment")
    words = data["lexicon"]
    lexicon = Lexicon(
        words["classes"], words["nouns"], words["part_nouns"], data["number_words"], data["at_least_words"]
    )
    exact = Tolerances(data["tolerance_seconds"], data["iou_aligned"])
    rows = data["examples"]
    found = [align(row["explanation"], _findings(row["detector"]), lexicon, exact).to_dict() for row in rows]
    ours = [sorted(_line(claim) for claim in one["claims"]) for one in found]
    yield same("alignment", "claims", ours, [sorted(_line(claim) for claim in row["claims"]) for row in rows])
    for key in ("aligned", "contradicted", "unsupported"):
        counts = [one["summary"][key] for one in found]
        yield same("alignment", key, counts, [row["summary"][key] for row in rows])
    trust = [_or_nan(one["summary"]["trust"]) for one in found]
    yield close("alignment", "trust", trust, [_or_nan(row["summary"]["trust"]) for row in rows])


def _findings(told: dict[str, Any]) -> Findings:
    events, place = told["events"], told["location"] or {}
    spans = None if events is None else tuple(Span(one["start_s"], one["end_s"], one["class"]) for one in events)
    return Findings(
        told["duration_s"], told["anomaly"], spans, told["counts"], place.get("row"), place.get("col"), told["peak"]
    )


def _line(claim: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in claim.items() if key not in ("evidence", "text")}, sort_keys=True)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
