"""Context blocks of VAD-LLaMA: clips of the same video, the most telling and the last ones, retrieved by likeness.

Source: VAD-LLaMA (ECCV 2024), section 3.3. As published, the long bank keeps fewer than K clips of a group, forgets the
clips of the batch before, and mixes videos that share a batch; that is ``compat``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.video.learned.config import Config
from zsad.video.weak.heads import Scored
from zsad.video.weak.tokens import TokenMLP, into_clips, told


@dataclass
class History:
    """What an earlier piece of the same videos has left: flat clip tokens ``(B, h, n)``, probabilities ``(B, h)``.

    A place that holds nothing has tokens of 0 and a probability of NaN, which belongs to no group; it stands in front.
    """

    tokens: Tensor
    probability: Tensor


def select(
    probability: Tensor, keep: int, *, earlier: int = 0, starts: Tensor | None = None, compat: bool = False
) -> tuple[Tensor, Tensor]:
    """Choose the clips that each clip's long bank holds.

    Args:
        probability: of being abnormal, ``(B, h + c)``: clips of before, then those asked for.
        keep: K, how many of each group.
        earlier: h.
        starts: bool ``(B, h + c)``, where another video begins; nothing before it is used after it.
        compat: as published: scores above the K-th largest, so that at most K - 1 are kept where there are K.

    Returns:
        ``(abnormal, normal)``, bool ``(B, c, h + c)``. Each holds the K surest earlier clips of its group, the
        earlier one first where they are equally sure.
    """
    B, n = probability.shape
    place = torch.arange(n, device=probability.device)
    usable = (place[None, :] < place[:, None]).expand(B, n, n)
    if starts is not None and not compat:
        video = starts.long().cumsum(dim=1)
        usable = usable & (video[:, :, None] == video[:, None, :])
    chosen = []
    for group, score in ((probability >= 0.5, probability), (probability < 0.5, 1 - probability)):
        among = (usable & group[:, None])[:, earlier:]  # (B, c, n)
        rows = torch.where(among, score[:, None], 0.0)
        if compat:
            least = rows.topk(min(keep, n), dim=-1).values[..., -1:]
            chosen.append(rows > least)
        else:
            mine, other = rows[..., :, None], rows[..., None, :]  # (B, c, n, n)
            surer = (other > mine) | ((other == mine) & (place[None, :] < place[:, None]))
            chosen.append((surer.sum(dim=-1) < keep) & among)
    return chosen[0], chosen[1]


def recent(count: int, keep: int, *, earlier: int = 0, starts: Tensor | None = None) -> Tensor:
    """Return the clips of each clip's short bank: itself and the ``keep - 1`` before it, bool ``(B or 1, c, h + c)``.

    Args:
        count: c.
        keep: K.
        earlier: h, clips of before.
        starts: bool ``(B, h + c)``, where another video begins.
    """
    place = torch.arange(earlier + count)
    back = place[earlier:, None] - place  # (c, h + c)
    near = ((back >= 0) & (back < keep))[None]
    if starts is None:
        return near
    video = starts.long().cumsum(dim=1)
    return near.to(starts.device) & (video[:, earlier:, None] == video[:, None, :])


def retrieve(queries: Tensor, keys: Tensor, chosen: Tensor) -> Tensor:
    """Return ``sum_j (n_i . n_j) n_j`` over the chosen clips, with n of length 1.

    Args:
        queries: flat tokens of the clips ``(B, c, n)``.
        keys: of the clips of before and these ``(B, h + c, n)``.
        chosen: bool ``(B, c, h + c)``.

    Returns:
        ``(B, c, n)``; 0 where nothing is chosen.
    """
    unit = F.normalize(keys, dim=-1)
    weights = (F.normalize(queries, dim=-1) @ unit.mT) * chosen
    return weights @ unit


class Banks(nn.Module):
    """Both banks: what they retrieve goes through layers of its own and is added to the tokens."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.keep, self.compat = config.context.keep, config.compat
        self.clip = config.temporal.clip
        self.long = TokenMLP(config.width, config.context.hidden, config.width)
        self.short = TokenMLP(config.width, config.context.hidden, config.width)

    def added(
        self, tokens: Tensor, probability: Tensor, history: History | None, starts: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the tokens ``(B, c, t, q, D)`` with the long, and with the short bank's memories added.

        Args:
            tokens: of the clips.
            probability: of their being abnormal ``(B, c)``; no gradient goes through it.
            history: of an earlier piece of the videos.
            starts: bool ``(B, c)``, clips that another video begins with.
        """
        flat = tokens.flatten(2)  # (B, c, n)
        keys, known, earlier = flat, probability, 0
        if history is not None:
            keys, known = torch.cat([history.tokens, flat], 1), torch.cat([history.probability, probability], 1)
            earlier = history.tokens.shape[1]
            starts = None if starts is None else F.pad(starts, (earlier, 0))
        lasting = slice(earlier, None) if self.compat else slice(None)  # published code forgets what was before
        hidden = 0 if self.compat else earlier
        abnormal, normal = select(known[:, lasting], self.keep, earlier=hidden, starts=starts, compat=self.compat)
        long = retrieve(flat, keys[:, lasting], abnormal | normal)
        short = retrieve(flat, keys, recent(flat.shape[1], self.keep, earlier=earlier, starts=starts).to(flat.device))
        return (tokens + self.long(long.view_as(tokens)), tokens + self.short(short.view_as(tokens)))


class QueryHead(nn.Module):
    """Normal and abnormal logits of every query: ``(B, c, Q, D)`` -> ``(B, c, Q, 2)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.mlp = TokenMLP(config.width, config.head.hidden, 2)

    def forward(self, v: Tensor) -> Tensor:
        """Apply it."""
        logits: Tensor = self.mlp(v)
        return logits


def three_readings(
    temporal: nn.Module,
    banks: Banks,
    head: nn.Module,
    frames: Tensor,
    valid: Tensor,
    history: History | None = None,
    starts: Tensor | None = None,
) -> Scored:
    """Read clips alone, then with each bank: frame tokens ``(B, T, q, D)`` -> a logit per clip ``(B, c)``.

    The probability is the mean of the three readings'; ``inner`` has their query logits ``base``, ``long``, ``short``,
    and ``keys`` and ``probability``, of which the next piece's :class:`History` is made.
    """
    clips, there = into_clips(frames, valid, banks.clip)
    base = head(temporal(clips, there))  # (B, c, Q, 2)
    probability = torch.softmax(told(base)[0], dim=-1)[..., 1].detach()
    with_long, with_short = banks.added(clips, probability, history, starts)
    # Both banks' clips are read at once: (2 B, c, ...).
    both = head(temporal(torch.cat([with_long, with_short]), torch.cat([there, there])))
    inner = {"base": base, "long": both[: len(frames)], "short": both[len(frames) :]}
    each = [torch.softmax(told(logits)[0], dim=-1)[..., 1] for logits in inner.values()]
    mean = torch.stack(each).mean(dim=0).clamp(1e-6, 1 - 1e-6)
    inner |= {"keys": clips.flatten(2), "probability": probability, "there": there.any(dim=-1)}
    return Scored(torch.logit(mean), inner=inner)
