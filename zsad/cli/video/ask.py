"""``zsad video ask``: questions about a video, to a model that is told what the detector saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli.options import option
from zsad.cli.video import asking, shared_options
from zsad.cli.video import explain as shared


def ask(
    video: shared.Video,
    questions: Annotated[list[str], typer.Argument(metavar="QUESTION", help="One or more; each follows the last.")],
    scores: Annotated[
        Path | None, option("scores.json of `zsad video score`; the model is told the spans that are high.", "Talk")
    ] = None,
    follow: Annotated[
        Path | None, option("conversation.json of an earlier run: go on with it.", "Talk", metavar="FILE")
    ] = None,
    out: Annotated[
        Path | None,
        option(
            "Folder: DIR/NAME/ gets the conversation; beside the scores, or in the file of --follow, by default.",
            "Output",
        ),
    ] = None,
    frames: Annotated[
        int | None,
        option(
            "Frames that are shown, more of them where scores are high; 12 by default.",
            "What is shown and asked",
            min=1,
            max=64,
        ),
    ] = None,
    threshold: shared.Threshold = None,
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
    """Ask a language model about a video; it sees frames, is told what the scores say, and its claims are checked.

    Writes DIR/NAME/conversation.json and conversation.html. A second run asks nothing, and changes nothing; with
    --follow too, which passes over questions that the end of the conversation has already.

    Exit code: 0 done, 1 the video, the endpoint or an answer failed, 2 wrong usage, 4 the budget ended before; what was
    paid for is kept.

    [bold]Examples[/bold]

      [cyan]zsad video ask yard.mp4 "What is unusual?" --scores out/yard/scores.json --endpoint http://localhost:8000/v1[/cyan]
      [cyan]zsad video ask yard.mp4 "Who was there?" --follow out/yard/conversation.json --endpoint http://localhost:8000/v1[/cyan]
      [cyan]zsad video ask yard.mp4 "What happens?" "And then?" --out out/ --dry-run[/cyan]
    """
    from zsad.errors import UsageError
    from zsad.language.explain import document
    from zsad.language.explain.chat import answered_before, begin, go_on, steps_of
    from zsad.language.explain.choice import COUNT
    from zsad.language.explain.judged import read_judged
    from zsad.language.explain.kept import read_talk
    from zsad.language.explain.shots import read_shots
    from zsad.language.footage import Footage
    from zsad.outside import printable
    from zsad.terminal import say

    if any(not question.strip() for question in questions):
        raise UsageError("a question is empty; ask something")
    if follow is not None and (scores is not None or threshold is not None or anomaly or frames is not None):
        raise UsageError("--follow goes on with the scores, frames and words of its conversation; leave --scores, "
                         "--threshold, --frames and --anomaly out")  # fmt: skip
    folder = follow.parent if follow and not out else shared.folder_of(video, out, scores, dry_run)
    if folder is not None:
        document.check_places(folder, document.CONVERSATION)
    asked = asking.Asking(endpoint, llm, anomaly, budget, record, replay, dry_run, cache, timeout, concurrency,
                          max_images)  # fmt: skip
    with asking.opened(asked, "zsad video ask") as gateway:
        footage = Footage(video, gateway.cache, folder_fps)
        judged = None if scores is None else read_judged(scores, footage, threshold)
        talk = None if follow is None else read_talk(follow, footage)
        before = answered_before([] if talk is None else [str(turn["title"]) for turn in talk.turns], questions)
        left = questions[before:]
        if folder is None or dry_run:
            hours = footage.facts.n_frames / footage.facts.fps / 3600
            asking.tell_steps(steps_of(len(left), talk, frames or COUNT), gateway.concurrency, 1, hours)
            return
        if talk is None:
            talk, shots = begin(footage, judged, count=frames or COUNT, anomaly=anomaly or "")
        else:
            shots, _ = read_shots(footage, talk.frames)
        for question in questions[:before]:
            say(f"answered before, and not asked again: {printable(question)}")
        done = go_on(gateway, footage, talk, shots, left)
    shared.finish(done, folder, document.CONVERSATION, video, judged.series if judged else None)
