"""What the dual encoder is trained for, each term a function of unit vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from factory.config import LossConfig


@dataclass(frozen=True)
class Features:
    """Unit vectors of one batch, float32.

    Attributes:
        cls: ``(B, D)`` class tokens.
        patches: ``(B, N, D)`` patch features.
        captions: ``(B, D)`` caption features.
        pairs: ``(B, 2, D)`` each image's normal and anomalous text.
        defect_words: ``(Vd, D)``.
        material_words: ``(Vm, D)``.
    """

    cls: Tensor
    patches: Tensor
    captions: Tensor
    pairs: Tensor
    defect_words: Tensor
    material_words: Tensor


@dataclass(frozen=True)
class Targets:
    """Ground truth of one batch.

    Attributes:
        mask: float32 ``(B, S, S)``, 1 on defects.
        label: float32 ``(B,)``, 1 for anomalous.
        same: bool ``(B, B)``, True where captions are identical.
        defects: bool ``(B, Vd)``, the defect words that fit, or none.
        materials: bool ``(B, Vm)``, the material words that fit, or none.
    """

    mask: Tensor
    label: Tensor
    same: Tensor
    defects: Tensor
    materials: Tensor


def total(
    features: Features, targets: Targets, scale: Tensor, temperature: Tensor, offset: Tensor, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """Add up the weighted terms.

    Args:
        features: what the towers gave.
        targets: what is true.
        scale: learned factor of the contrastive cosines, above 0.
        temperature: the detector's divisor of cosines, learned, above 0.
        offset: learned, added to the patch logits, so that no feature has to carry how rare defects are. The
            detector leaves it out: it shifts every patch alike.
        config: the weights.

    Returns:
        ``(loss, terms)``: a scalar, and every unweighted term by name.
    """
    direction = (features.pairs[:, 1] - features.pairs[:, 0]) / temperature  # (B, D)
    z = torch.einsum("bnd,bd->bn", features.patches, direction)  # (B, N): p = sigmoid(z), as in the detector
    grid = round(z.shape[1] ** 0.5)
    z = z.view(-1, grid, grid) + offset  # (B, G, G)
    terms = {
        "caption": caption_contrast(features.cls, features.captions, targets.same, scale),
        "focal": soft_focal(z, share(targets.mask, grid, config.gain), config.positive),
        "dice": soft_dice(z, share(targets.mask, 2 * grid, config.gain)),
        "image": F.binary_cross_entropy_with_logits((features.cls * direction).sum(-1), targets.label),
        "peak": F.binary_cross_entropy_with_logits(peak(z), targets.label),
        "state": state_contrast(features.pairs),
        "word": word_contrast(
            features,
            targets,
            share(targets.mask, grid, config.gain).flatten(1),
            scale,
            pick_each if config.each else pick,
        ),
    }
    loss = torch.stack([getattr(config, name) * value for name, value in terms.items()]).sum()
    return loss, terms


def share(mask: Tensor, grid: int, gain: float) -> Tensor:
    """Return patch targets ``(B, grid, grid)`` in [0, 1]: the mask's share of each cell times ``gain``, at most 1."""
    return (F.adaptive_avg_pool2d(mask[:, None], grid)[:, 0] * gain).clamp(max=1.0)


def caption_contrast(cls: Tensor, captions: Tensor, same: Tensor, scale: Tensor) -> Tensor:
    """Symmetric cross-entropy between images and captions; identical captions share the target equally.

    Source: CLIP (Radford et al., 2021), with soft targets.
    """
    logits = scale * cls @ captions.T  # (B, B)
    target = same.float() / same.float().sum(1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def state_contrast(pairs: Tensor, margin: float = 0.3) -> Tensor:
    """Hold texts of one state together and those of the two states apart, up to a margin of the cosine.

    Args:
        pairs: ``(B, 2, D)``, normal and anomalous texts.
        margin: cosines above this within a state, and below its negative across states, cost nothing.
    """
    normal, anomalous = pairs.unbind(1)  # (B, D)
    within = (margin - normal @ normal.T).relu().mean() + (margin - anomalous @ anomalous.T).relu().mean()
    return within / 2 + (normal @ anomalous.T + margin).relu().mean()


def soft_focal(z: Tensor, target: Tensor, positive: float) -> Tensor:
    """Cross-entropy weighted by the squared error of the probability, for targets in [0, 1].

    Source: quality focal loss (Li et al., 2020), beta 2, with a weight of positives.
    """
    entropy = F.binary_cross_entropy_with_logits(z, target, reduction="none")
    weight = (z.sigmoid() - target).square() * (1 + (positive - 1) * target)
    return (weight * entropy).mean()


def soft_dice(z: Tensor, target: Tensor) -> Tensor:
    """One minus the mean dice of the enlarged probabilities ``(B, G, G) -> (B, 2 G, 2 G)`` with soft targets.

    Source: the published dice of AnomalyCLIP (its ``BinaryDiceLoss``, smooth 1).
    """
    p = F.interpolate(z.sigmoid()[:, None], size=target.shape[-2:], mode="bilinear")[:, 0]  # (B, 2 G, 2 G)
    both = (2 * (p * target).sum((1, 2)) + 1) / (p.sum((1, 2)) + target.sum((1, 2)) + 1)
    return 1 - both.mean()


def peak(z: Tensor) -> Tensor:
    """Return the mean of the highest patches' logits ``(B,)``: 1 % of the grid, at least 3."""
    flat = z.flatten(1)
    return flat.topk(min(max(3, flat.shape[1] // 100), flat.shape[1]), dim=1).values.mean(1)


def pick(logits: Tensor, fitting: Tensor) -> Tensor:
    """Minus the log of the fitting words' total probability, over rows where any fits; 0 if there is none.

    Args:
        logits: ``(B, V)``, one per word.
        fitting: bool ``(B, V)``.
    """
    known = fitting.any(1)
    right = logits.masked_fill(~(fitting | ~known[:, None]), float("-inf")).logsumexp(1)
    return ((logits.logsumexp(1) - right) * known).sum() / known.sum().clamp(min=1)


def pick_each(logits: Tensor, fitting: Tensor) -> Tensor:
    """Minus the mean log-probability of each fitting word among those that don't fit, over rows where any fits.

    Synonyms don't compete: where :func:`pick` is content with one of them, here each has to win on its own.

    Args:
        logits: ``(B, V)``, one per word.
        fitting: bool ``(B, V)``; a row in which all words fit asks nothing.
    """
    others = logits.masked_fill(fitting, float("-inf")).logsumexp(1, keepdim=True)  # (B, 1)
    asked = fitting & others.isfinite()
    cost = F.softplus(torch.where(asked, others - logits, 0.0)) * asked  # (B, V)
    known = asked.any(1)
    return (cost.sum(1) / asked.sum(1).clamp(min=1)).sum() / known.sum().clamp(min=1)


def word_contrast(
    features: Features,
    targets: Targets,
    share: Tensor,
    scale: Tensor,
    question: Callable[[Tensor, Tensor], Tensor] = pick,
) -> Tensor:
    """Log-likelihood of the fitting words: materials and defects from the class token and from region means.

    Args:
        features: the batch.
        targets: which words fit.
        share: patch targets ``(B, N)``; the defect's region is read with these weights, the rest without them.
        scale: learned factor of the cosines.
        question: :func:`pick`, one fitting word is enough, or :func:`pick_each`, all have to win.
    """
    views = views_of(features.cls, features.patches, share)
    defects = (features.defect_words, targets.defects)
    return word_losses(views, defects, (features.material_words, targets.materials), scale, question)


@dataclass(frozen=True)
class Views:
    """What words are asked of: unit vectors, float32 ``(B, D)`` each.

    Attributes:
        cls: class tokens.
        inside: mean patch features of the defect's region.
        outside: those of the rest.
    """

    cls: Tensor
    inside: Tensor
    outside: Tensor


def views_of(cls: Tensor, patches: Tensor, share: Tensor) -> Views:
    """Return the views of images.

    Args:
        cls: unit vectors ``(B, D)``.
        patches: unit vectors ``(B, N, D)``.
        share: how far each patch belongs to the defect, ``(B, N)`` in [0, 1].
    """
    inside, outside = (F.normalize(torch.einsum("bn,bnd->bd", w, patches), dim=-1) for w in (share, 1 - share))
    return Views(cls, inside, outside)


def word_losses(
    views: Views,
    defects: tuple[Tensor, Tensor],
    materials: tuple[Tensor, Tensor],
    scale: Tensor,
    question: Callable[[Tensor, Tensor], Tensor] = pick,
) -> Tensor:
    """Return the mean of the four questions' losses.

    Args:
        views: of B images.
        defects: unit vectors of the words ``(V, D)``, and which fit, bool ``(B, V)``.
        materials: the same for materials.
        scale: factor of the cosines.
        question: :func:`pick`, one fitting word is enough, or :func:`pick_each`, all have to win.
    """
    parts = [
        question(scale * seen @ vectors.T, fitting)
        for seen, (vectors, fitting) in (
            (views.cls, defects),
            (views.inside, defects),
            (views.cls, materials),
            (views.outside, materials),
        )
    ]
    return torch.stack(parts).mean()
