"""What a record must hold; checked when one is read, and by a test when one is written."""

from __future__ import annotations

from typing import Any

from zsad.evaluation import METRICS
from zsad.suites.record import FORMAT

_RECORD: dict[str, type | tuple[type, ...]] = {
    "format": int, "suite": dict, "run": dict, "detector": dict, "card": dict, "card_sha256": str, "model_sha256": str,
    "settings": dict, "started": str, "finished": str, "commit": str, "commits": list, "versions": dict,
    "machines": list, "missing": list, "data": dict, "datasets": dict,
}  # fmt: skip
_DATA: dict[str, type | tuple[type, ...]] = {
    "layout": str, "classes": list, "n_images": int, "problems": list, "left_out": list, "notes": list, "sha256": dict,
}  # fmt: skip
_CLASS: dict[str, type | tuple[type, ...]] = {
    "n_images": int, "n_normal": int, "n_anomalous": int, "reasons": dict, "left_out": list, "seconds": (int, float),
}  # fmt: skip
_MACHINE: dict[str, type | tuple[type, ...]] = {"processor": str, "cores": int, "system": str, "accelerator": str}


def record_problems(record: Any) -> list[str]:
    """Return everything that is wrong with a record; nothing for a good one."""
    problems = _missing(record, _RECORD, "record")
    if problems:
        return problems
    if record["format"] != FORMAT:
        problems.append(f"format {record['format']}, this zsad reads {FORMAT}")
    for name in ("resolution", "bootstrap", "seed"):
        if name not in record["settings"]:
            problems.append(f"settings: no {name}")
    for name in ("python", "numpy", "pillow"):
        if name not in record["versions"]:
            problems.append(f"versions: no {name}")
    for i, machine in enumerate(record["machines"]):
        problems += _missing(machine, _MACHINE, f"machine {i}")
    if len(record["card_sha256"]) != 64:
        problems.append("card_sha256 is not a SHA-256")
    for key, data in record["data"].items():
        problems += _missing(data, _DATA, f"data of {key}") or _checksums(key, data)
        if key not in record["datasets"]:
            problems.append(f"{key}: data without figures")
    for key, one in record["datasets"].items():
        problems += _dataset_problems(key, one)
    return problems


def _dataset_problems(key: str, one: Any) -> list[str]:
    if not isinstance(one, dict) or not isinstance(one.get("mean"), dict) or not isinstance(one.get("classes"), dict):
        return [f"{key}: needs mean and classes"]
    problems = _metric_problems(f"{key} mean", one["mean"])
    for name, table in one["classes"].items():
        problems += _missing(table, _CLASS, f"{key}/{name}") or _metric_problems(f"{key}/{name}", table)
    return problems


def _metric_problems(where: str, values: dict[str, Any]) -> list[str]:
    problems = []
    for name in METRICS:
        if name not in values:
            problems.append(f"{where}: no {name}")
        elif values[name] is None:
            if not values["reasons"].get(name):
                problems.append(f"{where}: {name} is null without a reason")
        elif not (isinstance(values[name], int | float) and 0 <= values[name] <= 1):
            problems.append(f"{where}: {name} is {values[name]!r}, not in [0, 1]")
    return problems


def _checksums(key: str, data: dict[str, Any]) -> list[str]:
    return [f"{key}/{name}: no checksum" for name in data["classes"] if len(data["sha256"].get(name, "")) != 64]


def _missing(data: Any, wanted: dict[str, type | tuple[type, ...]], where: str) -> list[str]:
    if not isinstance(data, dict):
        return [f"{where}: not an object"]
    return [
        f"{where}: no {name}" if name not in data else f"{where}: {name} has the wrong type"
        for name, kind in wanted.items()
        if not isinstance(data.get(name), kind)
    ]
