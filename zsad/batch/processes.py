"""The local engine: processes of this machine, each with a detector of its own.

A worker that dies (killed, out of memory, a decoder that crashes) is replaced, and what it had is tried again in
halves, so that the one input that kills it is a row with that error, and the others have theirs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from zsad.batch.job import Chunk, Done, Job
from zsad.errors import OutputError, ZsadError, first_line
from zsad.outside import printable

_READY = "ready"
_LEAVE = 5.0
_KILLED = "the process that looked at it was killed, alone with it: out of memory, or a decoder that crashed"


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    chunk: Chunk | None = None
    ready: bool = False


def by_processes(job: Job, chunks: Sequence[Chunk], workers: int) -> Generator[Done, None, None]:
    """Do all chunks in so many processes, and yield each when it is done, in any order.

    Raises:
        ZsadError: what a worker raised, or a worker can't start.
    """
    left = deque(chunks)
    staff: list[_Worker] = []
    try:
        while left or any(one.chunk for one in staff):
            while len(staff) < min(workers, len(left) + sum(one.chunk is not None for one in staff)):
                staff.append(_hired(job))
            for pipe in wait([one.pipe for one in staff]):
                one = next(each for each in staff if each.pipe is pipe)
                try:
                    said = one.pipe.recv()
                except (EOFError, OSError):
                    staff.remove(one)
                    left.extendleft(_again(one))
                    continue
                if isinstance(said, Exception):
                    raise said
                one.ready, one.chunk = True, None
                if isinstance(said, Done):
                    yield said
                if left:
                    one.chunk = left.popleft()
                    with suppress(OSError):  # it has died, which the pipe says next
                        one.pipe.send(one.chunk)
    finally:
        for one in staff:
            one.pipe.close()
            if one.chunk is not None:
                one.process.kill()
        for one in staff:
            one.process.join(_LEAVE)


def _hired(job: Job) -> _Worker:
    context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks, and sessions
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, job), name="zsad-batch", daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _again(dead: _Worker) -> list[Chunk]:
    """Return what a dead worker had, in halves; what has killed one by itself is given up.

    Raises:
        OutputError: it died before it could begin.
    """
    dead.process.join(_LEAVE)
    if not dead.ready:
        raise OutputError(f"a worker ended while it started (exit code {dead.process.exitcode}); try --workers 1")
    if dead.chunk is None:
        return []
    inputs = dead.chunk.inputs
    if len(inputs) == 1:
        return [replace(dead.chunk, fatal=f"{printable(inputs[0].id)}: {_KILLED}")]
    middle = len(inputs) // 2
    return [Chunk(inputs[middle:]), Chunk(inputs[:middle])]


def _work(pipe: Connection, job: Job) -> None:
    """Do chunks until nobody sends any; the end of the command is the end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's, which ends its workers
    with suppress(EOFError, OSError):
        try:
            job.enter()
            pipe.send(_READY)
            while True:
                pipe.send(job.do(pipe.recv()))
        except ZsadError as error:
            pipe.send(error)
        except MemoryError:
            os._exit(1)  # as if it had been killed: it is tried again, in halves
        except (EOFError, OSError):
            raise
        except Exception as error:
            pipe.send(OutputError(f"unexpected {type(error).__name__} in a worker: {printable(first_line(error))}"))
