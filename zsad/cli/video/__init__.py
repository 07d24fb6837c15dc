"""``zsad video``: one file per command; ``COMMANDS`` lists them, in the order of the help."""

from __future__ import annotations

HELP = """Videos: frame scores, events and a page out of a raw file; training, and evaluation against labels.

[bold]Examples[/bold]

  [cyan]zsad video score clip.mp4 --out out/[/cyan]               scores, events, and out/index.html
  [cyan]zsad video calibrate --normals day.mp4 --out t.json[/cyan]   a threshold of normal footage
  [cyan]zsad video extract clips/ --out features/[/cyan]         features for weakly supervised models
  [cyan]zsad video explain clip.mp4 --scores out/clip/scores.json --endpoint URL[/cyan]   in words, each claim checked
  [cyan]zsad video watch 0 --threshold 2.5[/cyan]               a camera, its events as they happen
  [cyan]zsad video data csv:mine.csv[/cyan]                       a test set, and what is reached without looking
  [cyan]zsad video eval csv:mine.csv --scores scores/[/cyan]      scores against labels
  [cyan]zsad video bench vane VQA_Data/ --dry-run[/cyan]          a published benchmark: what it will need
"""

COMMANDS: dict[str, str] = {
    "score": "score:score",
    "explain": "explain:explain",
    "ask": "ask:ask",
    "calibrate": "calibrate:calibrate",
    "extract": "extract:extract",
    "eval": "eval:eval",
    "data": "data:data",
    "train": "train:train",
    "import": "weak:import_model",
    "export": "weak:export_model",
    "watch": "watch:watch",
    "learn-questions": "learn_questions:learn_questions",
    "bench": "bench:bench",
}  # fmt: skip
"""Name of a command -> ``module:function`` below ``zsad.cli.video``; imported when the command line starts."""
