"""``zsad video explain``: a video and its scores in; answers with checked claims out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.cli.options import option
from zsad.cli.video import asking, shared_options

if TYPE_CHECKING:
    from zsad.language.explain.video import Explained

_SHOWN, _OUT = "What is shown and asked", "Output"
Video = Annotated[Path, typer.Argument(metavar="VIDEO", help="Video, or folder of numbered frames.")]
Out = Annotated[Path | None, option("Folder: DIR/NAME/ gets the results; beside the scores by default.", _OUT)]
Frames = Annotated[
    int, typer.Option("--frames", min=1, max=64, help="Frames that are shown, more of them where scores are high.",
                      rich_help_panel=_SHOWN)
]  # fmt: skip
Threshold = Annotated[
    float | None,
    option("Score from which an event begins; that of events.json beside the scores, or one to begin with.", _SHOWN),
]


def explain(
    video: Video,
    scores: Annotated[Path, option("scores.json of `zsad video score`.", _SHOWN)],
    out: Out = None,
    tasks: Annotated[
        str | None,
        option(
            "Questions, with commas between: judgement, description, analysis, what, why, how, when, which, motion; "
            "all by default.",
            _SHOWN,
            metavar="NAMES",
        ),
    ] = None,
    frames: Frames = 12,
    threshold: Threshold = None,
    model: Annotated[
        str | None, option("Detector that gives the places of events, where the scores know none.", _SHOWN)
    ] = None,
    hint: Annotated[
        bool,
        typer.Option(
            "--hint", help="Tell the model what the detector found; its claims then repeat it.", rich_help_panel=_SHOWN
        ),
    ] = False,
    folder_fps: shared_options.FolderFps = 0.0,
    endpoint: asking.Endpoint = None,
    llm: asking.Llm = None,
    anomaly: asking.Anomaly = None,
    dry_run: asking.DryRun = False,
    budget: asking.BudgetText = None,
    record: asking.Record = None,
    replay: asking.Replay = None,
    cache: asking.CacheFile = None,
    timeout: asking.Timeout = None,
    concurrency: asking.Concurrency = None,
    max_images: asking.MaxImages = None,
) -> None:
    """Let a language model explain a video, and check every claim against scores and events.

    Writes DIR/NAME/explanation.json and explanation.html. A second run asks nothing, and changes nothing.

    Exit code: 0 done, 1 the video, the endpoint or an answer failed, 2 wrong usage, 4 the budget ended before; what was
    paid for is kept.

    [bold]Examples[/bold]

      [cyan]zsad video explain yard.mp4 --scores out/yard/scores.json --endpoint http://localhost:8000/v1[/cyan]
      [cyan]zsad video explain yard.mp4 --scores out/yard/scores.json --tasks what,when --dry-run[/cyan]
    """
    from zsad.cli import options
    from zsad.language.explain import document
    from zsad.language.explain.choice import choose
    from zsad.language.explain.judged import read_judged
    from zsad.language.explain.tasks import chosen_tasks, steps_of
    from zsad.language.explain.video import explain_video
    from zsad.language.footage import Footage

    chosen = chosen_tasks(tasks)
    folder = folder_of(video, out, scores, dry_run)
    if folder is not None:
        document.check_places(folder, document.EXPLANATION)
    asked = asking.Asking(endpoint, llm, anomaly, budget, record, replay, dry_run, cache, timeout, concurrency,
                          max_images)  # fmt: skip
    with asking.opened(asked, "zsad video explain") as gateway:
        footage = Footage(video, gateway.cache, folder_fps)
        judged = read_judged(scores, footage, threshold)
        if folder is None or dry_run:
            shown = len(choose(judged.series.n_frames, judged.series, frames).frames)
            hours = footage.facts.n_frames / footage.facts.fps / 3600
            asking.tell_steps(steps_of(chosen, shown, gateway.max_images), gateway.concurrency, 1, hours)
            return
        detector = None if model is None else options.load(model)
        done = explain_video(gateway, footage, judged, chosen, count=frames, anomaly=anomaly or "", hint=hint,
                             detector=detector)  # fmt: skip
    finish(done, folder, document.EXPLANATION, video, judged.series)


def folder_of(source: Path, out: Path | None, scores: Path | None, dry: bool) -> Path | None:
    """Return where results go: DIR/NAME, or the folder of the scores if that is the video's; None for a dry run.

    Raises:
        UsageError: there is none.
    """
    from zsad.errors import UsageError
    from zsad.video.source import video_name

    name = video_name(source)
    if out is not None:
        return out / name
    if scores is not None and scores.resolve().parent.name == name:
        return scores.parent
    if dry:
        return None
    raise UsageError("--out is missing: the folder that results go into")


def finish(done: Explained, folder: Path, kind: str, source: Path, series: object = None) -> None:
    """Write document and page, print the answers and what of their claims holds, and leave with the exit code.

    Raises:
        InputError: no answer could be used.
        OutputError: something can't be written.
    """
    from zsad.cli.terminal import Terminal
    from zsad.errors import InputError
    from zsad.language.explain import document
    from zsad.language.explain.answers import unusable
    from zsad.language.explain.page import write_explanation_page
    from zsad.outside import printable
    from zsad.terminal import say
    from zsad.video.series import ScoreSeries

    data = document.write_document(folder / f"{kind}.json", done.data)
    scored = series if isinstance(series, ScoreSeries) else None
    write_explanation_page(folder / f"{kind}.html", data, done.pictures, scored)
    show(done)
    Terminal().print(f"Wrote {printable(folder / kind)}.json and .html")
    if why := unusable(done.answers):
        raise InputError(f"{printable(source)}: {why}")
    if missing := sum(answer.missing for answer in done.answers):
        calls = done.data["calls"]
        say(f"budget reached: {calls['sent']} calls and {calls['tokens']} tokens spent, {missing} questions are "
            "missing; what was paid for is kept, a larger --budget goes on")  # fmt: skip
        raise typer.Exit(asking.SPENT)
    if lost := [answer for answer in done.answers if answer.failed]:
        say(f"{printable(source)}: {len(lost)} of {len(done.answers)} questions were not answered: {lost[0].remedy}")
        raise typer.Exit(1)


def show(done: Explained) -> None:
    """Print answers, with the verdicts on what they claim."""
    from rich.text import Text

    from zsad.cli.terminal import Terminal
    from zsad.language.explain.marked import in_words
    from zsad.outside import terminal

    console = Terminal()
    colours = {"aligned": "green", "contradicted": "red", "unsupported": "yellow"}
    for answer in done.answers:
        console.print(Text(terminal(answer.question.title, 300), "bold"))
        if answer.value is None:
            console.print(Text(f"  not used: {terminal(answer.remedy or answer.reason, 200)}", "yellow"))
        else:
            console.print(Text(f"  {terminal(' '.join(answer.text.split()), 1000)}"))
        for row in answer.alignment.to_dict()["claims"]:
            said = Text(f"  {row['verdict']}", colours[row["verdict"]])
            console.print(said.append(f": {in_words(row)} ({terminal(row['evidence'], 160)})", ""))
    total = done.data["summary"]
    console.print(f"claims {total['claims']}, aligned {total['aligned']}, contradicted {total['contradicted']}, "
                  f"unsupported {total['unsupported']}; answers not readable: {done.data['unparsed']}")  # fmt: skip
    calls = done.data["calls"]
    console.print(f"calls: {calls['sent']} sent, {calls['cached']} kept from before, {calls['tokens']} tokens")
