"""What claims are held against: findings, the places of several events or regions, and the words of classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zsad.documents import Entries, is_number
from zsad.language.align import Alignment, Checked, Claim, Findings, Lexicon, Span, check, claims, place
from zsad.language.align.lexicon import CLASSES, NOUNS, PART_NOUNS
from zsad.outside import shown
from zsad.video.events import Event
from zsad.video.series import ScoreSeries

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
NORMAL = "normal"
_REGIONS = {"region": "regions?|defects?|anomal(?:y|ies)"}
_SOME_REGIONS = {"region": "scratch(?:es)?|cracks?|dents?|holes?|spots?|stains?|marks?|cuts?|breaks?|chips?"}
_MOST = 10_000


@dataclass(frozen=True)
class Evidence:
    """What a detector knows.

    Attributes:
        found: findings, without a place where there are several.
        places: row and column of each event or region; a claim of one of them is aligned.
        classes: names of the detector's classes, which are read as such in explanations.
        regions: whether regions of a picture are counted.
    """

    found: Findings = field(default_factory=Findings)
    places: tuple[tuple[str, str], ...] = ()
    classes: tuple[str, ...] = ()
    regions: bool = False

    def lexicon(self) -> Lexicon:
        """Return the words that claims are read by: the shipped ones, and the names of classes and regions."""
        own = {name: _named(name) for name in self.classes if name not in CLASSES and name.strip()}
        if not self.regions:
            return Lexicon({**CLASSES, **own})
        return Lexicon({**CLASSES, **own}, {**NOUNS, **_REGIONS}, {**PART_NOUNS, **_SOME_REGIONS})

    def align(self, text: str, also: Iterable[Claim] = ()) -> Alignment:
        """Check what a text claims, and what its form says besides, such as a span in brackets.

        Args:
            text: a language model's words.
            also: claims of what was read of it; those that its words make as well count once.
        """
        made = {claim.key: claim for claim in claims(text, self.found.duration_s, self.lexicon())}
        for claim in also:
            made.setdefault(claim.key, claim)
        return Alignment(tuple(self._checked(claim) for claim in made.values()))

    def _checked(self, claim: Claim) -> Checked:
        if claim.kind != "location" or not self.places:
            return check(claim, self.found)
        every = [check(claim, replace(self.found, row=row, col=col)) for row, col in self.places]
        first = next((one for one in every if one.verdict == "aligned"), every[0])
        if first.verdict == "aligned" or len(set(self.places)) == 1:
            return first
        names = ", ".join(f"{row} {col}" for row, col in dict.fromkeys(self.places))
        return replace(first, evidence=f"places: {names}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = self.found
        return {
            "duration_s": found.duration_s,
            "anomaly": found.anomaly,
            "events": None if found.events is None else [
                {"start_s": round(one.start_s, 3), "end_s": round(one.end_s, 3), "label": one.label}
                for one in found.events
            ],
            "counts": None if found.counts is None else dict(found.counts),
            "peak": found.peak,
            "places": [list(one) for one in self.places],
            "classes": list(self.classes),
        }  # fmt: skip


def of_series(
    series: ScoreSeries,
    events: Sequence[Event],
    size: tuple[int, int],
    *,
    known: bool,
    counts: Mapping[str, int] | None = None,
) -> Evidence:
    """Return what scores and events of a video say.

    Args:
        series: of the video.
        events: found in it.
        size: width and height of a frame.
        known: whether a threshold was given. Without one events are where scores are highest, and whether there is an
            anomaly at all is not known.
        counts: thing -> how many, from an object detector.
    """
    from zsad.language.align import findings

    found = findings(series, events, None, counts)
    places = []
    for event in sorted(events, key=lambda one: -one.score):
        if event.region and size[0] and size[1]:
            x0, y0, x1, y1 = event.region
            places.append(place((x0 + x1) / 2 / size[0], (y0 + y1) / 2 / size[1]))
    classes = tuple(name for name in series.classes if name.lower() != NORMAL)
    return Evidence(replace(found, anomaly=found.anomaly if known else None), tuple(places), classes)


def read_evidence(entries: Entries) -> Evidence:
    """Read what :meth:`Evidence.to_dict` gives, out of a document from outside.

    Raises:
        ZsadError: as the entries refuse.
    """
    entries.only("duration_s", "anomaly", "events", "counts", "peak", "places", "classes")
    data = entries.data
    anomaly = data.get("anomaly")
    if anomaly not in (None, True, False):
        raise entries.refuse(f"{entries.where}: anomaly is {shown(anomaly)}, it must be true, false or null")
    events = None
    if data.get("events") is not None:
        rows = [Entries.of(one, f"{entries.where}: events", entries.refuse) for one in entries.items("events", _MOST)]
        events = tuple(_span(row) for row in rows)
    counts = None
    if data.get("counts") is not None:
        inner = entries.entries("counts")
        counts = {name: inner.whole(name) for name in inner.data}
    places = tuple((str(one[0]), str(one[1])) for one in entries.items("places", _MOST, []) if _is_place(one))
    classes = tuple(str(one)[:100] for one in entries.items("classes", 1000, []))
    found = Findings(_known(entries, "duration_s", 1e9), anomaly, events, counts, peak=_known(entries, "peak", 1.0))
    return Evidence(found, places, classes)


def _span(row: Entries) -> Span:
    label = row.text("label", 200) if row.data.get("label") is not None else None
    return Span(row.number("start_s", 0, 1e9), row.number("end_s", 0, 1e9), label)


def _known(entries: Entries, key: str, high: float) -> float | None:
    value = entries.data.get(key)
    if value is not None and not is_number(value, 0, high):
        entries.number(key, 0, high)
    return None if value is None else float(value)


def _is_place(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] in ROWS and value[1] in COLUMNS


def _named(name: str) -> str:
    """Return the pattern of a class's name, whatever stands between its words."""
    return r"[\s_-]+".join(re.escape(word) for word in re.split(r"[\s_-]+", name.strip()) if word)
