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
from zsad.outputs import begins, check_folder, check_output, holds
from zsad.outside import printable
from zsad.prompt.class_learner import ClassLearner
from zsad.types import FloatArray
from zsad.video.learned.card import CARD, KIND, LOG, WEIGHTS, VideoCard, read_card
from zsad.video.learned.carried import Carried
from zsad.video.weak.model import FixedText, WeakModel
from zsad.video.weak.readout import BankReadout, readout_of

TABLE = "text.table"
FEATURES = "text.features"
ROW = b'{"epoch": '
"""How every line of a log begins."""


class TorchNetwork:
    """A loaded model: a :class:`~zsad.video.learned.scoring.Network`.

    Args:
        model: in evaluation mode, with fixed texts.
        card: what it reads and knows.
        table: learned context of its class texts, or None.
    """

    def __init__(self, model: WeakModel, card: VideoCard, table: Tensor | None = None) -> None:
        self.model, self._card, self.table = model.eval().requires_grad_(False), card, table
        self.readout = readout_of(self.model)
        self.begin()

    @property
    def card(self) -> VideoCard:
        """What it reads and knows."""
        return self._card

    def begin(self) -> None:
        """Forget the clips of the video before."""
        self._carried = Carried(self._card.config)

    def run(self, x: FloatArray, lengths: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """Score blocks of one video; what banks hold is carried on."""
        valid = torch.arange(x.shape[1]) < torch.tensor(list(lengths))[:, None]
        with torch.no_grad():
            if not isinstance(self.readout, BankReadout):
                score, classes = self.readout(torch.from_numpy(x), valid)
                return score.numpy(), classes.numpy()
            before = (torch.from_numpy(part) for part in self._carried.of(len(x)))
            score, classes, sure = self.readout(torch.from_numpy(x), valid, *before)
        self._carried.add(x, sure.numpy(), lengths)
        return score.numpy(), classes.numpy()


def check_place(folder: Path) -> None:
    """Refuse a folder for a model that holds something else by the names of its files.

    Raises:
        OccupiedError: it is a file, or one of its files was not written by zsad.
    """
    other = "choose another --out"
    check_folder(folder, other)
    check_output(folder / CARD, holds(KIND.encode()), other)
    beside = (folder / CARD).is_file()  # older weights do not say what they are
    check_output(folder / WEIGHTS, lambda path: beside or holds(KIND.encode())(path), other)
    check_output(folder / LOG, begins(ROW), other)


def save_weak(folder: str | Path, model: WeakModel, card: VideoCard) -> Path:
    """Write a model's folder; a learner's texts are kept beside its table.

    Raises:
        ModelError: values that are not finite.
        OutputError: something else is there, or the place can't be written.
    """
    folder = Path(folder)
    check_place(folder)
    tensors = {name: value.detach().float().contiguous() for name, value in model.state_dict().items()}
    if isinstance(model.text, ClassLearner):
        with torch.no_grad():
            tensors[FEATURES] = model.text().detach().float().contiguous()
    for name, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise ModelError(f"{printable(folder)}: {name} holds values that are not finite; train with a smaller step")
    write_whole(folder / WEIGHTS, save(tensors, metadata={"kind": KIND}), synced=True)
    write_whole(folder / CARD, card.to_json().encode(), synced=True)
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
    """Return the model with other classes, by their names alone; normal is put first where the head is aligned.

    Raises:
        UsageError: the model knows no classes.
        ModelError: the text tower is of another width.
        PromptError: names that can't be told apart, or are too long.
    """
    from dataclasses import replace

    config = network.card.config
    names = tuple(names)
    if config.head.kind == "aligned" and names and names[0].lower().strip() != "normal":
        names = ("normal", *names)
    if network.table is None:
        raise UsageError(f"{config.preset or 'this model'} learned no texts, so that it takes no class names")
    learner = ClassLearner(text, names, config.head.prefix, config.head.postfix)
    with torch.no_grad():
        learner.table.copy_(network.table)
        features = learner()
    if features.shape[-1] != config.width:
        raise ModelError(f"the model compares texts {config.width} wide, that text tower's are {features.shape[-1]}; "
                         "name the backbone that its features are of")  # fmt: skip
    model = WeakModel(config, FixedText(features))
    rest = {name: value for name, value in network.model.state_dict().items() if name != FEATURES}
    model.load_state_dict(rest | {FEATURES: features})
    return TorchNetwork(model, replace(network.card, classes=tuple(names)), network.table)
