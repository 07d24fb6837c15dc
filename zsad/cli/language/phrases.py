"""``zsad language phrases``: phrases of scenes and actions for OVVAD's training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli.options import option
from zsad.cli.video import asking


def language_phrases(
    classes: Annotated[list[str], typer.Argument(help="Classes of anomalies, in words.", metavar="CLASS...")],
    out: Annotated[Path, option("YAML file to write.", "Output", "--out", metavar="phrases.yaml")],
    count: Annotated[int, typer.Option(min=1, max=100, help="Phrases of each question.")] = 20,
    endpoint: asking.Endpoint = None,
    llm: asking.Llm = None,
    dry_run: asking.DryRun = False,
    budget: asking.BudgetText = None,
    record: asking.Record = None,
    replay: asking.Replay = None,
    cache: asking.CacheFile = None,
    timeout: asking.Timeout = None,
    concurrency: asking.Concurrency = None,
    max_images: asking.MaxImages = None,
) -> None:
    """Let a language model write what is seen and done on ordinary days and in incidents, for `zsad video train ovvad`.

    Exit code: 0 done, 1 no phrases or no endpoint, 2 wrong usage, 4 the budget ended before; what was paid for is kept.

    [bold]Examples[/bold]

      [cyan]zsad language phrases arson "road accident" --out phrases.yaml --endpoint http://localhost:8000/v1[/cyan]
      [cyan]zsad language phrases arson --out phrases.yaml --dry-run[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.errors import BudgetError, UsageError
    from zsad.language.phrases import HEAD, TOKENS, calls_of, save_phrases, write_phrases
    from zsad.outputs import begins, check_output
    from zsad.outside import printable
    from zsad.terminal import say

    names = [name.strip() for name in classes]
    if not all(names) or any(len(name) > 200 for name in names):
        raise UsageError("a class is empty or very long; give each as a few words")
    check_output(out, begins(HEAD), "choose another --out")
    console = Terminal(soft_wrap=True)
    asked = asking.Asking(endpoint, llm, None, budget, record, replay, dry_run, cache, timeout, concurrency, max_images)
    with asking.opened(asked, "zsad language phrases") as gateway:
        if dry_run:
            calls = calls_of(names)
            console.print(f"calls: {calls}, and as many again at most where a form is asked for again")
            console.print(f"tokens: {calls * TOKENS}, estimated")
            return
        try:
            made = write_phrases(gateway, names, count)
        except BudgetError as error:
            say(error)
            raise typer.Exit(asking.SPENT) from None
        finally:
            asking.tell_counts(gateway.counts)
        save_phrases(out, made, names, gateway.model)
    for missing in made.lacking:
        say(f"without a phrase: {printable(missing)}")
    console.print(f"Wrote {printable(out)}: {len(made.normal)} normal and {len(made.abnormal)} abnormal phrases")
