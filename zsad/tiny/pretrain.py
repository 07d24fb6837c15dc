"""Pretrain the dual encoder: ``python -m zsad.tiny.pretrain --config zsad/tiny/configs/v1.yaml --out DIR``."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from zsad.config import from_yaml, to_mapping
from zsad.data.synthetic import GENERATOR_VERSION
from zsad.errors import ConfigError, ModelError, OutputError, UsageError
from zsad.tiny import checkpoint as ckpt
from zsad.tiny import losses, optimiser
from zsad.tiny.command import status_of
from zsad.tiny.config import RunConfig, TrainConfig
from zsad.tiny.model import DualEncoder, PlainAttention
from zsad.tiny.probe import PROBE, Probe
from zsad.tiny.released import checkpoint_of
from zsad.tiny.resize import with_image_size
from zsad.tiny.scenes import Batch, Batches
from zsad.tiny.texts import Words

LOG = "log.jsonl"


class Trainer:
    """Weights, their average, the optimiser and the step count of one run.

    Args:
        config: the run.
        device: where it computes.
        compiled: let torch.compile fuse the vision tower; the same up to rounding, and nearly twice as fast.
    """

    def __init__(self, config: RunConfig, device: torch.device, compiled: bool = False) -> None:
        torch.manual_seed(config.train.seed)
        self.config, self.device, self.step = config, device, 0
        self.model = DualEncoder(config.model).to(device)
        # One compilation for each size of images.
        self.features = torch.compile(self.model.features, dynamic=False) if compiled else self.model.features
        self.words = Words.of_world()
        self.probe = Probe(config.model.embed_dim, len(self.words.defects), len(self.words.materials)).to(device)
        self.named: dict[str, Tensor] = dict(self.model.named_parameters())
        if config.loss.probe:
            self.named |= {PROBE + name: value for name, value in self.probe.named_parameters()}
        self.weights = list(self.named.values())
        self.average = [value.detach().clone() for value in self.weights]
        self.seen = torch.zeros(self.model.clip.token_embedding.num_embeddings, dtype=torch.bool, device=device)
        self.optimisers = optimiser.optimisers(self.named, config.train)

    def centre(self) -> None:
        """Centre the features of fresh weights on the first batch."""
        batch = Batches(self.config, self.words, self.model.text.tokenize)[0]
        self.model.centre(batch.pixels.to(self.device), torch.cat([batch.captions, batch.pairs]).to(self.device))
        for average, weight in zip(self.average, self.weights, strict=True):
            average.copy_(weight.detach())

    def train_step(self, batch: Batch) -> dict[str, float | Tensor]:
        """Do one step; return the loss terms, the norm of the gradient and the rate."""
        train, rate = self.config.train, learning_rate(self.step, self.config.train)
        loss, terms = self.loss(batch)
        for each in self.optimisers:
            each.zero_grad(set_to_none=True)
            for group in each.param_groups:
                group["lr"] = rate
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.weights, train.clip)
        with optimiser.Float32Muon() if train.precision == "float32" else nullcontext():
            for each in self.optimisers:
                each.step()
        with torch.no_grad():
            self.model.clip.logit_scale.clamp_(0.0, math.log(100.0))
            self.model.log_scale.clamp_(0.0, math.log(100.0))
            decay = min(train.average, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(self.average, self.weights, 1 - decay)
            for ids in (batch.captions, batch.pairs, batch.words):
                self.seen[ids.flatten()] = True
        self.step += 1
        scalars: dict[str, float | Tensor] = {"norm": norm, "rate": rate, "tau": self.model.temperature.detach()}
        return {"loss": loss.detach(), **{k: v.detach() for k, v in terms.items()}, **scalars}

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch and its unweighted terms."""
        low = self.config.train.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16) if low else nullcontext(), PlainAttention():
            raw_cls, raw_patches = (v.float() for v in self.features(batch.pixels))  # (B, D), (B, N, D)
            sentences = self.model.encode_ids(torch.cat([batch.captions, batch.pairs]))  # (3 B, D)
            words = self.model.encode_ids(batch.words)  # (Vd + Vm, D); apart, since they are short
        captions, normal, anomalous = sentences.chunk(3)  # (B, D) each
        defects, materials = torch.split(words, [batch.defects.shape[1], batch.materials.shape[1]])
        pairs = torch.stack([normal, anomalous], dim=1)  # (B, 2, D)
        cls, patches = F.normalize(raw_cls, dim=-1), F.normalize(raw_patches, dim=-1)
        features = losses.Features(cls, patches, captions, pairs, defects, materials)
        mask = batch.mask.float() / 255  # (B, S, S)
        targets = losses.Targets(mask, batch.label, batch.same, batch.defects, batch.materials)
        scale = self.model.clip.logit_scale.exp()
        config = self.config.loss
        loss, terms = losses.total(features, targets, scale, self.model.temperature, self.model.offset, config)
        if config.probe:
            terms["probe"] = self.probe.loss(raw_cls, raw_patches, targets, config.gain, config.positive)
            loss = loss + config.probe * terms["probe"]
        return loss, terms

    def checkpoint(self, history: Sequence[dict[str, Any]]) -> ckpt.Checkpoint:
        """Return all that is needed to go on from here."""
        tensors: dict[str, Tensor] = {"seen": self.seen}
        for (name, weight), average in zip(self.named.items(), self.average, strict=True):
            tensors |= {f"weights/{name}": weight, f"average/{name}": average}
        tensors |= optimiser.state(self.optimisers, self.named)
        return ckpt.Checkpoint(self.step, to_mapping(self.config), tensors, tuple(history))

    def restore(self, saved: ckpt.Checkpoint, where: str) -> None:
        """Take over weights, average, optimiser state and step; ``where`` names their place in errors.

        Raises:
            ModelError: a weight other than a probe's is absent or of another shape.
        """
        weights, averages = saved.group("weights"), saved.group("average")
        for name, value in self.named.items():
            if name in weights and weights[name].shape != value.shape:
                found, wanted = tuple(weights[name].shape), tuple(value.shape)
                raise ModelError(f"{where}: {name} is {found}, not {wanted}; release it again")
            if name not in weights and not name.startswith(PROBE):
                raise ModelError(f"{where}: {name} is absent; release it again")
        with torch.no_grad():
            for (name, weight), average in zip(self.named.items(), self.average, strict=True):
                if name in weights:  # probes are absent where the run before had none
                    weight.copy_(weights[name])
                    average.copy_(averages[name])
            self.seen.copy_(saved.tensors["seen"])
        optimiser.restore(self.optimisers, self.named, saved.tensors, saved.step)
        self.step = saved.step


def learning_rate(step: int, train: TrainConfig) -> float:
    """Warm up linearly, stay, and fall to zero by a cosine over the last ``decay`` steps.

    >>> [round(learning_rate(s, TrainConfig(steps=10, warmup=2, decay=4, rate=1.0)), 2) for s in (0, 1, 5, 8, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.15]
    """
    rising = min(1.0, (step + 1) / max(1, train.warmup))
    left = (train.steps - step) / max(1, train.decay)
    falling = 0.5 * (1 - math.cos(math.pi * left)) if left < 1 else 1.0
    return train.rate * rising * falling


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
        saved = with_image_size(saved, config.model)
        _same(saved.config["model"], to_mapping(config.model), f"{origin}: model")
    if resume or origin is not None:
        trainer.restore(saved, str(out if resume else origin))
        history = list(saved.history)
    else:
        trainer.centre()
    hardware = f"{torch.get_num_threads()} threads, {platform.machine()}" if device.type == "cpu" else device.type
    entry = {"step": trainer.step, "world": GENERATOR_VERSION, "hardware": hardware, "torch": str(torch.__version__)}
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
    parser = argparse.ArgumentParser(prog="python -m zsad.tiny.pretrain", description="Pretrain the bundled model.")
    parser.add_argument("--config", type=Path, required=True, help="YAML file of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoints and log")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    parser.add_argument(
        "--from",
        dest="origin",
        type=Path,
        help="begin from this checkpoint, or from a released model's folder (zsad/assets/tiny), with another config; "
        "of the model only image_size may differ",
    )
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes; changes nothing but the time")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
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
