"""Questions to a model and what came back, many at once; asked once more where the form was not the wanted one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from zsad.language.asking import Ask, Picture
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway, Read
from zsad.language.parse import Parsed

Parser = Callable[[str], Parsed[Any]]
_TOGETHER = 128
"""Questions whose pictures are in memory at once, at most."""


@dataclass(frozen=True)
class Job:
    """One call to come.

    Attributes:
        of: what it is for.
        ask: the question.
        parser: reads the reply; None takes it as text.
        wanted: the form, for asking once more; ``""`` never asks again.
        reask: how often, at most.
        measure: what a judge is asked for.
    """

    of: Any
    ask: Ask
    parser: Parser | None = None
    wanted: str = ""
    reask: int = 1
    measure: str = ""


@dataclass(frozen=True)
class Got:
    """What came of a call.

    Attributes:
        job: the call.
        text: of the last reply.
        value: what was read, None where it can't be.
        reason: how, or why not.
        failed: it was never answered.
    """

    job: Job
    text: str
    value: Any
    reason: str
    failed: bool


def run(gateway: Gateway, jobs: Iterable[Job], on_answer: Callable[[int], None] = lambda done: None) -> Iterator[Got]:
    """Yield what came of each call, in their order.

    Raises:
        BudgetError: some were not sent any more; all that was answered is kept.
        EndpointError: the endpoint takes no question at all.
    """
    waiting, done = iter(jobs), 0
    while part := list(islice(waiting, _TOGETHER)):
        yield from _together(gateway, part, partial(_count, on_answer, done))
        done += len(part)


def _count(on_answer: Callable[[int], None], before: int, count: int) -> None:
    on_answer(before + count)


def _together(gateway: Gateway, jobs: Sequence[Job], on_answer: Callable[[int], None]) -> list[Got]:
    asks = [job.ask for job in jobs]
    reads = gateway.read_all(asks, _as_text, on_answer=on_answer)
    found = [_got(job, read) for job, read in zip(jobs, reads, strict=True)]
    for attempt in range(max((job.reask for job in jobs), default=0)):
        again = [
            i for i, got in enumerate(found)
            if got.value is None and not got.failed and got.job.wanted and attempt < got.job.reask
            and got.reason not in ("refusal", "content_filter")
        ]  # fmt: skip
        if not again:
            break
        for i in again:
            asks[i] = asks[i].again(found[i].text, jobs[i].wanted)
            gateway.counts.add(asks[i].step, "reasked")
        reads = gateway.read_all([asks[i] for i in again], _as_text)
        for i, read in zip(again, reads, strict=True):
            found[i] = _got(jobs[i], read)
    for got in found:
        if got.value is None and got.text:  # replies without a text are counted where they come in
            gateway.counts.add(got.job.ask.step, "unparsed")
            gateway.counts.reasons[got.reason] += 1
    return found


def _as_text(reply: str) -> Parsed[str]:
    return Parsed(reply, "ok")


def _got(job: Job, read: Read[str]) -> Got:
    reply = read.reply
    if reply.reason:
        return Got(job, "", None, reply.reason, reply.failed)
    if job.parser is None:
        return Got(job, reply.text, reply.text, "ok", False)
    value, reason = job.parser(reply.text)
    return Got(job, reply.text, value, "truncated" if value is None and reply.cut else reason, False)


def of_video(
    gateway: Gateway,
    footage: Footage,
    by_frames: dict[tuple[int, ...], list[Any]],
    make: Callable[[Any, list[Picture]], list[Job]],
) -> Iterator[Job]:
    """Yield the calls of one video, which is read once, and only for those whose answers are not kept.

    Args:
        gateway: the way to the model.
        footage: the video.
        by_frames: frames -> what is asked about them.
        make: makes the calls of one of these.
    """
    groups = sorted(by_frames, key=lambda frames: (frames[-1], frames))
    kept: dict[int, list[Job]] = {}

    def jobs(i: int, pictures: list[Picture]) -> list[Job]:
        return [job for one in by_frames[groups[i]] for job in make(one, pictures)]

    def known(ready: Mapping[int, list[Picture]]) -> dict[int, list[Job]]:
        for i, pictures in ready.items():
            made = jobs(i, pictures)
            if all(gateway.look([job.ask for job in made])):
                kept[i] = made
        return kept

    for i, pictures in footage.pictures(groups, known):
        yield from kept.pop(i) if i in kept else jobs(i, pictures)
