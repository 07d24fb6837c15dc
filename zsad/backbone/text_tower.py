"""The text tower of a frozen CLIP, read through its parameters: token ids or embeddings -> text features.

Always float32: a text is encoded once, so that nothing is gained by less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.backbone.value_attention import open_clip_blocks
from zsad.errors import ModelError, PromptError

Insert: TypeAlias = Callable[[int, Tensor], Tensor]
"""``insert(i, x)`` returns what block ``i`` (0-based) reads instead of ``x`` ``(P, T, W)``."""

_PARTS = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")
_POOLS = ("argmax", "eos", "first", "last")


class TextTower(nn.Module):
    """Text -> features of a CLIP text transformer, with a place to insert deep prompts.

    Attributes:
        width: W, width of the token embeddings.
        depth: number of blocks.
        context_length: number of positions T.
        has_tokens: False if the checkpoint came without its token table; only embeddings can then be encoded.

    Args:
        model: an open_clip ``CLIP`` or ``CustomTextCLIP``; only its text part is kept.
        tokenizer: open_clip's tokenizer of that model.
        has_tokens: see above.

    Raises:
        ModelError: the text tower is of another kind.
    """

    def __init__(self, model: Any, tokenizer: Any, has_tokens: bool = True) -> None:
        super().__init__()
        text = getattr(model, "text", model)
        missing = [name for name in _PARTS if not hasattr(text, name)]
        self.pool = str(getattr(text, "pool_type", None) or getattr(text, "text_pool_type", "argmax"))
        if missing or self.pool not in _POOLS or getattr(text, "cls_emb", None) is not None:
            raise ModelError(f"text tower {type(text).__name__}: not a CLIP text transformer; choose another model")
        self.token_embedding: nn.Embedding = text.token_embedding
        self.positional_embedding: nn.Parameter = text.positional_embedding
        self.transformer: nn.Module = text.transformer
        self.ln_final: nn.Module = text.ln_final
        self.text_projection: nn.Parameter | nn.Linear | None = text.text_projection
        self.causal = getattr(text, "attn_mask", None) is not None
        self.eos_id = int(getattr(text, "eos_id", None) or getattr(text, "text_eos_id", None) or 2)
        self.context_length = int(self.positional_embedding.shape[0])
        self.width = int(self.positional_embedding.shape[1])
        self.depth = len(open_clip_blocks(self.transformer))
        self.has_tokens = has_tokens
        self._tokenizer = tokenizer

    @property
    def tokenizer(self) -> Any:
        """Open_clip's tokenizer of this tower."""
        return self._tokenizer

    def tokenize(self, texts: Sequence[str], cut: bool = False) -> Tensor:
        """Return token ids, int64 ``(P, T)``; see :func:`token_ids`."""
        return token_ids(self._tokenizer, texts, self.context_length, cut).to(self.positional_embedding.device)

    def embed(self, ids: Tensor) -> Tensor:
        """Return token embeddings ``(P, T, W)`` of ids ``(P, T)``.

        Raises:
            ModelError: the checkpoint came without its token table.
        """
        if not self.has_tokens:
            raise ModelError("the checkpoint has no token_embedding.weight: text can't be encoded; use a complete one")
        embeddings: Tensor = self.token_embedding(ids)
        return embeddings

    def ends(self, ids: Tensor) -> Tensor:
        """Return the position that stands for each text, int64 ``(P,)``, from ids ``(P, T)``."""
        if self.pool == "argmax":
            return ids.argmax(dim=-1)
        if self.pool == "eos":
            return (ids == self.eos_id).int().argmax(dim=-1)
        return torch.full((ids.shape[0],), 0 if self.pool == "first" else ids.shape[1] - 1, device=ids.device)

    def block_outputs(self, embeddings: Tensor, insert: Insert | None = None) -> Iterator[Tensor]:
        """Yield the output ``(P, T, W)`` of every block for embeddings ``(P, T, W)`` of the first T positions."""
        x = embeddings + self.positional_embedding[: embeddings.shape[1]]  # (P, T, W)
        for index, block in enumerate(open_clip_blocks(self.transformer)):
            if insert is not None:
                x = insert(index, x)
            P, T, W = x.shape
            qkv = F.linear(block.norm1(x), block.qkv_weight, block.qkv_bias)  # (P, T, 3 W)
            q, k, v = qkv.view(P, T, 3, block.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)  # (P, h, T, d)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal).transpose(1, 2)  # (P, T, h, d)
            x = x + block.scale1(block.out(y.reshape(P, T, W)))
            x = x + block.scale2(block.mlp(block.norm2(x)))
            yield x

    def encode(self, embeddings: Tensor, ends: Tensor, insert: Insert | None = None) -> Tensor:
        """Encode token embeddings; differentiable.

        In a causal tower no position reads a later one, so positions after the last end are left out: exact.

        Args:
            embeddings: ``(P, T, W)`` without position embeddings.
            ends: int64 ``(P,)``, the position that stands for each text.
            insert: replaces the input of a block; deep prompts.

        Returns:
            Features ``(P, D)``, not normalised.
        """
        keep = int(ends.max()) + 1 if self.causal else embeddings.shape[1]
        x = embeddings[:, :keep]
        for output in self.block_outputs(x, insert):
            x = output
        out: Tensor = self.ln_final(x[torch.arange(len(x), device=x.device), ends])  # (P, W)
        if isinstance(self.text_projection, nn.Linear):
            out = self.text_projection(out)  # (P, D)
        elif self.text_projection is not None:
            out = out @ self.text_projection  # (P, D)
        return out

    def encode_texts(self, texts: Sequence[str], cut: bool = False) -> Tensor:
        """Encode strings: features ``(P, D)``, not normalised; see :func:`token_ids`."""
        ids = self.tokenize(texts, cut)
        return self.encode(self.embed(ids), self.ends(ids))


def token_ids(tokenizer: Any, texts: Sequence[str], context_length: int, cut: bool = False) -> Tensor:
    """Return the token ids of texts, int64 ``(P, T)``, ended and padded as the tokenizer does.

    Args:
        tokenizer: one of open_clip's.
        texts: any strings; case and runs of spaces do not matter to CLIP's.
        context_length: number of positions T.
        cut: leave out what is beyond T positions; else that is an error.

    Raises:
        PromptError: a text with more tokens than there are positions, which the tokenizer would cut off.
    """
    import open_clip

    if isinstance(tokenizer, open_clip.SimpleTokenizer):
        # open_clip renamed OpenAI's two special tokens; their written form is kept as it was published.
        texts = [
            t.replace("<|startoftext|>", "<start_of_text>").replace("<|endoftext|>", "<end_of_text>") for t in texts
        ]
        for text in texts:
            count = len(tokenizer.encode(text)) + 2
            if count > context_length and not cut:
                raise PromptError(
                    f"text {text[:40]!r}... has {count} tokens, the limit is {context_length}; shorten it"
                )
    ids: Tensor = tokenizer(list(texts), context_length=context_length)
    return ids
