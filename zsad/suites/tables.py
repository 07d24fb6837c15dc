"""Records -> Markdown tables, with published numbers and their sources beside ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zsad.data.catalog import CATALOG
from zsad.errors import DatasetError
from zsad.outside import cell, markdown
from zsad.suites.parts import read_json
from zsad.suites.reference import Published, baseline, baseline_class, best_strict, published, subset_note
from zsad.suites.schema import record_problems

Record = dict[str, Any]

SHOWN = {
    "image_auroc": "I-AUROC", "image_ap": "I-AP", "image_f1_max": "I-F1max", "pixel_auroc": "P-AUROC",
    "pixel_ap": "P-AP", "pixel_f1_max": "P-F1max", "pixel_aupro": "AUPRO", "pixel_aupro_200step": "AUPRO 200-step",
}  # fmt: skip


def read_records(folder: Path) -> list[Record]:
    """Read the records of a results folder; other JSON files are not records and are passed over.

    Raises:
        DatasetError: a record that is damaged or of another format.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        data = read_json(path)
        if data is None or "suite" not in data or "datasets" not in data:
            continue
        problems = record_problems(data)
        if problems:
            raise DatasetError(f"{path}: {problems[0]}; run the suite again")
        found.append(data)
    return found


def quality_markdown(records: Sequence[Record]) -> str:
    """Return the tables of several runs as Markdown: means, classes, what was left out, published rows."""
    parts = []
    for record in records:
        suite, run = record["suite"], record["run"]
        parts.append(f"### {markdown(suite['title'] or suite['name'])}: {markdown(run['name'])}\n")
        parts.append(_facts(record))
        parts.append(_means(record))
        parts.extend(_classes(record, key) for key in record["datasets"] if len(record["datasets"][key]["classes"]) > 1)
        parts.append(_left_out(record))
    return "\n".join(part for part in parts if part)


def published_markdown(datasets: Iterable[str]) -> str:
    """Return the published rows of some datasets, with source and mark."""
    wanted = [name for name in datasets if any(name in row.means for row in published())]
    lines = []
    for name in wanted:
        rows = [row for row in published() if name in row.means]
        lines.append(f"\n**{CATALOG[name].title}**, published\n")
        lines.append(_table(("method", *SHOWN.values(), "mark"), [_published_row(row, name) for row in rows]))
    if wanted:
        lines.append("\nMark: V read in the official repository, S another author's table, L known leakage.\n")
        lines.extend(_source(row) for row in published() if set(wanted) & set(row.means))
    return "\n".join(lines)


def percent(value: float | None, bound: float = 0.0) -> str:
    """Show a share in percent; a dash for null, the bound where it matters."""
    if value is None:
        return "-"
    return f"{100 * value:.1f}" + (f" ±{100 * bound:.2g}" if bound >= 5e-5 else "")


def gaps(mean: dict[str, Any], dataset: str, name: str = "") -> dict[str, float]:
    """Our value minus the baseline's, for each metric that both have."""
    stated = baseline_class(dataset, name) if name else baseline(dataset)
    return {metric: mean[metric] - value for metric, value in stated.items() if mean.get(metric) is not None}


def reasons(mean: dict[str, Any]) -> list[str]:
    """Say once per reason which metrics are undefined or incomplete."""
    found: dict[str, list[str]] = {}
    for name, why in mean["reasons"].items():
        found.setdefault(why, []).append(SHOWN[name])
    return [f"{', '.join(heads)}: {why}" for why, heads in found.items()]


def _how(run: dict[str, Any]) -> str:
    """Say what a run's scores rest on beside one image at a time."""
    if run.get("mutual"):
        return "Mutual: the images of each class are scored against each other."
    if run.get("shots"):
        draws = f", means of {run['seeds']} draws" if run.get("seeds", 1) > 1 else ""
        fused = " and zero-shot" if run.get("fused") else ""
        return f"Each class by a memory of {markdown(run['shots'])} of its good images{fused}{draws}."
    return ""


def _facts(record: Record) -> str:
    card, settings = record["card"], record["settings"]
    machine = record["machines"][0] if record["machines"] else {}
    lines = [
        f"Model: {card['name'] or card['backbone'] or 'unnamed'}, {card['image_size']} px"
        + (f", prompt {card['prompt']}" if card["prompt"] else ""),
        f"trained on: {card['training_data'] or 'not stated'}",
        f"resolution of metrics: {settings['resolution']}",
        f"card {record['card_sha256'][:12]}, commit {(record['commit'] or 'unknown')[:12]}",
        f"measured {record['finished'][:10]} on {machine.get('processor', '?')} ({machine.get('cores', '?')} cores)",
    ]
    said = " ".join(text for text in (_how(record["run"]), markdown(record["run"]["note"])) if text)
    note = f"\n\n{said}" if said else ""
    return "; ".join(map(markdown, lines)) + "." + note + "\n"


def _means(record: Record) -> str:
    rows = []
    for key, one in record["datasets"].items():
        layout = record["data"][key]["layout"]
        images = sum(table["n_images"] for table in one["classes"].values())
        bounds = one["mean"].get("bounds", {})
        rows.append([key, str(images), *(percent(one["mean"][m], bounds.get(m, 0.0)) for m in SHOWN)])
        found = gaps(one["mean"], layout)
        if found:
            note = subset_note(layout, images)
            head = f"gap to AnomalyCLIP ({note})" if note else "gap to AnomalyCLIP"
            rows.append([head, "", *(f"{100 * found[m]:+.1f}" if m in found else "" for m in SHOWN)])
        best = {m: best_strict(layout, m) for m in SHOWN}
        if any(best.values()):
            cells = (f"{percent(b[0])} ({b[1]})" if (b := best[m]) else "" for m in SHOWN)
            rows.append(["best published, strict", "", *cells])
    return _table(("dataset", "images", *SHOWN.values()), rows) + "\n" if rows else "No dataset was found.\n"


def _classes(record: Record, key: str) -> str:
    rows = []
    for name, table in record["datasets"][key]["classes"].items():
        bounds = table.get("bounds", {})
        rows.append([name, str(table["n_images"]), *(percent(table[m], bounds.get(m, 0.0)) for m in SHOWN)])
        found = gaps(table, record["data"][key]["layout"], name)
        if found:
            rows.append(["gap", "", *(f"{100 * found[m]:+.1f}" if m in found else "" for m in SHOWN)])
    return (
        f"<details><summary>{markdown(key)} by class</summary>\n\n"
        + _table(("class", "images", *SHOWN.values()), rows)
        + "\n\n</details>\n"
    )


def _left_out(record: Record) -> str:
    lines = [f"- {markdown(key)}: not found, or not usable" for key in record["missing"]]
    for key, data in record["data"].items():
        lines += [f"- {markdown(key)}: {markdown(line)}" for line in data["problems"]]
    for key, one in record["datasets"].items():
        for name, table in one["classes"].items():
            lines += [f"- {markdown(f'{key}/{name}')}: {markdown(line)}" for line in table["left_out"]]
        lines += [f"- {markdown(key)}: {markdown(line)}" for line in reasons(one["mean"])]
    return "Not measured:\n\n" + "\n".join(lines) + "\n" if lines else ""


def _source(row: Published) -> str:
    return f"- {row.method}: {row.source}" + ("" if row.strict else f". L: {row.leakage}")


def _published_row(row: Published, name: str) -> list[str]:
    mark = ("V" if row.verified else "S") + ("" if row.strict else " L")
    return [f"{row.method}, {row.venue}", *(percent(row.means[name].get(m)) for m in SHOWN), mark]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        "| " + " | ".join(heads) + " |",
        "|" + "|".join(" --- " if i == 0 else " ---: " for i in range(len(heads))) + "|",
    ]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    return "\n".join(lines)
