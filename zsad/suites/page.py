"""Records and parts -> one self-contained HTML page: tables, curves, worst and best images, published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

import zsad
from zsad.data.catalog import CATALOG
from zsad.files import output_errors, write_whole
from zsad.metrics.aupro import FPR_LIMIT
from zsad.outside import html
from zsad.suites.parts import part_path, read_part
from zsad.suites.reference import baseline_class, best_strict, published, subset_note
from zsad.suites.tables import SHOWN, Record, gaps, percent, reasons

WIDTH, HEIGHT = 150, 110
"""Size of a curve in pixels."""


def write_page(path: Path, records: Sequence[Record], parts: Path, title: str) -> None:
    """Write the report of several runs.

    Args:
        path: the HTML file.
        records: what :func:`zsad.suites.tables.read_records` gave.
        parts: folder of the runs' parts, for the pictures; a part that is not there has none.
        title: heading of the page.

    Raises:
        OutputError: it can't be written.
    """
    text = page(records, parts, title)
    write_whole(path, text.encode(errors="backslashreplace"), output_errors(path, again="run it again"))


def page(records: Sequence[Record], parts: Path, title: str) -> str:
    """Return the report as HTML; names of files and classes are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zsad.suites", "page_template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=html,
    )
    environment.filters["percent"] = percent
    shown = [_run(record, parts) for record in records]
    measured = {dataset["layout"] for run in shown for dataset in run["datasets"]}
    datasets = [name for name in CATALOG if name in measured and any(name in row.means for row in published())]
    return environment.get_template("page.html.j2").render(
        title=title,
        version=zsad.__version__,
        runs=shown,
        heads=SHOWN,
        published=[_published(name) for name in datasets],
    )


def polyline(points: Sequence[Sequence[float]], right: float) -> str:
    """Return the ``points`` of an SVG polyline for a curve over ``[0, right] x [0, 1]``."""
    return " ".join(f"{x / right * WIDTH:.1f},{HEIGHT - y * HEIGHT:.1f}" for x, y in points)


def _run(record: Record, parts: Path) -> dict[str, Any]:
    return {
        "name": record["run"]["name"],
        "note": record["run"]["note"],
        "suite": record["suite"]["title"] or record["suite"]["name"],
        "card": record["card"],
        "record": record,
        "datasets": [_dataset(record, key, parts) for key in record["datasets"]],
        "classes": sum(len(one["classes"]) for one in record["datasets"].values()),
        "left_out": _left_out(record),
    }


def _dataset(record: Record, key: str, parts: Path) -> dict[str, Any]:
    one, layout = record["datasets"][key], record["data"][key]["layout"]
    images = sum(table["n_images"] for table in one["classes"].values())
    return {
        "key": key,
        "layout": layout,
        "title": CATALOG[layout].title if layout in CATALOG else key,
        "mean": one["mean"],
        "images": images,
        "gaps": gaps(one["mean"], layout),
        "subset": subset_note(layout, images),
        "reasons": reasons(one["mean"]),
        "best": {m: best for m in SHOWN if (best := best_strict(layout, m))},
        "classes": [_class(record, key, name, parts) for name in one["classes"]],
    }


def _class(record: Record, key: str, name: str, parts: Path) -> dict[str, Any]:
    table = record["datasets"][key]["classes"][name]
    part = read_part(part_path(parts, record["run"]["name"], key, name))
    curves = table.get("curves", {})
    return {
        "name": name,
        "table": table,
        "stated": baseline_class(record["data"][key]["layout"], name),
        "roc": polyline(curves["roc"], 1.0) if curves.get("roc") else "",
        "pro": polyline(curves["pro"], FPR_LIMIT) if curves.get("pro") else "",
        "cases": part["cases"] if part else [],
    }


def _left_out(record: Record) -> list[str]:
    lines = [f"{key}: not found, or not usable" for key in record["missing"]]
    lines += [line for data in record["data"].values() for line in data["problems"]]
    for one in record["datasets"].values():
        lines += [line for table in one["classes"].values() for line in table["left_out"]]
    return lines


def _published(name: str) -> dict[str, Any]:
    rows = [row for row in published() if name in row.means]
    return {"title": CATALOG[name].title, "name": name, "rows": rows}
