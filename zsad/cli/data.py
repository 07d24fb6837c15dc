"""``zsad data list`` and ``zsad data check``: what public datasets are made of, and whether a copy is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.cli import options

if TYPE_CHECKING:
    from zsad.cli.terminal import Terminal
    from zsad.data.catalog import Dataset
    from zsad.data.check import Check


def data_list(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Datasets to describe in full; by default all, in brief.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the datasets that the benchmark knows: classes, counts, licence, where to get them.

    [bold]Examples[/bold]

      [cyan]zsad data list[/cyan]
      [cyan]zsad data list visa ksdd[/cyan]
    """
    import json as jsonlib

    from rich import box
    from rich.table import Table

    from zsad.cli.terminal import Terminal
    from zsad.data.catalog import CATALOG
    from zsad.data.check import named

    rows = [named(name) for name in names] if names else list(CATALOG.values())
    if json:
        typer.echo(jsonlib.dumps([_facts(row) for row in rows], indent=2))
        return
    console = Terminal()
    if names:
        for row in rows:
            _describe(console, row)
        return
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("name", "classes", "normal + anomalous", "metrics", "licence"):
        table.add_column(head, justify="right" if head == "classes" else "left")
    for row in rows:
        table.add_row(
            row.name,
            str(len(row.classes)),
            _counts(row),
            " ".join(row.metrics),
            row.licence.replace(" (unverified)", " ~"),
        )
    console.print(table)
    console.print(
        "Counts are of the test set; ~ marks those not verified in the data. `zsad data list NAME` tells more."
    )


def data_check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of `zsad data list`.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The dataset's folder, as it was downloaded.")],
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode every image in full, as masks always are, not its header only.")
    ] = False,
    bits: options.Bits = 16,
    masks: options.Masks = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check a copy of a dataset: what is there, missing or different.

    Exit code: 0 whole, 1 something is wrong (each is named), 2 wrong usage. Counts that are not verified never fail.

    [bold]Examples[/bold]

      [cyan]zsad data check visa /data/VisA[/cyan]
      [cyan]zsad data check mvtec-ad /data/mvtec --decode[/cyan]
    """
    import json as jsonlib

    from zsad.cli.terminal import Terminal
    from zsad.data.check import check_dataset

    check = check_dataset(name, path, decode=decode, bits=bits, masks=masks)
    if json:
        typer.echo(jsonlib.dumps(_check_facts(check), indent=2))
    else:
        _show_check(Terminal(), check)
    if not check.complete:
        raise typer.Exit(1)


def _counts(row: Dataset) -> str:
    if row.counts is None:
        return "unknown"
    return f"{'' if row.counts.verified else '~'}{row.counts.normal} + {row.counts.anomalous}"


def _facts(row: Dataset) -> dict[str, Any]:
    counts = None
    if row.counts is not None:
        counts = {"normal": row.counts.normal, "anomalous": row.counts.anomalous, "source": row.counts.source,
                  "verified": row.counts.verified}  # fmt: skip
    return {
        "name": row.name, "title": row.title, "classes": list(row.classes), "split": row.split, "counts": counts,
        "licence": row.licence, "where": row.where, "metrics": list(row.metrics), "domain": row.domain,
        "form": row.form_note, "suite": row.suite,
    }  # fmt: skip


def _describe(console: Terminal, row: Dataset) -> None:
    from zsad.cli.terminal import heading

    counts = _counts(row)
    if row.counts is not None:
        counts += f"  ({row.counts.source}; {'verified' if row.counts.verified else 'unverified'})"
    console.print(heading(row.name, f"{row.title}, {row.domain}"))
    for head, text in (("classes", ", ".join(row.classes)), ("test set", row.split), ("counts", counts),
                       ("metrics", " and ".join(row.metrics)), ("licence", row.licence), ("from", row.where),
                       ("on disk", row.form_note)):  # fmt: skip
        console.print(f"  {head:9} {text}")


def _check_facts(check: Check) -> dict[str, Any]:
    classes = {c.name: {"normal": c.normal, "anomalous": c.anomalous, "masks": c.masks} for c in check.classes}
    return {
        "name": check.dataset.name, "complete": check.complete, "classes": classes, "problems": check.report.problems,
        "left_out": check.report.left_out, "notes": check.report.notes,
    }  # fmt: skip


def _show_check(console: Terminal, check: Check) -> None:
    from zsad.cli.terminal import heading, table
    from zsad.outside import printable

    shown = table("class", "normal", "anomalous", "masks", title=heading(check.dataset.name, check.dataset.title))
    for one in check.classes:
        shown.add_row(printable(one.name), str(one.normal), str(one.anomalous), str(one.masks))
    shown.add_section()
    totals = (sum(c.normal for c in check.classes), sum(c.anomalous for c in check.classes),
              sum(c.masks for c in check.classes))  # fmt: skip
    shown.add_row("all", *map(str, totals), style="bold")
    console.print(shown)
    for style, head, lines in (("red", "wrong", check.report.problems), ("yellow", "not read", check.report.left_out),
                               ("dim", "note", check.report.notes)):  # fmt: skip
        for line in lines:
            console.print(f"{head}: {printable(line)}", style=style, soft_wrap=True)
    if check.dataset.form_note:
        console.print(f"on disk: {check.dataset.form_note}", style="dim")
    verdict = "nothing is wrong" if check.complete else f"{len(check.report.problems)} problems"
    console.print(verdict + (", see the note" if check.complete and check.report.notes else ""), style="bold")
