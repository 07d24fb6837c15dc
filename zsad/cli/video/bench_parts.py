"""Parts of ``zsad video bench``: what the options mean together, both gateways, what is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsad.cli.video import asking

if TYPE_CHECKING:
    from zsad.language.bench import Findings, Options
    from zsad.language.gateway import Gateway

_LINES = 20


@dataclass
class Judge:
    """The way to a judge: the model's own, or another that spends of the same budget.

    Attributes:
        endpoint: ``--judge-endpoint``.
        llm: ``--judge-llm``.
        gateway: the model's.
        asked: the options of the model.
        made: the way, once it was asked for.
    """

    endpoint: str | None
    llm: str | None
    gateway: Gateway | None = None
    asked: asking.Asking | None = None
    made: Gateway | None = None

    def given(self) -> str:
        """Return the first option that was given, or ``""``."""
        return "--judge-endpoint" if self.endpoint else "--judge-llm" if self.llm else ""

    def __call__(self) -> Gateway:
        """Return the way to the judge.

        Raises:
            UsageError: an address that is none.
        """
        if self.made is None:
            assert self.gateway is not None
            self.made = self._other(self.gateway) if self.given() else self.gateway
        return self.made

    def _other(self, gateway: Gateway) -> Gateway:
        from zsad.language.endpoint import TIMEOUT, Endpoint
        from zsad.language.gateway import Gateway as Way

        asked = self.asked or asking.Asking()
        where = None if asked.endpoint is None else self.endpoint or asked.endpoint  # else all is replayed
        server = None if where is None else Endpoint(where, self.llm or "", asked.timeout or TIMEOUT)
        return Way(
            server, gateway.cache, model=self.llm or "", purse=gateway.purse, concurrency=gateway.concurrency,
            max_images=gateway.max_images, forms=gateway.forms,
        )  # fmt: skip


def options_of(
    name: str, judge: bool | None, sampling: str | None, model: str | None, judged_by: Judge, rest: dict[str, Any]
) -> Options:
    """Return what a command line asks for.

    Raises:
        UsageError: no such benchmark, or an option that does nothing there.
    """
    from zsad.errors import UsageError
    from zsad.language.bench import BENCHMARKS, BY_VIDEO, Options
    from zsad.language.bench.frames import SAMPLINGS
    from zsad.outside import printable

    if name not in BENCHMARKS:
        raise UsageError(f"{printable(name):.40}: no such benchmark; known: {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    if judge is not None and benchmark.judged is None:
        raise UsageError(f"{name} has no judge; leave --judge out")
    judged = bool(benchmark.judged if judge is None else judge)
    if (given := judged_by.given()) and not judged:
        raise UsageError(
            f"{given}: no judge is asked here; leave it out{'' if benchmark.judged is None else ', or add --judge'}"
        )
    if sampling is not None and sampling not in SAMPLINGS:
        raise UsageError(f"--sampling is one of {', '.join(SAMPLINGS)}, not {printable(sampling):.40}")
    if sampling is not None and (name not in BY_VIDEO or (sampling == "ranked" and name != "ecva")):
        raise UsageError(
            f"--sampling {sampling} is for {'ecva' if sampling == 'ranked' else 'cuva and ecva'}; leave it out"
        )
    if model is not None and (name != "cuva" or not judged):
        raise UsageError("--model and --text draw the importance curve for the judge of cuva; leave them out")
    if rest["motion"] and name != "hawk":
        raise UsageError("--motion is for hawk; leave it out")
    if name == "vane" and rest["videos"] is not None:
        raise UsageError("vane has its frames beside its questions; leave --videos out")
    if rest["answers"]:
        idle = {"--sampling": sampling, "--max-tokens": rest["max_tokens"], "--motion": rest["motion"] or None}
        if name != "cuva" or not judged:
            idle["--frames"] = rest["frames"]
        if unused := [option for option, value in idle.items() if value is not None]:
            raise UsageError(
                f"{unused[0]} is for asking a model, and --answers gives its answers; leave one of both out"
            )
    count = rest.pop("frames") or benchmark.frames
    return Options(benchmark, **rest, frames=count, sampling=sampling or "uniform", judged=judged)


def check(options: Options, asked: asking.Asking, judged_by: Judge) -> asking.Asking:
    """Return the options of the one gateway that opens first: the judge's where answers are read.

    Raises:
        UsageError: options of a model that nobody asks.
    """
    from zsad.errors import UsageError

    if options.answers and not options.judged and (given := [name for name in asked.given() if name != "--dry-run"]):
        raise UsageError(f"{given[0]}: nobody is asked, since --answers gives the answers; leave it out")
    if asked.replay is not None and asked.endpoint is None and judged_by.endpoint and not options.answers:
        raise UsageError("--replay needs no endpoint: leave --judge-endpoint out, or give --endpoint as well")
    if not options.answers:
        return asked
    return replace(asked, endpoint=judged_by.endpoint or asked.endpoint, llm=judged_by.llm or asked.llm)


@contextmanager
def gateways(options: Options, asked: asking.Asking, judged_by: Judge) -> Iterator[Gateway | None]:
    """Open the way to the model, where one is asked, and let the judge know of it.

    Raises:
        Exception: whatever :func:`zsad.cli.video.asking.opened` raises.
    """
    if options.answers and not options.judged:
        yield None
        return
    with asking.opened(asked, f"zsad video bench {options.benchmark.name}") as gateway:
        judged_by.gateway, judged_by.asked = gateway, asked
        if options.answers:
            judged_by.endpoint = judged_by.llm = None  # the one that is open is the judge's
        try:
            yield gateway
        finally:
            if judged_by.made is not None and judged_by.made is not gateway:
                gateway.used.update(judged_by.made.used)  # for the record


def tell_plan(options: Options, asked: asking.Asking) -> None:
    """Print calls, tokens and hours, and which videos are not there; nothing is sent.

    Args:
        options: of the benchmark.
        asked: of the model.

    Raises:
        DatasetError: the data can't be read.
    """
    from zsad.cli.terminal import Terminal, table
    from zsad.language.bench import chosen, prompts_of, read_data, steps
    from zsad.language.gateway import CONCURRENCY, MAX_IMAGES

    concurrency = asked.concurrency or CONCURRENCY
    data = chosen(read_data(options), options)
    found = steps(options, data.questions, prompts_of(options.benchmark), asked.max_images or MAX_IMAGES)
    shown = table("step", "calls, at most", "tokens, estimated")
    for name, (count, tokens) in found.items():
        shown.add_row(name, f"{count:,}", f"{tokens:,}")
    calls, tokens = (sum(one[i] for one in found.values()) for i in (0, 1))
    missing = dict.fromkeys(question.video for question in data.questions if question.path is None)
    console = Terminal()
    console.print(shown)
    console.print(f"questions: {len(data.questions)} about {len({(q.group, q.video) for q in data.questions})} videos")
    console.print(f"missing: {len(missing)} videos{_named(list(missing))}")
    console.print(f"calls: {calls} at most, {asking.REASKED}; what is kept from earlier runs is not sent again")
    console.print(f"tokens: {tokens}, estimated")
    console.print(f"hours: {calls / concurrency / 3600:.3f} at one second a call, {concurrency} at once")
    for line in [*data.left_out, *data.notes]:
        console.print(f"not asked: {line}")


def _named(names: list[str]) -> str:
    from zsad.outside import terminal

    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" ({', '.join(terminal(name, 60) for name in names[:3])}{more})" if names else ""


@contextmanager
def progress() -> Iterator[Callable[[str, int], None]]:
    """Show, while a terminal watches, how many answers are there; give what is to be told of them."""
    from zsad.cli.video.screen import Screen

    screen = Screen(1)
    now: list[Any] = ["", None]

    def tell(what: str, done: int) -> None:
        if now[0] != what:
            now[:] = [what, screen.stage(what, "asked for")]
        now[1](done, None)

    with screen:
        yield tell


def show(found: Findings, out: Path | None) -> None:
    """Print the figures, and what was not measured."""
    from zsad.cli.terminal import Terminal, table
    from zsad.language.bench.output import row_cells
    from zsad.outside import printable, terminal
    from zsad.terminal import say

    shown = table("questions", "figure", "value", "of", "made of", "unparsed", left=2)
    for row in found.rows:
        cells = row_cells(row)
        shown.add_row(row.task, row.metric, *(cells[name] for name in ("value", "of", "count", "unparsed")))
    console = Terminal()
    if found.rows:
        console.print(shown)
    for line in found.notes:
        console.print(line)
    for line in found.left_out[:_LINES]:
        say(f"not measured: {terminal(line, 200)}")
    if len(found.left_out) > _LINES:
        say(f"not measured: {len(found.left_out) - _LINES} more, which results.json names")
    if out is not None:
        console.print(f"Wrote {printable(out)}/index.html, results.json and answers.jsonl")
