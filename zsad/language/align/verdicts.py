"""Claims against findings: aligned, contradicted or unsupported, each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from zsad.language.align.claims import LEVELS, Claim, claims
from zsad.language.align.findings import Findings, Span
from zsad.language.align.lexicon import Lexicon

Verdict: TypeAlias = Literal["aligned", "contradicted", "unsupported"]
_Found: TypeAlias = tuple[Verdict, str]


@dataclass(frozen=True)
class Tolerances:
    """How exact times must be.

    Attributes:
        seconds: by how much a time may lie outside an event.
        iou: from which intersection over union on a span means an event.
        duration: part of an event's length by which a claimed duration may differ; never less than ``seconds``.
        score: by how much a claimed score may differ.
    """

    seconds: float = 1.0
    iou: float = 0.3
    duration: float = 0.25
    score: float = 0.1


@dataclass(frozen=True)
class Checked:
    """A claim with its verdict.

    Attributes:
        claim: what is said.
        verdict: aligned, contradicted or unsupported.
        evidence: what the detector knows of it, in a few words.
    """

    claim: Claim
    verdict: Verdict
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        claim = self.claim
        return {
            "kind": claim.kind, **dict(claim.said), "hedged": claim.hedged, "verdict": self.verdict,
            "evidence": self.evidence, "text": claim.text,
        }  # fmt: skip


@dataclass(frozen=True)
class Alignment:
    """The claims of one explanation.

    Attributes:
        checked: in the order of the text.
    """

    checked: tuple[Checked, ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many claims have a verdict."""
        return sum(one.verdict == verdict for one in self.checked)

    @property
    def trust(self) -> float | None:
        """The share of aligned claims among those that could be decided; None where none could."""
        decided = self.count("aligned") + self.count("contradicted")
        return self.count("aligned") / decided if decided else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: ``claims`` and ``summary``."""
        kinds: tuple[Verdict, ...] = ("aligned", "contradicted", "unsupported")
        summary: dict[str, float | None] = {kind: self.count(kind) for kind in kinds}
        summary["trust"] = self.trust
        return {"claims": [one.to_dict() for one in self.checked], "summary": summary}

    def line(self) -> str:
        """Return one line for people; the words of claims in it are a language model's."""
        wrong = [f' ("{one.claim.text}": {one.evidence})' for one in self.checked if one.verdict == "contradicted"]
        return (
            f"claims {len(self.checked)}, aligned {self.count('aligned')}, contradicted {self.count('contradicted')}"
            f"{wrong[0] if wrong else ''}, unsupported {self.count('unsupported')}"
        )


def align(
    explanation: str, found: Findings, lexicon: Lexicon | None = None, tolerances: Tolerances | None = None
) -> Alignment:
    """Check what an explanation claims against what a detector found.

    Args:
        explanation: a language model's words.
        found: see :func:`zsad.language.align.findings`.
        lexicon: words of classes and things.
        tolerances: how exact times must be.

    >>> align("Nothing unusual happens.", Findings(anomaly=True)).line()
    'claims 1, aligned 0, contradicted 1 ("Nothing unusual happens": an anomaly was found), unsupported 0'
    """
    exact = tolerances or Tolerances()
    return Alignment(tuple(check(claim, found, exact) for claim in claims(explanation, found.duration_s, lexicon)))


def check(claim: Claim, found: Findings, tolerances: Tolerances | None = None) -> Checked:
    """Check one claim; one that only says what may be is never contradicted."""
    verdict, evidence = _CHECKS[claim.kind](claim, found, tolerances or Tolerances())
    if claim.hedged and verdict == "contradicted":
        verdict = "unsupported"
    return Checked(claim, verdict, evidence)


def _either(right: bool) -> Verdict:
    return "aligned" if right else "contradicted"


def _presence(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    if found.anomaly is None:
        return "unsupported", "whether anything is anomalous is not known"
    says = "an anomaly was found" if found.anomaly else "no anomaly was found"
    return _either(claim.get("anomaly") is found.anomaly), says


def _time(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    start, end = _number(claim, "start"), _number(claim, "end")
    if found.duration_s is not None and start > found.duration_s:
        return "contradicted", f"the video ends at {found.duration_s:g} s"
    if found.events is None:
        return "unsupported", "no events are known"
    if not found.events:
        return "contradicted", "there are no events"
    near = min(found.events, key=lambda event: max(event.start_s - end, start - event.end_s))
    says = _span(near)
    slack = exact.seconds
    if any(event.start_s - slack <= start and end <= event.end_s + slack for event in found.events):
        return "aligned", says
    if end > start and any(_iou(start, end, event) >= exact.iou for event in found.events):
        return "aligned", says
    touches = any(start <= event.end_s + slack and end >= event.start_s - slack for event in found.events)
    return ("unsupported" if touches else "contradicted"), says


def _duration(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    if found.events is None:
        return "unsupported", "no events are known"
    if not found.events:
        return "contradicted", "there are no events"
    said = _number(claim, "seconds")
    lengths = [event.end_s - event.start_s for event in found.events]
    near = min(lengths, key=lambda length: abs(length - said))
    right = any(abs(said - length) <= max(exact.seconds, exact.duration * length) for length in lengths)
    return _either(right), f"an event lasts {near:.1f} s"


def _class(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    if found.events is None:
        return "unsupported", "no events are known"
    labels = {event.label for event in found.events}
    there, negated = claim.get("label") in labels, claim.get("negated") is True
    names = ", ".join(sorted(label for label in labels if label is not None))
    says = f"events: {names or 'none' if None not in labels else (names or 'of no known class')}"
    if not there and None in labels:
        return "unsupported", says
    return _either(there is not negated), says


def _order(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    starts = {
        key: min((event.start_s for event in found.events or () if event.label == claim.get(key)), default=None)
        for key in ("first", "second")
    }
    first, second = starts["first"], starts["second"]
    if first is None or second is None:
        return "unsupported", "not both were found"
    return _either(
        first < second
    ), f"{claim.get('first')} from {first:.1f} s, {claim.get('second')} from {second:.1f} s"


def _count(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    noun = str(claim.get("noun"))
    total = (found.counts or {}).get(noun)
    if total is None:
        return "unsupported", f"{noun}: not counted"
    says, least = f"{noun}: {total}", claim.get("at_least")
    if least is not None:
        return _either(total >= cast(int, least)), says
    said = cast(int, claim.get("equals"))
    if claim.get("part_of") is True and said < total:
        return "unsupported", says
    return _either(said == total), says


def _location(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    known = {"row": found.row, "col": found.col}
    said = {key: claim.get(key) for key in known if claim.get(key) is not None}
    says = " ".join(value for value in known.values() if value) or "no place is known"
    if any(known[key] is not None and known[key] != value for key, value in said.items()):
        return "contradicted", says
    return ("unsupported" if any(known[key] is None for key in said) else "aligned"), says


def _severity(claim: Claim, found: Findings, exact: Tolerances) -> _Found:
    if found.peak is None:
        return "unsupported", "no score is known"
    score, level = claim.get("score"), claim.get("level")
    if score is not None:
        return _either(
            abs(cast(float, score) - found.peak) <= exact.score + 1e-9
        ), f"the highest score is {found.peak:.2f}"
    names = list(LEVELS)
    mine = 0 if found.peak < 0.4 else 1 if found.peak < 0.7 else 2
    apart = abs(names.index(str(level)) - mine)
    verdicts: Sequence[Verdict] = ("aligned", "unsupported", "contradicted")
    return verdicts[apart], f"the highest score is {found.peak:.2f}: {names[mine]}"


_CHECKS: dict[str, Callable[[Claim, Findings, Tolerances], _Found]] = {
    "presence": _presence, "time": _time, "duration": _duration, "class": _class, "order": _order, "count": _count,
    "location": _location, "severity": _severity,
}  # fmt: skip


def _number(claim: Claim, name: str) -> float:
    return cast(float, claim.get(name))


def _iou(start: float, end: float, event: Span) -> float:
    both = min(end, event.end_s) - max(start, event.start_s)
    either = max(end, event.end_s) - min(start, event.start_s)
    return max(both, 0.0) / either if either > 0 else 0.0


def _span(event: Span) -> str:
    name = f" ({event.label})" if event.label else ""
    return f"the nearest event lasts from {event.start_s:.1f} to {event.end_s:.1f} s{name}"
