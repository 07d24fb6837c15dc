"""What is compared with a set of fixtures, one function for each part of the method; see ``parity.py``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Files = dict[str, Array]


@dataclass(frozen=True)
class Check:
    """One compared quantity.

    Attributes:
        where: the set or the shared file.
        quantity: what was compared.
        error: largest error, in the unit of the tolerance; infinite if it could not be computed.
        tolerance: largest error that passes.
        note: why it could not be computed, or ``""``.
    """

    where: str
    quantity: str
    error: float
    tolerance: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the error is a number within the tolerance."""
        return bool(self.error <= self.tolerance)


@dataclass(frozen=True)
class Skip:
    """A file that a folder lacks, so that nothing of it was compared."""

    where: str
    file: str


@dataclass(frozen=True)
class Fixture:
    """One model set of a folder: everything is named and sized by its configuration."""

    folder: Path
    name: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """The numbers of ``X_config.json``."""
        data: dict[str, Any] = json.loads(self.path("config.json").read_text(encoding="utf-8"))
        return data

    def path(self, file: str) -> Path:
        """Return the path of this set's ``file``."""
        return self.folder / f"{self.name}_{file}"

    def arrays(self, file: str) -> Files:
        """Read one of this set's ``.npz`` files; nothing is unpickled."""
        return read_arrays(self.path(file))

    @property
    def layers(self) -> tuple[int, ...]:
        """1-based feature layers."""
        return tuple(int(layer) for layer in self.config["feats"])

    @property
    def vv_blocks(self) -> int:
        """Number of value-value blocks: the reference's ``DPAM_layer`` replaces one fewer."""
        return max(0, min(int(self.config["dpam"]) - 1, int(self.config["vl"])))


def read_arrays(path: Path) -> Files:
    """Read an ``.npz`` file; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def largest(have: Any, want: Any, scale: float = 1.0) -> float:
    """Return the largest absolute difference over ``scale``; infinite for other shapes or NaN."""
    have, want = np.asarray(have, dtype=np.float64), np.asarray(want, dtype=np.float64)
    if have.shape != want.shape:
        raise ValueError(f"shape {have.shape}, wanted {want.shape}")
    if have.size == 0:
        return 0.0
    error = float(np.abs(have - want).max())
    return error / scale if np.isfinite(error) else float("inf")


def relative(have: Any, want: Any) -> float:
    """Return the largest relative difference; below 0.1 it is taken of 0.1, since float32 ends there."""
    want = np.asarray(want, dtype=np.float64)
    return largest(np.asarray(have) / np.maximum(np.abs(want), 0.1), want / np.maximum(np.abs(want), 0.1))


def magnitude(values: Any) -> float:
    """Return the largest absolute value, at least 1, for tolerances on quantities of any size."""
    return max(1.0, float(np.abs(np.asarray(values)).max()))


Part = Callable[[], Iterator[Check]]


def guarded(where: str, part: str, run: Part) -> Iterator[Check]:
    """Yield a part's checks; what stops it becomes a failed check, not a traceback."""
    try:
        yield from run()
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        yield Check(where, part, float("inf"), 0.0, f"{type(error).__name__}: {line}")


def shared_checks(folder: Path) -> Iterator[Check | Skip]:
    """Compare the files that do not belong to a model set."""
    parts: Mapping[str, Callable[[Path], Iterator[Check]]] = {
        "preprocess.npz": preprocess,
        "tokenizer.json": tokenizer,
        "ops.npz": operations,
        "metrics.npz": metrics,
    }
    for file, part in parts.items():
        path = folder / file
        if path.is_file():
            yield from guarded(file, "all", lambda part=part, path=path: part(path))  # type: ignore[misc]
        else:
            yield Skip("shared", file)


def preprocess(path: Path) -> Iterator[Check]:
    """Compare resize and normalise with the reference transform, and the masks' with its mask transform."""
    from PIL import Image

    from zsad.card import ModelCard
    from zsad.data.examples import network_mask
    from zsad.images.preprocess import decode, network_input

    data = read_arrays(path)
    for case in sorted({name.split(".")[0] for name in data}):
        size = int(data[f"{case}.size"])
        card = ModelCard.of(image_size=size, patch_size=1)
        pixels = data[f"{case}.input"]
        image = decode(Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
        yield Check(
            "preprocess", f"{case} image", largest(network_input(image.image, card), data[f"{case}.output"]), 1e-6
        )
        if f"{case}.mask_bin" in data:
            mask = network_mask(data[f"{case}.mask_input"] > 0, size)
            yield Check("preprocess", f"{case} mask", largest(mask, data[f"{case}.mask_bin"][0]), 0.0)


def tokenizer(path: Path) -> Iterator[Check]:
    """Compare token ids and the position of the end, exactly."""
    import open_clip

    from zsad.backbone.text_tower import token_ids

    entries = json.loads(path.read_text(encoding="utf-8"))
    wrong_ids = wrong_ends = 0
    for entry in entries:
        ids = token_ids(open_clip.SimpleTokenizer(), [entry["text"]], 77)[0]
        want = np.zeros(77, dtype=np.int64)
        want[: len(entry["ids"])] = entry["ids"]
        wrong_ids += int((ids.numpy() != want).any())
        wrong_ends += int(ids.argmax()) != entry["eot_argmax"]
    yield Check("tokenizer", f"texts of {len(entries)} with other ids", wrong_ids, 0.0)
    yield Check("tokenizer", f"texts of {len(entries)} with another end", wrong_ends, 0.0)


def operations(path: Path) -> Iterator[Check]:
    """Compare single operations: smoothing, up-sampling, similarity, position tables, losses with gradients."""
    data = read_arrays(path)
    yield from _smoothing(data)
    yield from _similarity(data)
    if "loss.prob" in data:
        yield from _losses(data)


def _smoothing(data: Files) -> Iterator[Check]:
    """Compare the Gaussian and the resize of position tables."""
    import torch

    from zsad.backbone.tower import Reading, resize_positions
    from zsad.scoring.smoothing import smoothing_matrix

    for name in sorted({n.split(".")[0] for n in data}):
        if name.startswith("gauss"):
            image = data[f"{name}.in"].astype(np.float64)
            rows, columns = (smoothing_matrix(side, side, 4.0) for side in image.shape)
            yield Check("ops", name, largest(rows @ image @ columns.T, data[f"{name}.out"]), 1e-5)
        if name.startswith("posinterp"):
            table, want = data[f"{name}.in"][0], data[f"{name}.out"][0]  # (W, G, G)
            flat = torch.from_numpy(table).flatten(1).T  # (G², W)
            reading = Reading(image_size=want.shape[-1], vv_blocks=0, layers=(1,))
            resized = resize_positions(flat, want.shape[-1], 0, reading).T.reshape(want.shape)
            yield Check("ops", name, largest(resized, want), 1e-5)


def _similarity(data: Files) -> Iterator[Check]:
    """Compare the softmax of cosines and its up-sampling."""
    import torch

    from zsad.scoring.direction_head import anomaly_probability
    from zsad.scoring.smoothing import smoothing_matrix

    if "simmap.in" in data:
        prob, want = data["simmap.in"], data["simmap.out"]  # (B, N, 2), (B, S, S, 2)
        side = round(prob.shape[1] ** 0.5)
        matrix = smoothing_matrix(want.shape[1], side, 0.0)
        maps = np.einsum("sg,bghc,th->bstc", matrix, prob.reshape(len(prob), side, side, 2), matrix)
        yield Check("ops", "similarity map", largest(maps, want), 1e-5)
    if "compsim.out" in data:
        text = torch.from_numpy(data["compsim.txt"])
        direction = ((text[1] - text[0]) / 0.07)[None]  # (1, D)
        have = anomaly_probability(torch.from_numpy(data["compsim.img"])[:, None], direction)[:, 0]
        yield Check("ops", "similarity", largest(have, data["compsim.out"][..., 1]), 1e-5)


def _losses(data: Files) -> Iterator[Check]:
    """Compare the pixel losses and their gradients.

    Training knows one map, since normal is one minus anomalous: its gradient is the reference's of the anomalous
    channel less that of the normal one. On a grid of the masks' side up-sampling changes nothing.
    """
    import torch

    from zsad.training.objective import Objective

    anomalous = torch.from_numpy(data["loss.prob"][:, 1]).requires_grad_()  # (B, S, S)
    mask = torch.from_numpy(data["loss.gt"]) > 0.5
    side = mask.shape[-1]
    losses = Objective(side, side, dtype=anomalous.dtype).pixel(anomalous[None], mask)
    for name, term in (("focal", "focal"), ("dice1", "dice_anomalous"), ("dice0", "dice_normal")):
        loss = losses[term].mean()
        yield Check("ops", f"loss {name} (relative)", relative(loss.detach(), data[f"loss.{name}"]), 1e-5)
        (gradient,) = torch.autograd.grad(loss, anomalous, retain_graph=True)
        want = data[f"loss.{name}_grad"][:, 1] - data[f"loss.{name}_grad"][:, 0]
        error = largest(gradient, want, float(np.abs(want).max()))
        yield Check("ops", f"loss {name} gradient (of largest)", error, 5e-5)


def metrics(path: Path) -> Iterator[Check]:
    """Compare the metrics with the reference's, the 200-step AUPRO included."""
    from zsad.metrics import aupro_200step, average_precision, image_auroc, pixel_auroc

    data = read_arrays(path)
    for case in sorted({name.split(".")[0] for name in data}):
        masks, maps = data[f"{case}.masks"], data[f"{case}.maps"]
        labels, scores = data[f"{case}.image_labels"], data[f"{case}.image_scores"]
        values = {
            "pixel_auroc": pixel_auroc(masks, maps),
            "pixel_aupro": aupro_200step(masks, maps),
            "image_auroc": image_auroc(labels, scores),
            "image_ap": average_precision(labels, scores),
        }
        for name, metric in values.items():
            yield Check("metrics", f"{case} {name}", largest(metric.value, data[f"{case}.{name}"]), 1e-9)
