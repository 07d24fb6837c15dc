"""``zsad video learn-questions``: labelled videos in, guiding questions out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zsad.cli.options import option
from zsad.cli.video import asking


def learn_questions(
    train: Annotated[Path, typer.Argument(help="CSV with video,label (0 or 1), to learn from.", metavar="TRAIN.csv")],
    val: Annotated[Path, typer.Argument(help="CSV of the same form, to choose by.", metavar="VAL.csv")],
    out: Annotated[Path, option("File of questions to write (YAML).", "Output", metavar="questions.yaml")],
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
    questions: Annotated[Path | None, option("First questions (YAML); ours by default.", "Learning")] = None,
    epochs: Annotated[int, typer.Option(min=1, max=1000, rich_help_panel="Learning")] = 5,
    batch_size: Annotated[
        int, typer.Option(min=1, max=8, help="Videos that are looked at together.", rich_help_panel="Learning")
    ] = 2,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps from one validation to the next.", rich_help_panel="Learning")
    ] = 10,
    most: Annotated[int, typer.Option(min=1, max=20, help="Questions, at most.", rich_help_panel="Learning")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of videos.", rich_help_panel="Learning")] = 8,
    folder_fps: Annotated[float, typer.Option(help="Frames per second of folders of pictures.")] = 0.0,
) -> None:
    """Learn the guiding questions of --method vera: a learner answers them, an optimiser rewrites them, the best stay.

    Exit code: 0 done, 1 a video or the endpoint failed, 2 wrong usage, 4 budget reached; what was paid for is kept, and
    a second run goes on.

    [bold]Examples[/bold]

      [cyan]zsad video learn-questions train.csv val.csv --out questions.yaml --endpoint http://localhost:8000/v1[/cyan]
      [cyan]zsad video learn-questions train.csv val.csv --out questions.yaml --dry-run[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.errors import BudgetError
    from zsad.language.guiding import HEAD, read_labelled, read_questions, write_questions
    from zsad.language.guiding import learn_questions as learn
    from zsad.language.learning import Settings, calls_of
    from zsad.language.scorers import Setting
    from zsad.outputs import begins, check_output
    from zsad.outside import printable
    from zsad.terminal import say

    check_output(out, begins(HEAD), "choose another --out")
    rows, chosen_by = read_labelled(train), read_labelled(val)
    start = () if questions is None else read_questions(questions)
    settings = Settings(epochs, batch_size, validate_every, most, seed)
    console, history = Terminal(), list[dict[str, Any]]()
    options = asking.Asking(endpoint, llm, anomaly, budget, record, replay, dry_run, cache, timeout, concurrency,
                             max_images)  # fmt: skip

    def report(event: dict[str, Any]) -> None:
        if event["call"] == "validation":
            history.append({"step": event["step"], "accuracy": event["accuracy"], "kept": event["kept_as_best"]})
            kept = ", kept as best" if event["kept_as_best"] else ""
            console.print(f"step {event['step']}: accuracy {event['accuracy']:.3f}{kept}")

    with asking.opened(options, "zsad video learn-questions") as gateway:
        if dry_run:
            learner, optimiser = calls_of(len(rows), len(chosen_by), settings)
            tokens = learner * 1130 + optimiser * (500 + 680 * batch_size)
            console.print(f"calls: {learner + optimiser} at most ({learner} learner, {optimiser} optimiser), "
                          f"{asking.REASKED}; what is kept from earlier runs is not sent again")  # fmt: skip
            console.print(f"tokens: {tokens}, estimated")
            console.print(f"hours: {(learner / gateway.concurrency + optimiser) / 3600:.3f} at one second a call")
            return
        try:
            best = learn(gateway, rows, chosen_by, settings, start=start, report=report,
                         setting=Setting(anomaly or "", folder_fps=folder_fps))  # fmt: skip
        except BudgetError as error:
            say(error)
            raise typer.Exit(asking.SPENT) from None
        finally:
            asking.tell_counts(gateway.counts)
        write_questions(out, best, gateway.model, history)
    console.print(f"accuracy {best.accuracy:.3f} at step {best.step}", style="bold")
    for question in best.questions:
        console.print(f"  {question}")
    console.print(f"Wrote {printable(out)}")
