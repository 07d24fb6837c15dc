"""Pretrain the dual encoder: ``python -m factory.pretrain --config factory/configs/v1.yaml --out DIR``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from factory import checkpoint as ckpt
from factory.command import status_of
from factory.config import RunConfig
from factory.grow import grown
from factory.released import checkpoint_of
from factory.scenes import Batch, Batches
from factory.trainer import Trainer
from zsad.config import from_yaml, to_mapping
from zsad.errors import ConfigError, OutputError, UsageError
from zsad.synthetic import GENERATOR_VERSION

LOG = "log.jsonl"


def start(
    config: RunConfig, out: Path, device: torch.device, resume: bool, origin: Path | None, compiled: bool = False
) -> tuple[Trainer, list[Any]]:
    """Make a trainer: new, resumed from ``out``, or begun from another run's checkpoint.

    Returns:
        ``(trainer, history)``.

    Raises:
        ConfigError: the checkpoint's config differs from this one.
        ModelError: an absent or damaged checkpoint.
        UsageError: ``out`` already holds a run.
    """
    history: list[Any] = []
    trainer = Trainer(config, device, compiled)
    if resume:
        saved = ckpt.load(ckpt.latest(out))
        _same(saved.config, to_mapping(config), str(out))
    elif ckpt.latest(out).exists():
        raise UsageError(f"{out}: already holds a run; use --resume to go on, or another --out")
    elif origin is not None:
        saved = checkpoint_of(origin, config.model) if origin.is_dir() else ckpt.load(origin)
        saved = grown(saved, config.model)
        _same(saved.config["model"], to_mapping(config.model), f"{origin}: model")
    if resume or origin is not None:
        trainer.restore(saved, str(out if resume else origin))
        history = list(saved.history)
    else:
        trainer.centre()
    hardware = f"{torch.get_num_threads()} threads, {platform.machine()}" if device.type == "cpu" else device.type
    entry = {"step": trainer.step, "seed": config.train.seed, "world": GENERATOR_VERSION, "hardware": hardware}
    entry["torch"] = str(torch.__version__)
    history.append(entry)
    return trainer, history


def _same(saved: dict[str, Any], given: dict[str, Any], where: str) -> None:
    for key in sorted(saved.keys() | given.keys()):
        old, new = saved.get(key), given.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            _same(old, new, f"{where}: {key}")
        elif old != new:
            raise ConfigError(f"{where}: {key} was {old!r} in the checkpoint, the config says {new!r}; make them equal")


def run(trainer: Trainer, history: list[Any], out: Path, cache: Path | None, workers: int) -> None:
    """Train to the last step, logging and saving.

    Raises:
        OutputError: the log, the cache or a checkpoint can't be written; what was saved before remains.
    """
    config, train = trainer.config, trainer.config.train
    batches = Batches(config, trainer.words, trainer.model.text.tokenize, cache)
    steps = range(trainer.step, train.steps)
    ahead = 4 if workers else None
    loader = DataLoader(batches, batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=ahead)
    clock, begun = time.monotonic(), trainer.step
    with _log(out / LOG, trainer.step) as log:
        for batch in _moved(loader, trainer.device):
            values = trainer.train_step(batch)
            step = trainer.step
            if step % train.log_every == 0 or step == train.steps:
                line = {"step": step, **{k: round(float(v), 6) for k, v in values.items()}}
                _write(log, out / LOG, line)
                rate = (step - begun) * config.data.batch / (time.monotonic() - clock)
                _say(f"{step}/{train.steps} {rate:.0f} images/s " + " ".join(f"{k} {v:.4g}" for k, v in line.items()))
            at_trunk = step == train.steps - train.decay
            if step % train.save_every == 0 or step == train.steps or at_trunk:
                ckpt.save(out / ckpt.LAST, trainer.checkpoint(history))
                if at_trunk:
                    shutil.copyfile(out / ckpt.LAST, out / ckpt.TRUNK)


def _moved(loader: DataLoader[Batch], device: torch.device) -> Iterator[Batch]:
    for batch in loader:
        yield batch if device.type == "cpu" else Batch(**{k: v.to(device) for k, v in vars(batch).items()})


def _log(path: Path, step: int) -> Any:
    """Open the log for appending, without lines of steps that will be done again."""
    try:
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
            path.write_text("".join(kept), encoding="utf-8")
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: can't be written ({error.strerror}); free space or choose another --out") from None


def _write(log: Any, path: Path, line: dict[str, Any]) -> None:
    try:
        log.write(json.dumps(line) + "\n")
        log.flush()
    except OSError as error:
        raise OutputError(f"{path}: can't be written ({error.strerror}); free space, then use --resume") from None


def has_compiler() -> bool:
    """Return whether there is a C++ compiler for torch.compile."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, train, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m factory.pretrain", description="Pretrain the bundled model.")
    parser.add_argument("--config", type=Path, required=True, help="YAML file of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoints and log")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    parser.add_argument(
        "--from",
        dest="origin",
        type=Path,
        help="begin from this checkpoint, or from a released model's folder (zsad/assets/tiny), with another config; "
        "of the model only image_size and vv_blocks may differ, and depth may be larger",
    )
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes; changes nothing but the time")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes that draw scenes; where they share cores with the threads, OMP_WAIT_POLICY=PASSIVE in the "
        "environment lets them have what waiting threads would use up",
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--compile", action="store_true", help="fuse the vision tower: faster, other rounding")
    options = parser.parse_args(arguments)

    def work() -> None:
        torch.set_num_threads(options.threads)
        config = from_yaml(RunConfig, options.config)
        options.out.mkdir(parents=True, exist_ok=True)
        device = torch.device(options.device)
        if options.compile and device.type == "cpu" and not has_compiler():
            raise UsageError("--compile needs a C++ compiler (g++, clang++ or $CXX); install one or leave it out")
        trainer, history = start(config, options.out, device, options.resume, options.origin, options.compile)
        _say(f"{config.name}: world {GENERATOR_VERSION}, from step {trainer.step} to {config.train.steps}")
        run(trainer, history, options.out, options.cache, options.workers)

    return status_of(work)


if __name__ == "__main__":
    sys.exit(main())
