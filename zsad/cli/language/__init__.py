"""``zsad language``: one file per command; ``COMMANDS`` lists them, in the order of the help."""

from __future__ import annotations

HELP = """Language models: what an endpoint can do, phrases by one, and what to teach one with.

[bold]Examples[/bold]

  [cyan]zsad language check http://localhost:8000/v1[/cyan]     text, images, a JSON schema, sound
  [cyan]zsad language phrases arson --out phrases.yaml --dry-run[/cyan]       scenes and actions, for OVVAD's training
  [cyan]zsad language pairs hawk csv:mine.csv --out pairs.jsonl[/cyan]        questions and answers out of labels
"""

COMMANDS: dict[str, str] = {
    "check": "check:language_check",
    "phrases": "phrases:language_phrases",
    "pairs": "pairs:language_pairs",
}
"""Name of a command -> ``module:function`` below ``zsad.cli.language``; imported when the command line starts."""
