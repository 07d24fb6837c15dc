"""From options to a training: lists read and split, the model put together, its texts and phrases encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import torch

from zsad.backbone import TextTower, load_backbone
from zsad.config import from_mapping, to_mapping
from zsad.documents import read_yaml
from zsad.errors import ConfigError, DatasetError, ModelError, UsageError
from zsad.near import near
from zsad.outside import printable, shown
from zsad.prompt.class_learner import ClassLearner, check_names
from zsad.video.learned.card import READING, VideoCard
from zsad.video.learned.config import Config, Recipe
from zsad.video.learned.lists import Listed, is_number, read_list
from zsad.video.learned.stored import common, features_of, opened, without_crop
from zsad.video.weak.clicks import clicked_rows
from zsad.video.weak.data import samples_of, split
from zsad.video.weak.importing import CLASSES
from zsad.video.weak.model import WeakModel
from zsad.video.weak.phrases import Phrases
from zsad.video.weak.presets import NAMED, PRESETS
from zsad.video.weak.pseudo import Pastes, read_pastes
from zsad.video.weak.train import Task

_BUNDLED = "tiny"


@dataclass(frozen=True)
class Options:
    """What a person says of a training; None and empty keep the preset's.

    Attributes:
        preset: one of :data:`~zsad.video.weak.presets.PRESETS`.
        train: list of training videos, see :mod:`zsad.video.learned.lists`.
        features: folder of their arrays.
        val: list of videos to choose the epoch by, in the same folder.
        val_split: instead, the share of training videos that is held out for it.
        clicks: CSV of clicked frames.
        classes: names, typed; normal is put first where it is left out.
        backbone: what the features are of; by default what stands beside them.
        motion: whether motion features beside the others are read too.
        paste: folder of anomalies that are pasted into normal videos: features, pictures or videos.
        paste_share: share of a step's normal videos that get one.
        phrases: YAML file with lists ``normal`` and ``abnormal``; by default the one that comes with zsad.
        epochs: rounds.
        batch: normal videos of a step.
        lr: step.
        seed: of everything that is drawn.
    """

    preset: str
    train: str
    features: Path
    val: str = ""
    val_split: float = 0.2
    clicks: Path | None = None
    classes: tuple[str, ...] = ()
    backbone: str = ""
    phrases: Path | None = None
    motion: bool = False
    paste: Path | None = None
    paste_share: float = 0.5
    epochs: int | None = None
    batch: int | None = None
    lr: float | None = None
    seed: int = 0


def start(options: Options, text: TextTower | None = None, sizes: Config | None = None) -> tuple[Task, WeakModel]:
    """Read everything and build the model.

    Args:
        options: what is wanted.
        text: the text tower; by default that of the backbone.
        sizes: the preset with other sizes, in place of the published one.

    Raises:
        UsageError: options that contradict each other.
        DatasetError: a list, a label or features that can't be used.
        ModelError: the backbone has no text tower of the features' width.
    """
    if options.preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise UsageError(
            f"preset {shown(options.preset)}: there is none{near(options.preset, PRESETS)}; known: {known}"
        )
    listed, held_list = read_list(options.train), read_list(options.val) if options.val else []
    if not any(one.labels for one in listed):
        raise DatasetError(f"{printable(options.train)}: every video is normal; list anomalous ones too")
    places = [path for one in (*listed, *held_list) for path in features_of(one.name, options.features)]
    shape = opened(places[0], mapped=True).shape
    origin = common((without_crop(path.stem) for path in places), options.features)
    made_by = {"trained_on": Path(options.train).name} | ({READING: dict(origin.reading)} if origin.reading else {})
    config = _config(options, shape, sizes or PRESETS[options.preset])
    card = VideoCard(config, _classes(options, listed), _backbone(options, origin.backbone), origin.every, made_by)
    train_list = listed
    if not options.val:
        train_list, held_list = split(listed, options.val_split, options.seed)
    torch.manual_seed(options.seed)
    model, card, phrases = _model(card, options, text)
    train, held = (samples_of(some, options.features, card) for some in (train_list, held_list))
    clicks = {} if options.clicks is None else clicked_rows(options.clicks, (*train, *held), origin.every)
    pastes = Pastes() if options.paste is None else read_pastes(options.paste, card, options.paste_share)
    return Task(card, train, held, clicks, pastes, phrases, options.seed), model


def use_threads(count: int) -> None:
    """Let torch use so many threads, at least 1."""
    torch.set_num_threads(max(1, count))


def _config(options: Options, shape: tuple[int, ...], sizes: Config) -> Config:
    """Return the configuration with what was typed, and the features' width.

    Raises:
        UsageError: a number that no configuration takes.
    """
    typed = {name: getattr(options, name) for name in ("epochs", "batch", "lr") if getattr(options, name) is not None}
    try:
        from_mapping(Recipe, typed, "")
    except ConfigError as error:
        raise UsageError(str(error).replace(": ", "--", 1)) from None
    config = replace(sizes, preset=options.preset, width=int(shape[-1]), recipe=replace(sizes.recipe, **typed))
    temporal = config.temporal
    if temporal.kind == "queries" and len(shape) == 3:
        heads = next(h for h in (12, 8, 4, 2, 1) if config.width % h == 0)
        temporal = replace(temporal, tokens=int(shape[1]), heads=heads)
    config = replace(config, temporal=temporal, motion=int(shape[-1]) if options.motion else 0)
    try:
        return from_mapping(Config, to_mapping(config), printable(options.features))
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _classes(options: Options, listed: Sequence[Listed]) -> tuple[str, ...]:
    """Return the class names: typed, the preset's, or those of the list."""
    kind = PRESETS[options.preset].head.kind
    if kind not in NAMED:
        return ()
    names = options.classes or CLASSES.get(options.preset, ())
    if not names:
        names = tuple(sorted({label for one in listed for label in one.labels}))
        if any(map(is_number, names)):
            raise UsageError(f"{printable(options.train)}: labels are numbers, and {options.preset} compares with "
                             "texts; name the classes from 1 on with --classes NAMES")  # fmt: skip
    plain = [name.lower().strip() for name in names]
    if kind == "aligned" and "normal" not in plain:
        names = ("normal", *names)
    if kind == "aligned" and names[0].lower().strip() != "normal":
        raise UsageError("classes: put normal first, or leave it out")
    if kind == "attended":
        names = tuple(name for name in names if name.lower().strip() != "normal")
    check_names(names)
    return names


def _backbone(options: Options, told: str) -> str:
    """Return what the features are of: what stands beside them, or was typed; a folder may have moved.

    Raises:
        UsageError: both are known, and differ.
    """
    typed = options.backbone
    if told and typed and told != typed and not any(name.startswith("local-dir:") for name in (told, typed)):
        raise UsageError(f"--backbone {printable(typed)}: the features in {printable(options.features)} are of "
                         f"{printable(told)}; leave --backbone out")  # fmt: skip
    return typed or told


def text_tower_of(backbone: str) -> TextTower:
    """Return the text tower of a backbone, as features name it; ``"tiny"`` is the bundled one.

    Raises:
        UsageError: the name is empty.
        ModelError: there is no such backbone, or it reads no text.
    """
    if not backbone:
        raise UsageError("which backbone the features are of is not known; name it")
    if backbone == _BUNDLED:
        backbone = f"local-dir:{resources.files('zsad') / 'assets' / _BUNDLED}"
    return load_backbone(backbone).text_tower()


def _model(card: VideoCard, options: Options, text: TextTower | None) -> tuple[WeakModel, VideoCard, tuple[str, ...]]:
    """Return the model, its card, and the phrases that it begins with."""
    config = card.config
    if not card.classes:
        return WeakModel(config), card, ()
    text = text or text_tower_of(card.backbone)
    learner = ClassLearner(text, card.classes, config.head.prefix, config.head.postfix, seed=options.seed)
    with torch.no_grad():
        width = learner().shape[-1]
    if width != config.width:
        raise ModelError(f"features are {config.width} wide, but texts of {card.backbone} {width}; name their backbone")
    if config.context.kind != "phrases":
        return WeakModel(config, learner), card, ()
    normal, abnormal = read_phrases(options.phrases)
    context = replace(config.context, normal=len(normal), abnormal=len(abnormal))
    card = replace(card, config=replace(config, context=context))
    model = WeakModel(card.config, learner)
    assert isinstance(model.context, Phrases)
    with torch.no_grad():
        features = text.encode_texts([*normal, *abnormal])
        model.context.embeddings.copy_(torch.nn.functional.normalize(features, dim=-1))
    return model, card, (*normal, *abnormal)


def read_phrases(path: Path | None) -> tuple[list[str], list[str]]:
    """Read phrases of normal life and of anomalies; by default those that come with zsad.

    Raises:
        DatasetError: it lacks a list, or a list is empty.
    """
    place = Path(str(resources.files("zsad.video.weak") / "phrases.yaml")) if path is None else path
    data = read_yaml(place, DatasetError)
    found = [data.get(kind) if isinstance(data, dict) else None for kind in ("normal", "abnormal")]
    for kind, phrases in zip(("normal", "abnormal"), found, strict=True):
        if not isinstance(phrases, list) or not phrases or not all(isinstance(p, str) and p.strip() for p in phrases):
            raise DatasetError(f"{printable(place)}: {kind} must be a list of phrases")
    return found[0], found[1]  # type: ignore[return-value]
