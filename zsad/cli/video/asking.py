"""Options of commands that ask a language model, and the gateway that is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.cli.options import option

if TYPE_CHECKING:
    from zsad.language.gateway import Budget, Counts, Gateway
    from zsad.video.scorer import VideoScorer

PANEL = "Language model"
SPENT = 4
"""Exit code where the budget ended before the work."""
REASKED = "and one more for each answer that can't be read"
"""What a plan says of calls that nobody can know before."""

Endpoint = Annotated[
    str | None, option("Address of a server that speaks OpenAI's protocol, such as http://localhost:8000/v1.", PANEL)
]
Llm = Annotated[str | None, option("Name of the model there; the only one by default.", PANEL, "--llm")]
Anomaly = Annotated[str | None, option("What is anomalous here, in words.", PANEL, metavar="TEXT")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print calls, tokens and hours; send nothing.", rich_help_panel=PANEL)
]
BudgetText = Annotated[
    str | None,
    option("What may be sent, such as calls=500,tokens=200000.", PANEL, "--budget", metavar="calls=N,tokens=N"),
]
Record = Annotated[Path | None, option("Write the answers that were used to this calls.jsonl.", PANEL)]
Replay = Annotated[
    Path | None,
    option("Answer from this calls.jsonl; alone it needs no endpoint, with --endpoint the rest is asked for.", PANEL),
]

CacheFile = Annotated[
    Path | None,
    option("SQLite file that answers are kept in; one for all commands by default.", PANEL, "--cache", metavar="FILE"),
]
Timeout = Annotated[float | None, option("Seconds to wait for one answer; 120 by default.", PANEL, min=0.1, max=3600)]
Concurrency = Annotated[int | None, option("Questions under way at once; 8 by default.", PANEL, min=1, max=256)]
MaxImages = Annotated[
    int | None,
    option("Pictures of one message, of which more go onto contact sheets; 16 by default.", PANEL, min=1, max=1000),
]
Schema = Annotated[
    bool,
    typer.Option(
        "--schema",
        help="Send a JSON schema with questions for a score, to a server that has them; such answers are kept apart.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class Asking:
    """What a command line says of its language model.

    Attributes:
        endpoint: ``--endpoint``.
        llm: ``--llm``.
        anomaly: ``--anomaly``.
        budget: ``--budget``.
        record: ``--record``.
        replay: ``--replay``.
        dry: ``--dry-run``.
        cache: ``--cache``.
        timeout: ``--timeout``.
        concurrency: ``--concurrency``.
        max_images: ``--max-images``.
        schema: ``--schema``.
    """

    endpoint: str | None = None
    llm: str | None = None
    anomaly: str | None = None
    budget: str | None = None
    record: Path | None = None
    replay: Path | None = None
    dry: bool = False
    cache: Path | None = None
    timeout: float | None = None
    concurrency: int | None = None
    max_images: int | None = None
    schema: bool = False

    def given(self) -> list[str]:
        """Return the options that were given."""
        named = {"dry": "dry-run", "max_images": "max-images"}
        return [f"--{named.get(name, name)}" for name, value in vars(self).items() if value]


@contextmanager
def opened(asking: Asking, what: str) -> Iterator[Gateway]:
    """Make the gateway that a command line asks for; what was used is recorded at the end, whatever the end.

    A record that is there already keeps what it has: new answers are added.

    Args:
        asking: the options.
        what: needs it, for the message, such as ``"--method lavad"``.

    Raises:
        UsageError: neither endpoint nor record, nothing new to record, or a budget that is none.
        InputError: a record can't be read, or has answers of other models alone.
        OutputError: the cache or the record can't be written.
        EndpointError: nobody is there who says which model a record must be of.
    """
    from zsad.errors import UsageError
    from zsad.language.record import LINE, import_calls, read_calls, write_calls
    from zsad.outputs import begins, check_output

    if asking.replay is not None and asking.endpoint is None and asking.record is not None:
        raise UsageError("--replay alone gives no new answers: leave --record out, or give --endpoint URL as well")
    if asking.endpoint is None and asking.replay is None and not asking.dry:
        raise UsageError(f"{what} asks a language model: give --endpoint URL, or --replay calls.jsonl")
    if asking.record is not None:
        check_output(asking.record, begins(LINE), "choose another --record")
    kept = read_calls(asking.record) if asking.record is not None and asking.record.is_file() else []
    gateway = _gateway(asking)
    try:
        if asking.replay is not None and asking.endpoint is not None and not asking.dry:
            import_calls(asking.replay, gateway.cache, gateway.model)
        yield gateway
    finally:
        if asking.record is not None and gateway.used:
            write_calls(asking.record, [*kept, *gateway.used.values()])
        gateway.cache.close()


def _gateway(asking: Asking) -> Gateway:
    from zsad.language.cache import Cache, default_cache
    from zsad.language.endpoint import TIMEOUT
    from zsad.language.endpoint import Endpoint as Server
    from zsad.language.forms import FORMS
    from zsad.language.gateway import CONCURRENCY, MAX_IMAGES, Gateway, replaying

    model, budget = asking.llm or "", budget_of(asking.budget)
    images, forms = asking.max_images or MAX_IMAGES, FORMS if asking.schema else None
    if asking.replay is not None and asking.endpoint is None:
        return replaying(str(asking.replay), model, images, forms)
    server = None
    if asking.endpoint is not None and not asking.dry:
        server = Server(asking.endpoint, model, asking.timeout or TIMEOUT)
    return Gateway(
        server, Cache(asking.cache or default_cache()), model=model, budget=budget,
        concurrency=asking.concurrency or CONCURRENCY, max_images=images, forms=forms,
    )  # fmt: skip


def budget_of(text: str | None) -> Budget:
    """Read ``calls=N,tokens=N``; either may be left out.

    Raises:
        UsageError: it is none.

    >>> budget_of("calls=500")
    Budget(calls=500, tokens=None)
    """
    from zsad.errors import UsageError
    from zsad.language.gateway import Budget
    from zsad.outside import printable

    found: dict[str, int] = {}
    for entry in (text or "").split(",") if text is not None else ():
        name, _, value = entry.strip().partition("=")
        if name not in ("calls", "tokens") or not value.isascii() or not value.isdigit() or len(value) > 12:
            raise UsageError(f"--budget {printable(text):.60}: give calls=N, tokens=N, or both with a comma between")
        found[name] = int(value)
    return Budget(**found)


def tell_plan(videos: list[tuple[str, Path]], scorer: VideoScorer) -> None:
    """Print what videos will need: calls by step, tokens and hours; nothing is sent.

    Args:
        videos: name and place of each.
        scorer: a method that asks a language model.
    """
    from zsad.language.scorers import LanguageScorer

    assert isinstance(scorer, LanguageScorer)
    planned = [scorer.plan(path) for _, path in videos]
    steps: dict[str, int] = {}
    for one in planned:
        for name, count in one.steps.items():
            steps[name] = steps.get(name, 0) + count
    hours, concurrency = sum(one.hours for one in planned), scorer.gateway.concurrency
    _tell(steps, sum(one.tokens for one in planned), concurrency, len(planned), hours)


def tell_steps(steps: Mapping[str, tuple[int, int]], concurrency: int, videos: int = 0, hours: float = 0.0) -> None:
    """Print the same of steps.

    Args:
        steps: step -> calls, and tokens of each.
        concurrency: calls at once.
        videos: that are asked about; 0 for images.
        hours: of them.
    """
    tokens = sum(calls * each for calls, each in steps.values())
    _tell({name: calls for name, (calls, _) in steps.items()}, tokens, concurrency, videos, hours)


def _tell(steps: Mapping[str, int], tokens: int, concurrency: int, videos: int, hours: float) -> None:
    from zsad.cli.terminal import Terminal, table

    calls = sum(steps.values())
    shown = table("step", "calls, at most")
    for name, count in steps.items():
        shown.add_row(name, f"{count:,}")
    console = Terminal()
    console.print(shown)
    needed = calls / concurrency / 3600
    if videos:
        console.print(f"videos: {videos}, {hours:.3f} hours")
    console.print(f"calls: {calls} at most, {REASKED}; what is kept from earlier runs is not sent again")
    console.print(f"tokens: {tokens}, estimated")
    console.print(f"hours: {needed:.3f} at one second a call, {concurrency} at once")
    if hours:
        rates = f"{calls / hours:.0f} calls, {tokens / hours:.0f} tokens, {needed / hours:.2f} hours"
        console.print(f"per hour of video: {rates}")


def tell_counts(counts: Counts) -> None:
    """Print what was sent, by step, and why answers could not be used."""
    from zsad.cli.terminal import Terminal, table
    from zsad.outside import terminal

    names = ("cached", "sent", "failed", "reasked", "unparsed", "tokens")
    shown = table("step", *names)
    for step, found in counts.steps.items():
        shown.add_row(step, *(f"{found[name]:,}" for name in names))
    console = Terminal(stderr=True)
    if counts.steps:
        console.print(shown)
    for reason, count in counts.reasons.most_common(5):
        console.print(f"not used: {count} answers ({terminal(reason, 120)})", style="yellow")
