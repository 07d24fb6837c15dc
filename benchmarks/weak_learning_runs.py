"""One training of ``weak_learning.py``: a drawn set, the code of ``zsad video train`` on it, its test videos scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsad.backbone import TextTower
from zsad.metrics.frames import VideoFrames, frame_metrics
from zsad.types import FloatArray
from zsad.video.learned.config import Config
from zsad.video.learned.drawn import NORMAL, Drawing, Drawn
from zsad.video.learned.drawn_set import DrawnSet, draw_set, write_set
from zsad.video.learned.scoring import Network, score_features, series_of
from zsad.video.series import ScoreSeries
from zsad.video.weak.folder import TorchNetwork, load_weak
from zsad.video.weak.presets import PRESETS
from zsad.video.weak.starting import Options, start
from zsad.video.weak.train import evaluated, train

CLASSES = ("crack", "stain", "rust", "burn")
"""Words that the bundled model's text tower knows, which CLIP's classes of crime are not."""
BACKBONE = "tiny"


@dataclass(frozen=True)
class Setting:
    """How a preset is trained here.

    Attributes:
        sizes: the preset at its width.
        epochs: rounds.
        batch: normal videos of a step, and as many abnormal ones.
        lr: step.
        drawing: what differs in how its videos are drawn.
    """

    sizes: Config
    epochs: int
    batch: int
    lr: float
    drawing: Mapping[str, Any] = field(default_factory=dict)


def _settings() -> dict[str, Setting]:
    found = {name: replace(preset, recipe=replace(preset.recipe, milestones=())) for name, preset in PRESETS.items()}
    ovvad, urdmu, vador = found["ovvad"], found["urdmu"], found["vador"]
    urdmu = replace(
        urdmu,
        temporal=replace(urdmu.temporal, width=64, heads=2, head_width=32, hidden=64, length=256, dropout=0.3),
        recipe=replace(urdmu.recipe, segments=96),
    )
    vador = replace(vador, temporal=replace(vador.temporal, layers=1, clip=4))
    short = {"rows": (48, 96)}  # attention in windows has no use for more, and costs the most
    return {
        "vadclip-ucf": Setting(found["vadclip-ucf"], 15, 8, 1e-3, short),
        "vadclip-xd": Setting(found["vadclip-xd"], 20, 8, 5e-4),
        "ovvad": Setting(ovvad, 24, 8, 1e-3),
        "urdmu": Setting(urdmu, 12, 8, 5e-4),
        "vador": Setting(vador, 20, 4, 5e-4, {"rows": (64, 112), "events": 1, "tokens": 2, "every": 8}),
    }


SETTINGS = _settings()


@dataclass(frozen=True)
class Sizes:
    """How many videos there are, normal and abnormal, and how long they are trained on.

    Attributes:
        train: to learn from; a fifth is held out to choose the epoch by.
        test: kept aside.
        epochs: in place of the setting's, for the short form.
    """

    train: tuple[int, int] = (192, 192)
    test: tuple[int, int] = (40, 40)
    epochs: int | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained model, its test videos, and what the run took."""

    network: TorchNetwork
    drawn: DrawnSet
    before: dict[str, float]
    seconds: float
    cpu_seconds: float

    def figures(self) -> dict[str, Any]:
        """Return how it scored before and after."""
        after = measured(self.network, self.drawn.test)
        return {"before": self.before, "after": after, "seconds": round(self.seconds, 1),
                "cpu_seconds": round(self.cpu_seconds, 1)}  # fmt: skip


def learn(
    preset: str,
    seed: int,
    text: TextTower,
    folder: Path,
    sizes: Sizes,
    *,
    known: Sequence[str] = CLASSES,
    shuffling: int | None = None,
    clicked: bool = False,
) -> Outcome:
    """Draw a set, train on it as ``zsad video train`` does, and return what came of it.

    Args:
        preset: one of :data:`SETTINGS`.
        seed: of the set and of the training.
        text: the text tower that classes are typed for.
        folder: for the set and the model.
        sizes: how many videos.
        known: classes of the training videos; the test videos have all.
        shuffling: number of a way to exchange labels, so that they say nothing; None leaves them.
        clicked: with a frame of every event.
    """
    setting = SETTINGS[preset]
    drawing = Drawing(seed=seed, **setting.drawing)
    drawn = draw_set(texts_of(text), drawing, sizes.train, sizes.test, known=known)
    write_set(folder, drawn, drawing, BACKBONE)
    if shuffling is not None:
        _shuffle(folder / "train.csv", drawn.train, seed, shuffling)
    options = Options(
        preset, f"csv:{folder / 'train.csv'}", folder, classes=tuple(known), seed=seed, lr=setting.lr,
        epochs=sizes.epochs or setting.epochs, batch=setting.batch,
        clicks=folder / "clicks.csv" if clicked else None,
    )  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    task, model = start(options, text, setting.sizes)
    begun = time.perf_counter(), time.process_time()
    before = measured(evaluated(model, task.card), drawn.test)
    model.requires_grad_(True)
    wall, cpu = wall + time.perf_counter() - begun[0], cpu + time.process_time() - begun[1]
    train(task, model, folder / "model")
    taken = time.perf_counter() - wall, time.process_time() - cpu
    return Outcome(load_weak(folder / "model"), drawn, before, *taken)


def texts_of(text: TextTower) -> dict[str, FloatArray]:
    """Return the text features of normal and of every class."""
    import torch

    names = (NORMAL, *CLASSES)
    with torch.no_grad():
        return dict(zip(names, text.encode_texts(names).numpy(), strict=True))


def _shuffle(path: Path, videos: Sequence[Drawn], seed: int, number: int) -> None:
    """Make the labels say nothing: half of the videos of each kind change places, and classes are drawn anew.

    Without the second a class's label would still tell of that class: half of its videos have it, and of those called
    normal an eighth.
    """
    rng = np.random.default_rng([seed, 3, number])
    labels = {video.name: video.label for video in videos}
    kinds = ([v.name for v in videos if not v.spans], [v.name for v in videos if v.spans])
    count = min(map(len, kinds)) // 2
    for one, other in zip(*(rng.permutation(names)[:count] for names in kinds), strict=True):
        labels[str(one)], labels[str(other)] = labels[str(other)], labels[str(one)]
    called = [name for name, label in labels.items() if label != NORMAL]
    labels |= dict(zip(called, map(str, rng.permutation([labels[name] for name in called])), strict=True))
    path.write_text("video,label\n" + "".join(f"{name},{label}\n" for name, label in labels.items()), encoding="utf-8")


def measured(network: Network, videos: Sequence[Drawn]) -> dict[str, float]:
    """Return frame AUC over all videos, and over those that are abnormal."""
    scored = [VideoFrames.of(video.truth(), series(network, video).to_frames()) for video in videos]
    found = frame_metrics(scored)
    return {name: round(found[name].value, 4) for name in ("auc", "auc_abnormal", "auc_macro")}


def series(network: Network, video: Drawn) -> ScoreSeries:
    """Score a video's features, as ``zsad video score`` does once it has extracted them."""
    rows = np.arange(len(video.features)) * video.every
    scores = score_features(network, video.features, video.name)
    return series_of(scores, network.card, rows, rows / 25.0, video.frames, 25.0)


def without_learning(preset: str, seed: int, text: TextTower, sizes: Sizes) -> dict[str, float]:
    """Return the frame AUC of what looks at a preset's features and learns nothing; of tokens, at their mean.

    ``own_mean`` is the distance to the video's mean, ``normal_mean`` that to the mean of normal training videos, and
    ``text`` the largest product with ``text(class) - text(normal)``.
    """
    texts = texts_of(text)
    drawn = draw_set(texts, Drawing(seed=seed, **SETTINGS[preset].drawing), sizes.train, sizes.test)
    mean = np.concatenate([_rows(video) for video in drawn.train if not video.spans]).mean(axis=0)
    unit = {name: one / np.linalg.norm(one) for name, one in texts.items()}
    apart = np.stack([unit[name] - unit[NORMAL] for name in CLASSES])
    kinds: dict[str, Callable[[FloatArray], NDArray[np.floating]]] = {
        "own_mean": lambda x: np.asarray(np.linalg.norm(x - x.mean(axis=0), axis=1)),
        "normal_mean": lambda x: np.asarray(np.linalg.norm(x - mean, axis=1)),
        "text": lambda x: np.asarray((x @ apart.T).max(axis=1)),
    }
    found = {}
    for name, score in kinds.items():
        scored = [VideoFrames.of(v.truth(), np.repeat(score(_rows(v)), v.every)[: v.frames]) for v in drawn.test]
        found[name] = round(frame_metrics(scored)["auc"].value, 4)
    return found


def _rows(video: Drawn) -> FloatArray:
    return video.features if video.features.ndim == 2 else np.asarray(video.features.mean(axis=1))
