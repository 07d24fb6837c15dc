"""Trainable prompts: learned context before the words, and deep prompts inside the text tower.

Source: AnomalyCLIP (ICLR 2024), section 3.2, and its released code: deep prompts *replace* the first context
tokens from the second block on, shared by normal and anomalous.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.backbone import TextTower
from zsad.errors import PromptError
from zsad.prompt.bank import LearnerSettings
from zsad.types import PromptVectors

PLACEHOLDER = "X"
"""Word whose tokens stand where the learned context goes."""
INIT_STD = 0.02


class PromptLearner(nn.Module):
    """Learned prompts in front of a frozen text tower: parameters -> two text features.

    Parameters: ``context_normal`` and ``context_anomalous`` ``(C, W)``, ``deep.i`` ``(K, W)`` for i in
    0..depth - 2. Deep prompts beyond the tower's blocks are kept, unused.

    Args:
        text: the frozen text tower.
        settings: sizes and words.
        half_compat: round deep prompts to float16, forward and backward, as the reference does inside its
            float32 model. Off: float32 throughout.
        seed: of the initial values.

    Raises:
        PromptError: words that are empty or too long for the tower.
    """

    def __init__(
        self, text: TextTower, settings: LearnerSettings | None = None, *, half_compat: bool = False, seed: int = 0
    ) -> None:
        super().__init__()
        self.ids: Tensor
        self.embedded: Tensor
        self.settings = settings = settings or LearnerSettings()
        self.half_compat = half_compat
        self._text = (text,)  # in a tuple: frozen, so not part of this module's parameters
        ids = text.tokenize(
            [f"{PLACEHOLDER} " * settings.context + words for words in (settings.normal, settings.anomalous)]
        )
        if settings.deep_length >= int(text.ends(ids).min()):
            raise PromptError(f"{settings.name}: deep prompts of {settings.deep_length} tokens overwrite a text's end")
        self.register_buffer("ids", ids, persistent=False)  # (2, T)
        self.register_buffer("embedded", text.embed(ids).detach(), persistent=False)  # (2, T, W)
        generator = torch.Generator().manual_seed(seed)

        def drawn(rows: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(rows, text.width, generator=generator) * INIT_STD)

        self.context_normal = drawn(settings.context)
        self.context_anomalous = drawn(settings.context)
        self.deep = nn.ParameterList(drawn(settings.deep_length) for _ in range(settings.depth - 1))
        self.to(ids.device)

    @property
    def text(self) -> TextTower:
        """The frozen text tower."""
        return self._text[0]

    def embeddings(self) -> Tensor:
        """Return the prompts as token embeddings ``(2, T, W)``; row 0 normal, row 1 anomalous."""
        context = torch.stack([self.context_normal, self.context_anomalous])  # (2, C, W)
        after = 1 + self.settings.context
        return torch.cat([self.embedded[:, :1], context, self.embedded[:, after:]], dim=1)

    def insert(self, index: int, x: Tensor) -> Tensor:
        """Return what block ``index`` (0-based) reads instead of ``x`` ``(2, T, W)``."""
        if not 1 <= index <= len(self.deep):
            return x
        deep = self.deep[index - 1].expand(x.shape[0], -1, -1)  # (2, K, W)
        if self.half_compat:
            deep = deep.half().to(x.dtype)
        return torch.cat([x[:, :1], deep, x[:, 1 + self.settings.deep_length :]], dim=1)

    def forward(self) -> Tensor:
        """Return the text features ``(2, D)``, not normalised; row 0 normal, row 1 anomalous."""
        return self.text.encode(self.embeddings(), self.text.ends(self.ids), self.insert)

    def vectors(self, layers: int) -> PromptVectors:
        """Return the two unit vectors, the same pair for the score and for each of ``layers`` layers."""
        with torch.no_grad():
            pair = F.normalize(self(), dim=-1)  # (2, D)
        return PromptVectors.shared(np.asarray(pair.cpu().numpy(), dtype=np.float32), layers)

    def tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the learned values as float32 arrays, by the names that prompt files use."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.named_parameters()}

    def load(self, tensors: Mapping[str, npt.NDArray[np.float32]], name: str = "prompt") -> PromptLearner:
        """Take over learned values; see :meth:`tensors`.

        Raises:
            PromptError: a value is missing, surplus, or of another shape, as after training on another backbone.
        """
        own = dict(self.named_parameters())
        if set(tensors) != set(own):
            odd = sorted(set(tensors) ^ set(own))[0]
            raise PromptError(f"{name}: learned value {odd!r} is missing or surplus; import or train the prompt again")
        for key, parameter in own.items():
            if tensors[key].shape != tuple(parameter.shape):
                raise PromptError(
                    f"{name}: {key} has shape {tensors[key].shape}, this backbone needs {tuple(parameter.shape)}; "
                    "use a prompt made for it"
                )
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(tensors[key], dtype=np.float32)))
        return self
