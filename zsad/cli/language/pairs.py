"""``zsad language pairs``: labels and captions in, questions and answers to train a language model with out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli.options import option


def language_pairs(
    form: Annotated[str, typer.Argument(help="vadllama, holmes or hawk.", metavar="FORM")],
    dataset: Annotated[
        str, typer.Argument(help="As of `zsad video data`, such as csv:FILE.", metavar="NAME[@VERSION]")
    ],
    out: Annotated[Path, option("JSON lines to write.", "Output", "--out", metavar="pairs.jsonl")],
    labels: Annotated[Path | None, option("Folder of labels of a published set.", metavar="DIR")] = None,
    captions: Annotated[
        Path | None, option("JSON lines with video and description, analysis, qa.", metavar="FILE")
    ] = None,
    fps: Annotated[float, typer.Option(min=0, help="Frames per second, where the labels don't say.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice among questions of one meaning.")] = 8,
) -> None:
    """Write questions and answers about labelled videos, for the trainer of a language model; nothing is asked here.

    [bold]Examples[/bold]

      [cyan]zsad language pairs vadllama csv:mine.csv --fps 25 --out pairs.jsonl[/cyan]
      [cyan]zsad language pairs holmes csv:mine.csv --captions captions.jsonl --fps 25 --out pairs.jsonl[/cyan]
    """
    import json

    from zsad.cli.terminal import Terminal
    from zsad.errors import UsageError
    from zsad.files import write_whole
    from zsad.language.pairs import FORMS, pairs, read_captions
    from zsad.near import near
    from zsad.outputs import begins, check_output
    from zsad.outside import printable, shown
    from zsad.video.labels import load_labels

    if form not in FORMS:
        raise UsageError(f"FORM {shown(form)}: there is none{near(form, FORMS)}; known: {', '.join(FORMS)}")
    check_output(out, begins(b'{"form": "'), "choose another --out", [captions] if captions else [])
    rows = list(
        pairs(form, load_labels(dataset, labels, set()), read_captions(captions) if captions else {}, seed, fps)
    )
    write_whole(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    videos = len({row["video"] for row in rows})
    Terminal(soft_wrap=True).print(f"Wrote {printable(out)}: {len(rows)} lines of {videos} videos")
