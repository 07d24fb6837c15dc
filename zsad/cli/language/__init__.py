"""``zsad language``: one file per command; ``COMMANDS`` lists them, in the order of the help."""

from __future__ import annotations

HELP = """Language models: what an endpoint can do.

[bold]Examples[/bold]

  [cyan]zsad language check http://localhost:8000/v1[/cyan]     text, images, a JSON schema, sound
"""

COMMANDS: dict[str, str] = {"check": "check:language_check"}
"""Name of a command -> ``module:function`` below ``zsad.cli.language``; imported when the command line starts."""
