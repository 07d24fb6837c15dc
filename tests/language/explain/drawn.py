"""What the commands are tried on: a drawn video with its scores, and a server that answers every question."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import typer.main

from tests.language.clips import write_frames
from zsad.cli import app
from zsad.video.series import ScoreSeries, write_series

LEVELS = [40] * 20 + [220] * 12 + [60] * 16
"""12 seconds; what is bright, from 5 to 8 s, is anomalous."""
FPS = 4
COMMAND = typer.main.get_command(app)
ANSWERS = {
    "Begin with yes or no": "Yes, a fire.",
    "Describe in two to four sentences what happens": "A light from 5 to 8 seconds. It is seen at 1 s.",
    "Weigh whether": "It is unusual. The severity is high: severe incident.",
    "What is the unusual event?": "A fire burns in the upper left corner.",
    "Why does": "Somebody may have lit it at 1 s.",
    "How does": "It lasts for 3 seconds.",
    "When does": "[5, 8]",
    "Which of these": "[9]",
    "what moves": "Nothing unusual moves.",
}
RULES = [{"name": text, "when": {"text_contains": [text]}, "reply": {"text": said}} for text, said in ANSWERS.items()]
TALK = [
    {"when": {"text_contains": ["And then?"]}, "reply": {"text": "It ends at 8 s."}},
    {"when": {"text_contains": ["What is unusual?"]}, "reply": {"text": "Yes, there exists fire from 5s to 8s."}},
]


def scored(values=(0.1, 0.9, 0.1), n_frames=48):
    places = list(range(0, n_frames, 16))
    return ScoreSeries(list(values), places, [place / FPS for place in places], n_frames, float(FPS), "ask")


def make_yard(root: Path) -> Path:
    """Draw ``yard`` and put ``out/yard/scores.json`` beside it."""
    (root / "out" / "yard").mkdir(parents=True)
    write_series(root / "out" / "yard" / "scores.json", scored())
    return write_frames(root / "yard", LEVELS)


def run(*words, code=0):
    """Run a command; return its output as one line. The command line is built once, since that takes its time."""
    out, ended = StringIO(), 0
    with redirect_stdout(out), redirect_stderr(out), patch.dict("os.environ", COLUMNS="200"):
        try:
            COMMAND.main([str(word) for word in words], prog_name="zsad")
        except SystemExit as end:
            ended = end.code or 0
    said = out.getvalue()
    assert ended == code, said
    assert "Traceback" not in said and "unexpected" not in said, said
    return " ".join(said.split())


def explain(yard, *more, code=0):
    scores = yard.parent / "out" / "yard" / "scores.json"
    few = () if "--frames" in more else ("--frames", 4)
    return run("video", "explain", yard, "--folder-fps", FPS, "--scores", scores, *few, *more, code=code)


def document(yard, name="explanation"):
    return json.loads((yard.parent / "out" / "yard" / f"{name}.json").read_text("utf-8"))
