"""``zsad video data``: what a test set of videos is made of, and what is reached on it without looking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli import options


def data(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="ucf-crime@official, ucf-crime@revised, xd-violence, shanghaitech@official, shanghaitech@weak, "
            "avenue, ucsd-ped1, ucsd-ped2, ubnormal, msad, tad, or csv:FILE (columns name, start, end, label).",
        ),
    ],
    labels: Annotated[
        Path | None, options.option("Folder of labels, laid out as the published repositories are.", metavar="DIR")
    ] = None,
    compat: Annotated[
        list[str] | None, options.option("A rule of the field, repeatable: start-gt-0 (TAD), cut16.", metavar="RULE")
    ] = None,
    json: Annotated[
        str | None, options.option("File for the facts; - for standard output instead of the table.", metavar="FILE")
    ] = None,
) -> None:
    """Say what a test set of videos is made of, with baselines that look at no video.

    A method's figure means little without them: on UCF-Crime, to know which videos are abnormal and to prefer the
    middle of each gives an AUC of 86.5.

    [bold]Examples[/bold]

      [cyan]zsad video data ucf-crime@official --labels labels/[/cyan]
      [cyan]zsad video data csv:mine.csv --json -[/cyan]
    """
    from zsad.cli import figures
    from zsad.cli.video import tables
    from zsad.evaluation.provenance import versions
    from zsad.video.evaluation import facts
    from zsad.video.labels import load_labels

    figures.check_data(json)
    read = load_labels(dataset, labels, tables.rules(compat))
    found = facts(read)
    figures.write_data(json, found | {"versions": versions()})
    if json != "-":
        tables.show_facts(read, found)
