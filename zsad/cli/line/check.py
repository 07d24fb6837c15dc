"""``zsad line check``: whether a station can run, before it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.terminal import say


def check(line: Annotated[Path, typer.Argument(metavar="LINE.YAML", help="The configuration of the station.")]) -> None:
    """Look whether a station can run: its file, source, model, thresholds, sinks and database.

    Exit code: 0 it can run, with a line for each thing that a person should know; 1 it can't; 2 its file is wrong.

    [bold]Examples[/bold]

      [cyan]zsad line check line.yaml[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.line.checking import check_line
    from zsad.line.settings import read_line

    found = check_line(read_line(line))
    for warning in found.warnings:
        say(f"warning: {warning}")
    screen = Terminal(soft_wrap=True)
    for name, what in found.facts.items():
        screen.print(f"{name:<11} {what}")
