"""The Ray engine: chunks are a Ray dataset, and each actor has a detector with a session of its own."""

from __future__ import annotations

import hashlib
import importlib
import os
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zsad.batch.job import Chunk, Done, Job
from zsad.detector.providers import default_threads
from zsad.errors import MissingExtraError, OutputError, UsageError, ZsadError, first_line
from zsad.files import PART, output_errors
from zsad.outside import printable

_PATIENCE = 10.0
_TRIES = 3
"""How often a chunk is begun before it is given up: Ray starts an actor that died again, and its task, for ever."""


def ray_data() -> tuple[Any, Any]:
    """Return the modules ``ray`` and ``ray.data``.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    try:
        return importlib.import_module("ray"), importlib.import_module("ray.data")
    except ImportError:
        raise MissingExtraError("--engine ray", "batch") from None


@contextmanager
def connected(workers: int | None, address: str | None, gpu: bool = False) -> Generator[int, None, None]:
    """Be in a Ray cluster inside the block: the one at an address, or one of this machine; gives the actors to use.

    Args:
        workers: actors; None for as many as there are processors (or GPUs).
        address: of a cluster, ``"auto"`` for the one of this machine's environment; None starts one here.
        gpu: whether each actor takes a GPU.

    Raises:
        UsageError: no cluster there.
        MissingExtraError: Ray is not installed.
    """
    ray, _ = ray_data()
    here = workers or default_threads()
    _check_reachable(address)
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:  # one processor more than actors, so that reading has a slot
            ray.init(num_cpus=here + 1, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # ConnectionError, RuntimeError, TimeoutError: no common base
        raise _no_cluster(address, error) from None
    try:
        if address is not None and workers is None:
            offered = ray.cluster_resources()
            here = int(offered.get("GPU", 0)) if gpu else int(offered.get("CPU", 2)) - 1
        yield max(1, here)
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Refuse an address where nobody listens: Ray would try for minutes.

    Raises:
        UsageError: it is none.
    """
    host, colon, port = (address or "").rpartition("://")[2].rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _no_cluster(address, error) from None


def _no_cluster(address: str | None, error: Exception) -> UsageError:
    return UsageError(
        f"no Ray cluster at {printable(address or 'this machine')} ({printable(first_line(error))}); start one "
        "with `ray start --head`, or leave --ray-address out"
    )


class _Actor:
    """One worker of the pool."""

    def __init__(self, job: Job) -> None:
        job.enter()
        self._job = job

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        try:
            said: list[Any] = [self._once(chunk) for chunk in batch["chunk"]]
        except ZsadError as error:  # Ray would try it again, and wrap it in its own words
            said = [error]
        return {"said": said}

    def _once(self, chunk: Chunk) -> Done:
        """Do a chunk, unless those who tried it before were killed."""
        name = hashlib.blake2b("\0".join(one.id for one in chunk.inputs).encode(errors="surrogatepass"), digest_size=16)
        tries = Path(self._job.out) / f".{name.hexdigest()}{PART}"  # left behind, it is swept as unfinished files are
        with output_errors(tries, "choose another --out", "run again"), tries.open("ab") as file:
            file.write(b".")
        if tries.stat().st_size > _TRIES:
            raise OutputError(
                f"{printable(chunk.inputs[0].id)} and the {len(chunk.inputs) - 1} after it: their worker was killed "
                f"{_TRIES} times; use --engine local, which names the one that does it"
            )
        done = self._job.do(chunk)
        tries.unlink(missing_ok=True)
        return done


def by_ray(job: Job, chunks: Sequence[Chunk], workers: int, *, gpu: bool = False) -> Generator[Done, None, None]:
    """Do all chunks in so many actors, and yield each when it is done; inside of :func:`connected`.

    Raises:
        ZsadError: what a worker raised.
        UsageError: Ray gave up.
    """
    ray, data = ray_data()
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    each = {"num_gpus": 1} if gpu else {"num_cpus": 1}
    pool = data.ActorPoolStrategy(size=min(workers, len(chunks)))
    rows = data.from_items([{"chunk": chunk} for chunk in chunks], override_num_blocks=len(chunks)).map_batches(
        _Actor, fn_constructor_args=(job,), batch_size=None, batch_format="numpy", compute=pool, **each
    )  # fmt: skip
    try:
        for row in rows.iter_rows():
            if isinstance(row["said"], Exception):
                raise row["said"]
            yield row["said"]
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"the Ray engine gave up ({printable(first_line(error))}); run again, it goes on from here, or use "
            "--engine local, which names the input that ends a worker"
        ) from None
