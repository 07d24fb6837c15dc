"""The torch Dataset that reads examples as network input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from zsad.card import ModelCard
from zsad.data.examples import Example, network_mask
from zsad.errors import InputError
from zsad.images.preprocess import network_input, network_pixels


class Item(TypedDict):
    """What the dataset gives for one example.

    Attributes:
        index: place of the example in the dataset.
        image: network input, float32 ``(3, S, S)``, or what it is made of, uint8 ``(3, S, S)``; zeros if it can't be
            used.
        mask: bool ``(S, S)``.
        problem: why the example can't be used, or an empty string.
    """

    index: int
    image: Tensor
    mask: Tensor
    problem: str


class ExampleDataset(Dataset[Item]):
    """Examples as network input; a bad one is returned with its problem, so that a loader goes on.

    Args:
        examples: what to read.
        card: size and normalisation.
        raw: leave the normalisation out and give bytes, for changes that are made on batches.
    """

    def __init__(self, examples: Sequence[Example], card: ModelCard, raw: bool = False) -> None:
        self.examples, self.card, self.raw = list(examples), card, raw

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Item:
        """Read example ``index``."""
        side = self.card.input.image_size
        try:
            image, mask = self.examples[index].load()
        except InputError as error:
            blank = torch.zeros(3, side, side)
            return Item(index=index, image=blank, mask=torch.zeros(side, side, dtype=torch.bool), problem=str(error))
        resized = np.zeros((side, side), bool) if mask is None else network_mask(mask, side)
        if self.raw:
            pixels = torch.from_numpy(np.array(network_pixels(image, side).transpose(2, 0, 1), order="C"))
        else:
            pixels = torch.from_numpy(network_input(image, self.card))
        return Item(index=index, image=pixels, mask=torch.from_numpy(resized), problem="")
