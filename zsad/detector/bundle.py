"""A bundle: what good images taught, in a folder of two files, to be used with the backbone that it was made with.

``memory.safetensors`` holds float16 patches of each feature layer (``layer.0`` ...) and the direction of the
foreground; ``card.json`` says of which images, with which options, for which backbone, and has the memory's hash.
A bundle that is replaced is the earlier one until its new card is in place, and the new one from then on, wherever it
is killed: the new memory waits beside the earlier one until then, and the card's hash tells which of them it is of.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from zsad.card import ModelCard
from zsad.config import from_mapping, knob, to_mapping
from zsad.detector.base import Detector
from zsad.detector.onnx_detector import fingerprint_of
from zsad.documents import LARGE, Entries, parse_json, read_json
from zsad.errors import ConfigError, ModelError, OutputError, UsageError, first_line
from zsad.files import output_errors, write_whole
from zsad.outside import printable
from zsad.scoring import FusedScorer, Fusion, Memory, MemoryScorer, Scorer
from zsad.scoring.foreground import Foreground

D = TypeVar("D", bound=Detector)

CARD, MEMORY = "card.json", "memory.safetensors"
NEXT = "memory.next.safetensors"
"""The memory of a bundle that is being replaced; it takes the place of the earlier one after the card."""
KIND, FORMAT = "zsad bundle", 1


@dataclass(frozen=True)
class Good:
    """One image that was learned from.

    Attributes:
        name: its path as it was given.
        sha256: hash of the file; of the pixels, if it was no file.
        distance: how far it is from the others: the mean of the highest 1 % of its smoothed distances, before they are
            drawn over [0, 1]; None where it had no say in the scale.
        pixels: hash of the pixels, by which an image is known that is no file, or another one; ``""`` if unknown.
    """

    name: str
    sha256: str
    distance: float | None = knob(None, "how far it is from the others", low=0, high=1)
    pixels: str = ""


@dataclass(frozen=True)
class Base:
    """The model that a bundle works with.

    Attributes:
        name: what :func:`zsad.load` takes, or the name of its file.
        fingerprint: of its weights and of how they are read, 64 hex digits.
        place: absolute path of its file, or ``""``.
        prompt: words that it was given, if it scores by itself, too.
        object: the same.
        normal: the same.
        anomalous: the same.
    """

    name: str
    fingerprint: str
    place: str = ""
    prompt: str | None = None
    object: str | None = None
    normal: str | None = None
    anomalous: str | None = None


@dataclass(frozen=True)
class FusionRule:
    """How memory and zero-shot are combined, if they are; see :class:`zsad.scoring.Fusion`."""

    weight: float = knob(0.5, "of the memory's map", low=0, high=1)
    scale: float = knob(0.5, "value of the network's own map that becomes 1/2", low=0, high=1)
    centre: float = knob(0.0, "value of the network's own map that becomes 0", low=0, high=1)
    fixed_on: str = ""


@dataclass(frozen=True)
class BundleCard:
    """What a bundle was made of, and how.

    Attributes:
        base: the model that it works with.
        images: what was learned from; no guarantee may be given for these.
        shots: number of images that were asked for, or ``"all"``.
        seed: of their choice and of the coreset.
        rotations: views of each image, 1 or 8.
        foreground: whether patches off the part are left out of account.
        patches: most patches of a layer that are kept.
        scale: smoothed distance that becomes 1/2 on the map.
        foreground_threshold: of the foreground's direction.
        radius: covering radius of each layer's patches, ``(1 - cosine) / 2``; 0 where all were kept.
        chosen: how rotations and foreground were chosen.
        fusion: the rule of the fused score, or None.
        notes: what a user should know.
        zsad: version that wrote it.
        memory_sha256: of the file with the memory; ``""`` before it is saved, and in bundles of before there was one.
    """

    base: Base
    images: tuple[Good, ...]
    shots: str = "all"
    seed: int = 0
    rotations: int = knob(1, "views of each image", low=1, high=8)
    foreground: bool = False
    patches: int = knob(10_000, "most patches of a layer", low=1)
    scale: float = knob(0.1, "distance that becomes 1/2", low=1e-9, high=1)
    foreground_threshold: float = 0.0
    radius: tuple[float, ...] = ()
    chosen: str = ""
    fusion: FusionRule | None = None
    notes: tuple[str, ...] = ()
    zsad: str = ""
    memory_sha256: str = ""


@dataclass(frozen=True)
class Bundle:
    """A memory with its card.

    Attributes:
        card: what it was made of.
        memory: the patches.
        model: card of the model that it works with.
        place: its folder, or None before it is saved.
    """

    card: BundleCard
    memory: Memory = field(repr=False)
    model: ModelCard = field(repr=False)
    place: Path | None = None

    def scorer(self, *, fused: bool = False) -> Scorer:
        """Return the scorer of the memory alone, or of memory and zero-shot together.

        Raises:
            UsageError: a fused score without a rule for it.
        """
        rule = self.card.fusion
        if not fused:
            return MemoryScorer(self.memory, self.model)
        if rule is None:
            raise UsageError(
                f"{self.label}: has no rule for --fused, since its backbone does not score by itself; leave --fused out"
            )
        return FusedScorer(self.memory, Fusion(rule.weight, rule.scale, rule.centre), self.model)

    def file(self) -> Path | None:
        """Return the ONNX file of its backbone: in the bundle's own folder, or where it was; None if it has none.

        Raises:
            ModelError: the file is in neither place, or another one.
        """
        base = self.card.base
        if not base.place:
            return None
        inside = self.place / Path(base.name).name if self.place is not None else None
        for path in (inside, Path(base.place)):
            if path is not None and path.is_file():
                self._same(fingerprint_of(path), str(path))
                return path
        raise ModelError(
            f"{self.label}: its backbone {printable(base.name)} is no longer at {printable(base.place)}; "
            f"put the file into {self.label}"
        )

    def on(self, detector: D, *, fused: bool = False) -> D:
        """Return a detector of the bundle's backbone that scores by it.

        Raises:
            ModelError: a detector of another backbone.
        """
        self._same(detector.fingerprint, detector.card.label)
        return detector.with_scorer(self.scorer(fused=fused))

    def _same(self, fingerprint: str, name: str) -> None:
        wanted = self.card.base
        if fingerprint != wanted.fingerprint:
            raise ModelError(
                f"{self.label}: was fitted to the backbone {printable(wanted.name)} with fingerprint "
                f"{wanted.fingerprint[:12]}, not to {printable(name)} with {fingerprint[:12]}; fit it again"
            )

    @property
    def label(self) -> str:
        """What errors call it."""
        return printable(self.place or "bundle")

    def save(self, folder: str | Path) -> Path:
        """Write the bundle; an earlier bundle of that place is replaced as a whole, anything else is left alone.

        Raises:
            OutputError: the place can't be written.
            UsageError: the place has something else in it.
        """
        folder = Path(folder)
        check_place(folder)
        tensors: dict[str, Any] = {f"layer.{n}": layer.astype(np.float16) for n, layer in enumerate(self.memory.layers)}
        tensors |= {f"owner.{n}": owner.astype(np.int32) for n, owner in enumerate(self.memory.owners)}
        if self.memory.foreground is not None:
            tensors["foreground"] = self.memory.foreground.direction
        memory = save_tensors(tensors)
        data = {
            "kind": KIND,
            "format": FORMAT,
            **to_mapping(replace(self.card, memory_sha256=hashlib.sha256(memory).hexdigest())),
            "model": parse_json(self.model.to_json(), "card", ModelError),
        }
        text = json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False)
        refused = output_errors(folder, "choose another --out", "try again")
        with refused:
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / NEXT, memory, refused)
        write_whole(folder / CARD, text.encode("ascii"), refused)  # from here on the new bundle counts
        with refused:
            (folder / NEXT).replace(folder / MEMORY)
        return folder


def is_bundle(place: str | Path) -> bool:
    """Whether a path is a folder with a bundle's two files in it."""
    try:
        return (Path(place) / CARD).is_file() and any((Path(place) / name).is_file() for name in (MEMORY, NEXT))
    except (OSError, ValueError):  # a name that is too long, or none
        return False


def check_place(folder: Path) -> None:
    """Refuse to write a bundle over anything that is not an earlier bundle.

    Raises:
        UsageError: it is a file, or a folder of other files.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{printable(folder)}: is a file; give --out a folder of its own")
        others = (
            [entry.name for entry in folder.iterdir() if entry.name not in (CARD, MEMORY, NEXT)]
            if folder.is_dir()
            else []
        )
    except OSError as error:
        raise OutputError(
            f"{printable(folder)}: can't be read ({error.strerror or error}); choose another --out"
        ) from None
    if any(not name.endswith(".onnx") and not name.startswith(".") for name in others):
        raise UsageError(
            f"{printable(folder)}: has other files in it ({printable(others[0])}); give --out a new folder"
        )
    if (folder / CARD).exists() and not is_bundle(folder):
        raise UsageError(f"{printable(folder)}: has a {CARD} that is no bundle's; give --out a new folder")


def read_bundle(folder: str | Path) -> Bundle:
    """Read a bundle.

    Raises:
        ModelError: absent, damaged, of a newer zsad, or files that don't belong together.
    """
    folder = Path(folder)
    shown = printable(folder)
    data = _json(folder / CARD)
    kind, written, model = (data.pop(key, None) for key in ("kind", "format", "model"))
    if kind != KIND:
        raise ModelError(f"{shown}: {CARD} is no bundle's; `zsad fit` writes one")
    if written != FORMAT:
        raise ModelError(f"{shown}: a bundle of another format; install the zsad that wrote it, or fit again")
    try:
        card = from_mapping(BundleCard, data, f"{shown}/{CARD}")
        stored = _stored(folder, card)
        tensors = load_tensors(stored)
    except ConfigError as error:
        raise ModelError(f"{error}; fit again") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{shown}/{MEMORY}: damaged ({first_line(error)}); fit again") from None
    if card.memory_sha256 not in ("", hashlib.sha256(stored).hexdigest()):
        raise ModelError(f"{shown}: {MEMORY} and {CARD} are not of one fit, or were changed since; fit again")
    base = ModelCard.from_json(json.dumps(model), f"{shown}/{CARD}: model")
    memory = _memory(card, tensors, f"{shown}/{MEMORY}")
    if not memory.fits(base):
        raise ModelError(f"{shown}: {MEMORY} and {CARD} do not belong together; fit again")
    return Bundle(card, memory, base, folder)


def _stored(folder: Path, card: BundleCard) -> bytes:
    """Return the memory that a card is of; where neither is, the one in its place, whatever it is."""
    waiting = folder / NEXT
    if card.memory_sha256 and waiting.is_file():
        stored = waiting.read_bytes()
        if hashlib.sha256(stored).hexdigest() == card.memory_sha256:
            return stored
    return (folder / MEMORY).read_bytes()


def _json(path: Path) -> dict[str, Any]:
    return Entries.of(read_json(path, ModelError, LARGE), path, ModelError).data


def _memory(card: BundleCard, tensors: dict[str, Any], where: str) -> Memory:
    owners = _owners(card, tensors, where)
    names = sorted((name for name in tensors if name.startswith("layer.")), key=lambda name: (len(name), name))
    if names != [f"layer.{n}" for n in range(len(names))] or card.foreground != ("foreground" in tensors):
        raise ModelError(f"{where}: has other tensors than its card says; fit again")
    foreground = None
    if card.foreground:
        direction = np.asarray(tensors["foreground"], dtype=np.float32)
        if direction.ndim != 1 or not np.isfinite(direction).all():
            raise ModelError(f"{where}: its foreground is no direction; fit again")
        foreground = Foreground(direction, card.foreground_threshold)
    layers = tuple(np.asarray(tensors[name], dtype=np.float32) for name in names)
    if owners and [len(owner) for owner in owners] != [len(layer) for layer in layers]:
        raise ModelError(f"{where}: has other owners than patches; fit again")
    images, pixels = tuple(one.sha256 for one in card.images), tuple(one.pixels for one in card.images)
    return Memory(layers, card.scale, foreground, images, owners, pixels)


def _owners(card: BundleCard, tensors: dict[str, Any], where: str) -> tuple[npt.NDArray[np.int32], ...]:
    """Return which image each patch is from; empty for a bundle that does not say."""
    count = sum(name.startswith("owner.") for name in tensors)
    others = set(tensors) - {"foreground"} - {f"{kind}.{n}" for n in range(len(tensors)) for kind in ("layer", "owner")}
    if others or any(f"owner.{n}" not in tensors for n in range(count)):
        raise ModelError(f"{where}: has other tensors than its card says; fit again")
    owners = tuple(np.asarray(tensors[f"owner.{n}"]) for n in range(count))
    for owner in owners:
        if owner.ndim != 1 or owner.dtype != np.int32 or not ((owner >= 0) & (owner < len(card.images))).all():
            raise ModelError(f"{where}: its owners are no numbers of its images; fit again")
    return owners
