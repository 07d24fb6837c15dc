"""What ``zsad eval`` and ``zsad bench`` show: progress, tables with the gap to published numbers, what was left out."""

from __future__ import annotations

import json as jsonlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsad.files import output_errors, write_whole
from zsad.outputs import MARKDOWN, check_folder, check_output, is_figures, is_markdown, is_page
from zsad.outside import markdown, printable, terminal
from zsad.terminal import say

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from zsad.card import ModelCard
    from zsad.data.spec import Loaded
    from zsad.evaluation import DatasetTable, Table
    from zsad.metrics import Metric
    from zsad.suites.speed import Speed
    from zsad.types import Sample, Thresholds

HEADS = {
    "image_auroc": "I-AUC", "image_ap": "I-AP", "image_f1_max": "I-F1", "pixel_auroc": "P-AUC", "pixel_ap": "P-AP",
    "pixel_f1_max": "P-F1", "pixel_aupro": "PRO", "pixel_aupro_200step": "PRO200",
}  # fmt: skip


@contextmanager
def progress(total: int) -> Iterator[Callable[[Sample], None]]:
    """Show a bar on standard error while a terminal watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from zsad.cli.terminal import Terminal, field

    columns = (field("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as bar:
        task = bar.add_task("evaluating", total=total or None)
        done = 0

        def step(sample: Sample) -> None:
            nonlocal done
            where = printable(f"{sample.dataset}/{sample.class_name}".strip("/"))
            done += 1
            bar.update(task, completed=done, description=where)

        yield step


def data_facts(loaded: dict[str, Loaded]) -> dict[str, Any]:
    """Return where the data were and what was wrong with them, by key."""
    return {
        key: {"layout": one.spec.layout, "path": str(one.spec.path), "problems": one.report.problems,
              "left_out": one.report.left_out, "notes": one.report.notes}
        for key, one in loaded.items()
    }  # fmt: skip


def check_data(target: str | None) -> None:
    """Look at the place that :func:`write_data` writes to, before the work.

    Raises:
        OccupiedError: a file that holds no figures of zsad.
    """
    if target not in (None, "-"):
        check_output(Path(target), is_figures, "choose another --json")


def write_data(target: str | None, data: Any) -> None:
    """Write JSON to a file, or to standard output for ``-``; nothing without a target.

    Raises:
        OutputError: the file can't be written.
    """
    if target is None:
        return
    text = jsonlib.dumps(data, indent=2, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    check_data(target)
    write_whole(Path(target), text.encode(), output_errors(Path(target), "choose another --json", "run it again"))


def show_tables(table: Table, names: dict[str, str], thresholds: Thresholds) -> None:
    """Print one table per dataset; ``names`` maps keys to the catalog's names, for published numbers."""
    from zsad.cli.terminal import Terminal

    console = Terminal()
    for key, one in table.datasets.items():
        how = (
            "mutual" if table.run.get("mutual") else f"{table.run['shots']} good images" if "shots" in table.run else ""
        )
        console.print(_rich(key, one, names.get(key, ""), str(table.run["resolution"]), how))
        _print_notes(console.print, one)
        for line in _judged(one, thresholds) if thresholds.judges else ():
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _judged(one: DatasetTable, thresholds: Thresholds) -> list[str]:
    """Say what the thresholds made of a dataset's images, class by class."""
    source = f" (from {printable(thresholds.source)})" if thresholds.source else ""
    lines = [f"anomalous by rule {thresholds.rule or 'either'}: {thresholds.told()}{source}"]
    for name, table in one.classes.items():
        if table.verdicts:
            rejected, missed = table.verdicts.rejected, table.verdicts.missed
            lines.append(f"{printable(name)}: {rejected:,} of {table.n_normal:,} good images rejected, "
                         f"{missed:,} of {table.n_anomalous:,} anomalous ones missed")  # fmt: skip
    return lines


def show_left_out(table: Table, problems: Sequence[str], other: Sequence[str] = ()) -> None:
    """Name on standard error everything that is not in the figures; ``other`` is what a layout does not read."""
    from zsad.data.files import SHOWN

    for line in other[:SHOWN]:
        say(f"not read: {line}")
    if len(other) > SHOWN:
        say(f"not read: and {len(other) - SHOWN} more, see --json")
    for line in table.notes:
        say(f"note: {line}")
    for line in (*problems, *table.left_out):
        say(f"not measured: {line}")
    count = len(table.left_out) + len(problems)
    if count:
        say(f"{count} problems; the figures above are without them")


def check_report(out: Path) -> None:
    """Look at the place that :func:`write_report` writes to, before the work.

    Raises:
        OccupiedError: a page or a README that zsad did not write, or no folder.
    """
    check_folder(out, _OTHER_OUT)
    check_output(out / "report.html", is_page, _OTHER_OUT)
    check_output(out / "README.md", is_markdown, _OTHER_OUT)


_OTHER_OUT = "choose another --out"


def write_report(out: Path, title: str, runs: set[str]) -> None:
    """Write ``report.html`` and ``README.md`` of some runs beside their records."""
    from zsad.suites.page import write_page
    from zsad.suites.tables import published_markdown, quality_markdown, read_records

    check_report(out)
    records = [record for record in read_records(out) if record["run"]["name"] in runs]
    write_page(out / "report.html", records, out, title)
    datasets = dict.fromkeys(data["layout"] for record in records for data in record["data"].values())
    text = f"{MARKDOWN}\n# {markdown(title)}\n\n{quality_markdown(records)}\n{published_markdown(datasets)}\n"
    readme = out / "README.md"
    write_whole(readme, text.encode(errors="backslashreplace"), output_errors(readme, again="run it again"))
    say(f"wrote {out / 'report.html'} and {out / 'README.md'}")


def incomplete(written: Sequence[Path]) -> bool:
    """Whether a record says that something was left out."""
    from zsad.suites.parts import read_json

    records = [read_json(path) or {} for path in written]
    return any(
        record["missing"]
        or any(data["problems"] for data in record["data"].values())
        or any(table["left_out"] for one in record["datasets"].values() for table in one["classes"].values())
        for record in records
    )


def nothing_found(written: Sequence[Path]) -> bool:
    """Whether there are records, but none has a dataset in it."""
    from zsad.suites.parts import read_json

    return bool(written) and not any((read_json(path) or {}).get("data") for path in written)


def show_speed(card: ModelCard, speed: Speed) -> None:
    """Print the figures of one detector."""
    from zsad.cli.terminal import Terminal, heading, table

    console = Terminal()
    title = heading(card.label, f"{card.input.image_size} px, image {speed.image[0]} x {speed.image[1]}, ms")
    shown = table("stage", "p50", "p95", "p99", "mean", title=title)
    for name, taken in {"latency, image to regions": speed.latency, **speed.stages}.items():
        shown.add_row(name, *(f"{value:.2f}" for value in (taken.p50, taken.p95, taken.p99, taken.mean)))
    console.print(shown)
    rates = ", ".join(f"batch {size}: {rate:.1f}/s" for size, rate in speed.throughput.items())
    console.print(f"throughput  {rates}")
    memory = speed.memory_mb
    console.print(f"memory  {memory['peak_rss']} MB at most, {memory['added']} MB added by measuring")


def cell(metric: Metric) -> str:
    """Show a value in percent, an undefined one as a dash, an uncertain one with its bound."""
    if math.isnan(metric.value):
        return "-"
    bound = f" ±{100 * metric.bound:.2g}" if metric.bound >= 5e-5 else ""
    return f"{100 * metric.value:.1f}{bound}"


def _rich(key: str, one: DatasetTable, dataset: str, resolution: str, how: str = "") -> RichTable:
    from zsad.cli.terminal import heading, table
    from zsad.suites.reference import baseline, best_strict, subset_note

    where = resolution if resolution != "model" else "model resolution"
    title = heading(key, f"in %, at {where}{', ' if how else ''}{how}")
    shown = table("class", "images", *HEADS.values(), title=title, padding=(0, 1, 0, 0))
    shown.columns[0].no_wrap = True
    for name, found in one.classes.items():
        shown.add_row(terminal(name, 60), str(found.n_images), *(cell(found.metrics[m]) for m in HEADS))
    shown.add_section()
    mean = one.mean
    total = sum(found.n_images for found in one.classes.values())
    shown.add_row("mean", str(total), *(cell(mean[m]) for m in HEADS), style="bold")
    stated = {} if how else baseline(dataset)  # published figures are zero-shot, one image at a time
    if stated:
        shown.add_row("AnomalyCLIP", "", *(f"{100 * stated[m]:.1f}" if m in stated else "" for m in HEADS), style="dim")
        shown.add_row(
            "gap",
            subset_note(dataset, total).removesuffix(" images"),
            *(_gap(mean[m], stated.get(m)) for m in HEADS),
            style="dim",
        )
        best = {m: best_strict(dataset, m) for m in HEADS}
        shown.add_row("best published", "", *(f"{100 * b[0]:.1f}" if (b := best[m]) else "" for m in HEADS),
                      style="dim")  # fmt: skip
    return shown


def _gap(metric: Metric, stated: float | None) -> str:
    return "" if stated is None or math.isnan(metric.value) else f"{100 * (metric.value - stated):+.1f}"


def _print_notes(show: Callable[..., None], one: DatasetTable) -> None:
    """Say once per reason why a metric is undefined."""
    reasons: dict[str, list[str]] = {}
    for name, metric in one.mean.items():
        if metric.reason:
            reasons.setdefault(metric.reason, []).append(HEADS[name])
    for reason, heads in reasons.items():
        show(f"  {', '.join(heads)}: {printable(reason)}", style="dim")
