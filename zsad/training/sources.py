"""``--data`` -> examples: labelled datasets, good images with synthetic defects, or the procedural world alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from zsad import synthetic
from zsad.data.augment import seed_of, view
from zsad.data.examples import Example, FileExample, digest
from zsad.data.files import Report, images_in, summary
from zsad.data.spec import DataSpec, load_samples, parse_data_spec
from zsad.errors import DatasetError, InputError, UsageError
from zsad.images.preprocess import check_aspect, decode
from zsad.training.config import TrainConfig
from zsad.types import BoolArray, Sample

SYNTHETIC, NORMALS = "synthetic", "normals"


@dataclass(frozen=True)
class Request:
    """One ``--data``.

    Attributes:
        key: what reports call it; unique within a run.
        kind: a layout, a dataset of the catalog, ``"normals"`` or ``"synthetic"``.
        path: where it lies; None for ``"synthetic"``.
    """

    key: str
    kind: str
    path: Path | None


@dataclass(frozen=True)
class Sources:
    """What a run learns from.

    Attributes:
        examples: all usable examples, in order.
        names: where they come from, for the card.
        notes: what a user must know, one line each: what was left out, and what is not trained.
    """

    examples: list[Example]
    names: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def pixels(self) -> bool:
        """Whether any anomalous example has a mask, so that the pixel part can learn."""
        return any(e.masked and e.label for e in self.examples)


@dataclass(frozen=True)
class SceneExample:
    """A scene of the procedural world."""

    index: int
    seed: int
    side: int

    @property
    def name(self) -> str:
        """Number of the scene."""
        return f"synthetic scene {self.index}"

    @property
    def group(self) -> str:
        """All scenes are one group."""
        return SYNTHETIC

    @property
    def label(self) -> int:
        """Scenes take turns: even numbers are normal, odd ones anomalous."""
        return self.index % 2

    @property
    def masked(self) -> bool:
        """Every scene knows its mask."""
        return True

    def identity(self) -> str:
        """Hash all that the scene depends on."""
        return digest("scene", str(synthetic.GENERATOR_VERSION), str(self.index), str(self.seed), str(self.side))

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Draw the scene."""
        scene = synthetic.scene_at(self.index, size=self.side, seed=self.seed, anomalous=bool(self.label))
        return Image.fromarray(scene.image), np.asarray(scene.mask > 0)


@dataclass(frozen=True)
class DefectExample:
    """A good image with a synthetic defect in it."""

    base: FileExample
    seed: int
    side: int

    @property
    def name(self) -> str:
        """Name of the good image."""
        return f"{self.base.name} with a synthetic defect"

    @property
    def group(self) -> str:
        """Dataset and class."""
        return self.base.group

    @property
    def label(self) -> int:
        """Anomalous."""
        return 1

    @property
    def masked(self) -> bool:
        """Every synthetic defect knows its mask."""
        return True

    def identity(self) -> str:
        """Hash the good image and all that the defect depends on."""
        return digest("defect", str(synthetic.GENERATOR_VERSION), self.base.identity(), str(self.seed), str(self.side))

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Decode the good image and spoil it."""
        image = decode(self.base.sample.image, bits=self.base.bits).image.convert("RGB")
        check_aspect(image.width, image.height, self.base.name)
        image.thumbnail((self.side, self.side), Image.Resampling.BICUBIC)  # defects are drawn for such a size
        rng = np.random.default_rng(self.seed)
        if min(image.size) < 16:
            raise InputError(f"{self.base.name}: too small for a synthetic defect")
        spoilt, mask, _ = synthetic.add_defect(rng, np.asarray(image))
        if not mask.any():
            raise InputError(f"{self.base.name}: no synthetic defect is visible on it")
        return Image.fromarray(spoilt), np.asarray(mask > 0)


def parse_requests(texts: Sequence[str]) -> list[Request]:
    """Read the words of all ``--data`` of a run, before anything slow is loaded.

    Args:
        texts: ``[KEY=]LAYOUT_OR_DATASET:PATH``, ``[KEY=]normals:PATH`` or ``[KEY=]synthetic``.

    Raises:
        UsageError: no data, an unknown layout, or a key that is used twice.
        DatasetError: a path that is not there.
    """
    if not texts:
        raise UsageError("no training data: give --data LAYOUT:PATH, --data normals:PATH, or --data synthetic")
    requests: list[Request] = []
    for text in texts:
        request = _parse(text)
        # Path.exists would raise for a name that is too long.
        if request.path is not None and not os.path.exists(request.path):  # noqa: PTH110
            raise DatasetError(f"--data {text}: {request.path} is not there; check the path")
        if request.key in (other.key for other in requests):
            rest = text.partition("=")[2] if text.startswith(f"{request.key}=") else text
            raise UsageError(f"--data: the key {request.key!r} is used twice; write KEY={rest} to tell them apart")
        requests.append(request)
    return requests


def _parse(text: str) -> Request:
    key, equals, rest = text.partition("=") if "=" in text.partition(":")[0] else ("", "", text)
    if equals and not key:
        raise UsageError(f"--data {text}: the key before = is empty")
    kind, _, path = rest.partition(":")
    if kind == SYNTHETIC:
        return Request(key or SYNTHETIC, kind, None)
    if kind == NORMALS:
        folder = Path(path).expanduser()
        return Request(key or folder.resolve().name, kind, folder)
    spec = parse_data_spec(text)
    return Request(spec.key, spec.layout, spec.path)


def read_sources(requests: Sequence[Request], config: TrainConfig, side: int) -> Sources:
    """Read all data of a run.

    Args:
        requests: what :func:`parse_requests` gave.
        config: how many images are drawn, and the seed.
        side: side of drawn scenes in pixels.

    Returns:
        The examples, with notes on everything that was left out.

    Raises:
        DatasetError: a folder of another layout, or examples of one label only.
    """
    examples: list[Example] = []
    notes: list[str] = []
    for request in requests:
        if request.path is None:
            examples += [SceneExample(i, config.seed, side) for i in range(config.synthetic_images)]
        elif request.kind == NORMALS:
            examples += _normals(request.path, request.key, config, 2 * side, notes)
        else:
            examples += _labelled(DataSpec(request.key, request.kind, request.path), config, notes)
    names = [request.key for request in requests]
    _check(examples, names, notes)
    return Sources(examples, names, notes)


def all_views(examples: Sequence[Example], config: TrainConfig) -> list[list[Example]]:
    """Return the unchanged examples and the augmented views of them."""
    return [view(examples, number, config.augment, config.mosaics, config.seed) for number in range(config.views)]


def split(examples: Sequence[Example], config: TrainConfig) -> tuple[list[Example], list[Example]]:
    """Keep a part aside, from each group and label alike; the same part for the same seed.

    Returns:
        ``(train, held)``; ``held`` is empty if the config holds nothing out.
    """
    if not config.holdout:
        return list(examples), []
    strata: dict[tuple[str, int], list[Example]] = {}
    for example in examples:
        strata.setdefault((example.group, example.label), []).append(example)
    train: list[Example] = []
    held: list[Example] = []
    rng = np.random.default_rng([config.seed, 1])
    for members in strata.values():
        order = rng.permutation(len(members))
        count = min(round(config.holdout * len(members)), len(members) - 1)
        aside = {int(i) for i in order[:count]}
        held += [e for i, e in enumerate(members) if i in aside]
        train += [e for i, e in enumerate(members) if i not in aside]
    if not held or not any(e.label for e in held):
        raise UsageError(f"holdout {config.holdout:g} keeps no anomalous image of {len(examples)} aside; give more")
    return train, held


def _labelled(spec: DataSpec, config: TrainConfig, notes: list[str]) -> list[Example]:
    loaded = load_samples(spec, partial=True, masks=config.masks)
    report = loaded.report
    for what, lines in (("problems", report.problems), ("left out", report.left_out)):
        if lines:
            notes.append(f"{spec.key}: {len(lines)} {what}: {summary(lines, 3)}")
    usable = [sample for sample in loaded.samples if sample.label is not None]
    if len(usable) < len(loaded.samples):
        notes.append(f"{spec.key}: {len(loaded.samples) - len(usable)} images without a label are not used")
    examples: list[Example] = [FileExample(sample, config.bits) for sample in usable]
    unmasked = sum(not e.masked for e in examples)
    if unmasked:
        notes.append(f"{spec.key}: {unmasked} of {len(examples)} images have no mask and train the image part only")
    return examples


def _normals(folder: Path, key: str, config: TrainConfig, side: int, notes: list[str]) -> list[Example]:
    report = Report()
    files = images_in(folder, report, deep=True)
    if not files:
        raise DatasetError(f"{folder}: no image in it; give a folder of good images")
    if report.left_out:
        notes.append(f"{key}: {len(report.left_out)} files left out: {summary(report.left_out, 3)}")
    good = [
        FileExample(
            Sample(f, label=0, class_name=key, defect="good", dataset=key, has_masks=True, upright=True), config.bits
        )
        for f in files
    ]
    bad = [
        DefectExample(base, seed=seed_of(config.seed, copy, i), side=side)
        for i, base in enumerate(good)
        for copy in range(config.defects_per_image)
    ]
    return [*good, *bad]


def _check(examples: Sequence[Example], names: Sequence[str], notes: list[str]) -> None:
    """Refuse what nothing can be learned from, and say what will not be learned."""
    labels = [e.label for e in examples]
    where = ", ".join(names)
    if not labels:
        raise DatasetError(f"{where}: no labelled image; {notes[0] if notes else 'check the path'}")
    if len(set(labels)) == 1:
        kind = "anomalous" if labels[0] else "normal"
        hint = "add normal images" if labels[0] else "add anomalous ones, or use normals:PATH for synthetic defects"
        raise DatasetError(f"{where}: all {len(labels)} images are {kind}; {hint}")
    if not any(e.masked and e.label for e in examples):
        notes.append("no anomalous image has a mask: only the image part is trained, and the map uses its vectors")
