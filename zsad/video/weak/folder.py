"""A model's folder: weights as safetensors, and a card; written whole, read without unpickling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from zsad.backbone import TextTower
from zsad.errors import ModelError, UsageError, first_line
from zsad.files import write_whole
from zsad.outputs import check_output, holds
from zsad.outside import printable
from zsad.prompt.class_learner import ClassLearner
from zsad.types import FloatArray
from zsad.video.learned.card import CARD, KIND, WEIGHTS, VideoCard, read_card
from zsad.video.weak.banks import History
from zsad.video.weak.model import FixedText, WeakModel
from zsad.video.weak.readout import Readout

TABLE = "text.table"
FEATURES = "text.features"


class TorchNetwork:
    """A loaded model: a :class:`~zsad.video.learned.scoring.Network`.

    Args:
        model: in evaluation mode, with fixed texts.
        card: what it reads and knows.
        table: learned context of its class texts, or None.
    """

    def __init__(self, model: WeakModel, card: VideoCard, table: Tensor | None = None) -> None:
        self.model, self._card, self.table = model.eval().requires_grad_(False), card, table
        self.readout = Readout(self.model)
        self._history: History | None = None

    @property
    def card(self) -> VideoCard:
        """What it reads and knows."""
        return self._card

    def begin(self) -> None:
        """Forget the clips of the video before."""
        self._history = None

    def run(self, x: FloatArray, lengths: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """Score blocks of one video; what banks hold is carried on."""
        valid = torch.arange(x.shape[1]) < torch.tensor(list(lengths))[:, None]
        with torch.no_grad():
            scored = self.model(torch.from_numpy(x), valid, self._history)
            score, classes = self.readout.read(scored)
        if scored.inner is not None and "keys" in scored.inner:
            self._remember(scored.inner)
        return score.numpy(), classes.numpy()

    def _remember(self, inner: dict[str, Tensor]) -> None:
        """Keep the clips that later ones can still retrieve: the K surest of both groups, and the last ones."""
        keep = self.model.config.context.keep
        keys, probability = inner["keys"], inner["probability"]
        if self._history is not None:
            keys = torch.cat([self._history.tokens, keys], 1)
            probability = torch.cat([self._history.probability, probability], 1)
        n = probability.shape[1]
        sure = torch.cat([_surest(probability[0], keep, True), _surest(probability[0], keep, False)])
        wanted = sorted({*sure.tolist(), *range(max(0, n - keep), n)})
        self._history = History(keys[:, wanted], probability[:, wanted])


def _surest(probability: Tensor, keep: int, abnormal: bool) -> Tensor:
    group = probability >= 0.5 if abnormal else probability < 0.5
    score = torch.where(group, probability if abnormal else 1 - probability, -1.0)
    order = score.argsort(descending=True, stable=True)[:keep]
    return order[score[order] >= 0]


def save_weak(folder: str | Path, model: WeakModel, card: VideoCard) -> Path:
    """Write a model's folder; a learner's texts are kept beside its table.

    Raises:
        ModelError: values that are not finite.
        OutputError: something else is there, or the place can't be written.
    """
    folder = Path(folder)
    check_output(folder / CARD, holds(KIND.encode()), "choose another --out")
    tensors = {name: value.detach().float().contiguous() for name, value in model.state_dict().items()}
    if isinstance(model.text, ClassLearner):
        with torch.no_grad():
            tensors[FEATURES] = model.text().detach().float().contiguous()
    for name, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise ModelError(f"{printable(folder)}: {name} holds values that are not finite; train with a smaller step")
    write_whole(folder / WEIGHTS, save(tensors))
    write_whole(folder / CARD, card.to_json().encode())
    return folder


def load_weak(folder: str | Path) -> TorchNetwork:
    """Read a model's folder.

    Raises:
        ModelError: a file is absent or damaged, or the weights are not what the card says.
    """
    folder = Path(folder)
    where = printable(folder)
    if not (folder / CARD).is_file():
        raise ModelError(f"{where}: no {CARD}; give the folder of a learned video model")
    card = read_card(folder / CARD)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{where}: {WEIGHTS} can't be read ({first_line(error)}); train or import again") from None
    table = tensors.pop(TABLE, None)
    text: nn.Module | None = None
    if FEATURES in tensors:
        text = FixedText(torch.zeros_like(tensors[FEATURES]))
        if len(tensors[FEATURES]) != len(card.classes):
            raise ModelError(f"{where}: texts of {len(tensors[FEATURES])} classes, but {len(card.classes)} names")
    try:
        model = WeakModel(card.config, text)
        model.load_state_dict(tensors)
    except (RuntimeError, ValueError, ZeroDivisionError) as error:
        lines = str(error).splitlines()
        raise ModelError(
            f"{where}: its weights are not of its card ({lines[min(1, len(lines) - 1)].strip()[:160]})"
        ) from None
    return TorchNetwork(model, card, table)


def with_classes(network: TorchNetwork, names: Sequence[str], text: TextTower) -> TorchNetwork:
    """Return the model with other classes, by their names alone; the first is normal where the head is aligned.

    Raises:
        UsageError: the model knows no classes.
        PromptError: names that can't be told apart, or are too long.
    """
    from dataclasses import replace

    config = network.card.config
    if network.table is None:
        raise UsageError(f"{config.preset or 'this model'} learned no texts, so that it takes no class names")
    learner = ClassLearner(text, names, config.head.prefix, config.head.postfix)
    with torch.no_grad():
        learner.table.copy_(network.table)
        features = learner()
    model = WeakModel(config, FixedText(features))
    rest = {name: value for name, value in network.model.state_dict().items() if name != FEATURES}
    model.load_state_dict(rest | {FEATURES: features})
    return TorchNetwork(model, replace(network.card, classes=tuple(names)), network.table)
