"""A batch: what is listed and not done yet goes through an engine into the output folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from zsad.batch.folder import OutFolder
from zsad.batch.input import Input
from zsad.batch.job import Done, Job, chunks_of
from zsad.batch.on_ray import by_ray, connected
from zsad.batch.processes import by_processes
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.providers import default_threads
from zsad.errors import UsageError
from zsad.stream.interrupts import termination_as_interrupt
from zsad.stream.run import run_id

EngineName: TypeAlias = Literal["local", "ray"]


@dataclass(frozen=True)
class Plan:
    """How a batch is done.

    Attributes:
        engine: processes of this machine, or Ray.
        workers: processes or actors; None for one for each processor (or GPU) that there is.
        address: of a Ray cluster; None starts one on this machine.
        gpu: whether each actor takes a GPU of the cluster.
        retry: whether inputs that failed earlier are tried again.
    """

    engine: EngineName = "local"
    workers: int | None = None
    address: str | None = None
    gpu: bool = False
    retry: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes:
        total: inputs.
        earlier: rows that were there already.
        scored: rows of this run, failed ones included.
        failed: inputs without a result, of both.
        anomalous: inputs of this run with that verdict.
        seconds: since the first chunk was handed out.
        workers: processes or actors.
    """

    total: int
    earlier: int = 0
    scored: int = 0
    failed: int = 0
    anomalous: int = 0
    seconds: float = 0.0
    workers: int = 0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at the rate so far; None while nobody knows."""
        left = self.total - self.earlier - self.scored
        return left * self.seconds / self.scored if self.scored and self.seconds else None


OnProgress = Callable[[Progress], None]


def run(
    detector: OnnxDetector,
    inputs: Sequence[Input],
    out: Path,
    plan: Plan | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Progress:
    """Score what is not done yet; each input has one row in the end, whatever is interrupted in between.

    Args:
        detector: with one thread, loaded from a file.
        inputs: see :func:`zsad.batch.inputs.listed`.
        out: folder for the Parquet files.
        plan: engine and workers.
        settings: whatever else tells this run from another.
        on_progress: called after each chunk.

    Raises:
        OutputError: rows can't be written.
        UsageError: the folder has rows of other settings, or no workers.
        ModelError: the model failed.
        MissingExtraError: pyarrow or Ray is not installed.
    """
    plan = plan or Plan()
    if plan.workers is not None and plan.workers < 1:
        raise UsageError(f"--workers must be at least 1, got {plan.workers}")
    if plan.engine == "local" and plan.address is not None:
        raise UsageError("--ray-address is for --engine ray; leave it out, or use that")
    facts = facts_of(detector, settings or {})
    folder, stamps = OutFolder(out, facts), {one.id: one for one in inputs}

    def holds(name: str, stamp: str, failed: bool) -> bool:
        one = stamps.get(name)
        return one is None or (stamp == one.stamp() and not (failed and plan.retry))

    with termination_as_interrupt(), folder.held():
        kept = folder.kept(holds)
        rest = [one for one in inputs if one.id not in kept.stamps]
        progress = Progress(len(inputs), len(inputs) - len(rest), failed=len(kept.failed & stamps.keys()))
        if not rest:
            return progress
        job = Job(detector, str(out.resolve()), str(Path.cwd()), facts)
        with _engine(plan, job, rest) as (workers, dones):
            start = time.monotonic()
            for done in dones:
                folder.add(done)
                progress = replace(
                    progress, scored=progress.scored + done.count, failed=progress.failed + done.failed,
                    anomalous=progress.anomalous + done.anomalous, seconds=time.monotonic() - start, workers=workers,
                )  # fmt: skip
                on_progress(progress)
    return progress


@contextmanager
def _engine(plan: Plan, job: Job, rest: Sequence[Input]) -> Iterator[tuple[int, Generator[Done, None, None]]]:
    if plan.engine == "ray":
        with connected(plan.workers, plan.address, plan.gpu) as workers:
            yield workers, by_ray(job, chunks_of(rest, workers), workers, gpu=plan.gpu)
        return
    workers = plan.workers or default_threads()
    dones = by_processes(job, chunks_of(rest, workers), workers)
    try:
        yield workers, dones
    finally:
        dones.close()


def facts_of(detector: OnnxDetector, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the files say of a run: its fingerprint, the model and the thresholds."""
    thresholds = asdict(detector.thresholds)
    roi = detector.thresholds.roi
    return {
        "run": run_id(detector, {**settings, "file": detector.fingerprint}),
        "model": detector.card.provenance.name,
        "model_sha256": detector.fingerprint,
        "thresholds": thresholds | {"roi": "" if roi is None else roi.key},
    }
