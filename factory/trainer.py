"""One pretraining run: weights, their average, the optimisers, and what a step does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from factory import checkpoint as ckpt
from factory import losses, optimiser
from factory.config import RunConfig, TrainConfig
from factory.model import DualEncoder, PlainAttention
from factory.probe import PROBE, Probe
from factory.scenes import Batch, Batches
from factory.texts import Words
from zsad.config import to_mapping
from zsad.errors import ModelError


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
        self.words = Words.of_world(held_out=False)
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
