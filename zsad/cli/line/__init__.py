"""``zsad line``: one file per command; ``COMMANDS`` lists them, in the order of the help."""

from __future__ import annotations

from collections.abc import Callable

HELP = """A station on a line: parts in, verdicts recorded exactly once and sent on; page, API and alarms.

[bold]Examples[/bold]

  [cyan]zsad line init[/cyan]                     writes line.yaml, with comments
  [cyan]zsad line check line.yaml[/cyan]          whether it can run, and what is missing
  [cyan]zsad line run line.yaml[/cyan]            until it is stopped
  [cyan]zsad line run line.yaml --once[/cyan]     what is there, then ends
"""

COMMANDS: dict[str, str] = {"init": "init:init", "check": "check:check", "run": "run:run"}
"""Name of a command -> ``module:function`` below ``zsad.cli.line``; imported when the command line starts."""


def functions() -> dict[str, Callable[..., None]]:
    """Return every command of the group."""
    from importlib import import_module

    found = {}
    for name, place in COMMANDS.items():
        module, function = place.split(":")
        found[name] = getattr(import_module(f"zsad.cli.line.{module}"), function)
    return found
