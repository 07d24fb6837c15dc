"""A trainable prompt for any number of classes: one learned table around the words of every name.

Source: VadCLIP (AAAI 2024), section 3.4; OVVAD (CVPR 2024) describes the same form, after CoOp.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zsad.backbone import TextTower
from zsad.errors import PromptError
from zsad.outside import printable

INIT_STD = 0.01


class ClassLearner(nn.Module):
    """Learned context before and after K class names, in front of a frozen text tower.

    Parameters: ``table`` ``(P, W)``, a row for each of the tower's P positions, shared by the classes. A name's words
    keep their own embeddings, so that a class is added by its name.

    Args:
        text: the frozen text tower.
        names: K class names.
        prefix: learned positions before a name.
        postfix: learned positions after it.
        ids: token ids of the names, int64 ``(K, P)``, begin to end; by default the tower's own of ``names``.
        seed: of the initial values.

    Raises:
        PromptError: no name, one that comes twice, or one too long for the tower.
    """

    def __init__(
        self,
        text: TextTower,
        names: Sequence[str],
        prefix: int = 10,
        postfix: int = 10,
        *,
        ids: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.known: Tensor
        self.fixed: Tensor
        self.ends: Tensor
        check_names(names)
        self.names, self.prefix, self.postfix = tuple(names), prefix, postfix
        self._text = (text,)  # in a tuple: frozen, so not part of this module's parameters
        ids = text.tokenize(names) if ids is None else ids  # (K, P)
        last = text.ends(ids)  # (K,), the index m of each name's end token
        longest = int(last.argmax())
        if int(last[longest]) + prefix + postfix >= text.context_length:
            raise PromptError(
                f"class {printable(names[longest])[:60]!r}: its name and {prefix} + {postfix} learned positions are "
                f"longer than the text tower reads ({text.context_length}); shorten it"
            )
        known, fixed = _placed(text.embed(ids).detach(), last, prefix, postfix)
        self.register_buffer("known", known, persistent=False)  # (K, P, W)
        self.register_buffer("fixed", fixed, persistent=False)  # (K, P)
        self.register_buffer("ends", last + prefix + postfix, persistent=False)  # (K,)
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(text.context_length, text.width, generator=generator) * INIT_STD)
        self.to(ids.device)

    @property
    def text(self) -> TextTower:
        """The frozen text tower."""
        return self._text[0]

    def embeddings(self) -> Tensor:
        """Return the token embeddings of every class ``(K, P, W)``, without position embeddings."""
        return torch.where(self.fixed[..., None], self.known, self.table)

    def forward(self) -> Tensor:
        """Return the text features ``(K, D)``, not normalised."""
        return self.text.encode(self.embeddings(), self.ends)


def check_names(names: Sequence[str]) -> None:
    """Refuse class names that can't be told apart.

    Raises:
        PromptError: no name, an empty one, or one that comes twice but for case and spaces.
    """
    if not names:
        raise PromptError("no class names; give at least two")
    seen: set[str] = set()
    for name in names:
        plain = " ".join(name.lower().split())
        if not plain:
            raise PromptError("a class name is empty; give each class words")
        if plain in seen:
            raise PromptError(f"class {printable(name)[:60]!r} comes twice; name each class once")
        seen.add(plain)


def _placed(embedded: Tensor, last: Tensor, prefix: int, postfix: int) -> tuple[Tensor, Tensor]:
    """Move words behind the prefix and ends behind the postfix: embeddings ``(K, P, W)``, and where they stand."""
    known, fixed = torch.zeros_like(embedded), torch.zeros(embedded.shape[:2], dtype=torch.bool)
    for row, end in enumerate(last.tolist()):
        known[row, 0] = embedded[row, 0]
        known[row, prefix + 1 : prefix + end] = embedded[row, 1:end]
        known[row, prefix + end + postfix] = embedded[row, end]
        fixed[row, [0, *range(prefix + 1, prefix + end), prefix + end + postfix]] = True
    return known, fixed.to(embedded.device)
