"""What ``zsad line check`` looks at: everything that a station needs, without running it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from zsad.line.database import Database
from zsad.line.decision import Judge
from zsad.line.model import load_model
from zsad.line.settings import LOOPBACK, Line, Trigger
from zsad.line.sinks.settings import Modbus, Opcua
from zsad.line.sources import source_of
from zsad.line.telling import left_behind, sinks_of
from zsad.outside import printable


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes:
        facts: what the station will do, by the part of it that does.
        warnings: what a person should know.
    """

    facts: dict[str, str]
    warnings: list[str] = field(default_factory=list)


def check_line(line: Line) -> Checked:
    """Look whether a station can run.

    Raises:
        ZsadError: it can't, and why.
    """
    warnings: list[str] = []
    loaded = load_model(line)
    source = source_of(line)
    warnings += source.check()
    sinks = sinks_of(line)
    limits = Judge(loaded.thresholds, line.decision).thresholds
    if not limits.judges:
        model = shlex.quote(printable(line.model or "tiny"))
        warnings.append(
            f"no thresholds: every part will be unjudged and goes out as {line.decision.unjudged}; set them by good "
            f"parts: zsad calibrate {model} --normals good/ --out thresholds.json; then name that file under thresholds"
        )
    elif loaded.file is None or loaded.file.good is None:
        warnings.append("the thresholds say nothing of the good parts that they rest on: there is no drift alarm")
    if line.decision.unjudged == "ok":
        warnings.append("unjudged: ok lets parts pass that nobody has judged")
    warnings += _open_ports(line) + _unseen(line)
    database = Database(line.database)
    try:
        recorded = sum(database.counts().values())
        warnings += left_behind(line, sinks, database).values()
    finally:
        database.close()
    return Checked(
        {
            "source": f"{printable(source.place)}; when parts come faster than they are looked at: {source.overload}",
            "model": f"{printable(loaded.detector.card.label)}, {loaded.hash}",
            "thresholds": limits.told(),
            "sinks": ", ".join(["sqlite", *(sink.name for sink in sinks)]),
            "database": f"{printable(line.database)}, {recorded:,} parts",
        },
        warnings,
    )


def _unseen(line: Line) -> list[str]:
    return [
        "modbus without handshake and with hold_ms: 0 shows parts that no PLC sees; set handshake: true, or a hold_ms "
        "that is longer than the PLC's pause between two reads"
        for one in line.sinks
        if isinstance(one, Modbus) and not one.handshake and not one.hold_ms
    ]


def _open_ports(line: Line) -> list[str]:
    servers = [one for one in (*line.sinks, line.source) if isinstance(one, Opcua | Modbus | Trigger)]
    return [
        f"{type(one).__name__.lower()} listens at {printable(one.host)}, where it asks for no password; "
        "keep that network apart"
        for one in servers
        if one.host not in LOOPBACK
    ]
