"""What the page shows, as plain values; every text passes the door for HTML."""

from __future__ import annotations

from typing import Any

from zsad.line.api.recent import Recent
from zsad.line.part import Record
from zsad.line.station import Station
from zsad.outside import html

TRIED = 1000
"""Parts that a threshold is tried on."""


def state_of(station: Station) -> dict[str, Any]:
    """Return counts, rates, latency, alarms, and the scores that a threshold is tried on."""
    health, limits = station.health, station.judge.thresholds
    last = station.database.read(
        "select score, verdict from parts where score is not null order by rowid desc limit ?", (TRIED,)
    )
    found: dict[str, Any] = html({
        "station": station.line.name,
        "source": station.source.place,
        "model": station.loaded.detector.card.label,
        "model_hash": station.loaded.hash,
        "judged_by": limits.told(),
        "threshold": limits.image if isinstance(limits.image, float) and "image" in limits.uses else None,
        "alive": health.alive,
        "seconds": round(health.seconds, 1),
        "counters": {**health.counts, "total": health.total},
        "rate": round(health.rate, 3),
        "latency_ms": health.latency(),
        "late": health.misses,
        "budget_ms": station.line.decision.budget_ms,
        "alarms": [{"kind": one.kind, "text": one.text, "time": one.time} for one in health.alarms.standing],
        "outbox": station.database.backlog(),
    })  # fmt: skip
    return {**found, "scores": [[round(score, 4), verdict] for score, verdict in last]}


def parts_of(station: Station, recent: Recent, count: int) -> list[dict[str, Any]]:
    """Return the last parts, the newest first, with what a person has said of them."""
    records = station.database.last(count)
    marks = marks_of(station, [record.id for record in records])
    drawn = recent.drawn
    return [_part(record, marks.get(record.id), record.id in drawn) for record in records]


def marks_of(station: Station, ids: list[str]) -> dict[str, str]:
    """Return what a person has said of parts: ``good`` or ``bad``."""
    if not ids:
        return {}
    places = ", ".join("?" * len(ids))
    return dict(station.database.read(f"select id, mark from marks where id in ({places})", tuple(ids)))


def _part(record: Record, mark: str | None, drawn: bool) -> dict[str, Any]:
    shown: dict[str, Any] = html(record.to_mapping())
    return {**shown, "key": record.id, "mark": mark, "overlay": drawn, "regions": len(record.regions)}
