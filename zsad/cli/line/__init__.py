"""``zsad line``: one file per command; ``COMMANDS`` lists them, in the order of the help."""

from __future__ import annotations

HELP = """A station on a line: parts in, verdicts recorded exactly once and sent on; page, API and alarms.

[bold]Examples[/bold]

  [cyan]zsad line init[/cyan]                     writes line.yaml, with comments
  [cyan]zsad line check line.yaml[/cyan]          whether it can run, and what is missing
  [cyan]zsad line run line.yaml[/cyan]            until it is stopped
  [cyan]zsad line run line.yaml --once[/cyan]     what is there, then ends
"""

COMMANDS: dict[str, str] = {"init": "init:init", "check": "check:check", "run": "run:run"}
"""Name of a command -> ``module:function`` below ``zsad.cli.line``; imported when the command line starts."""
