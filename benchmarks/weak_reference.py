"""VadCLIP's training step computed as the published code does, written from its description: for times, not for use.

Everything has the full length: attention over T x T with a mask that is added, padded snippets through every layer,
both graphs as ``(B, T, T)``, the likeness graph and the losses video by video, 77 positions of the text tower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.video.weak.model import WeakModel


class Step(nn.Module):
    """The step's loss with the weights of a model of this project.

    Args:
        model: ``vadclip-ucf``; its parameters are shared, so that both arms compute the same.
    """

    def __init__(self, model: WeakModel) -> None:
        super().__init__()
        self.model = model
        config = model.config
        length, window = config.temporal.length, config.temporal.window
        mask = torch.full((length, length), -math.inf)
        for at in range(0, length, window):
            mask[at : at + window, at : at + window] = 0
        self.mask, self.heads = mask, config.temporal.heads

    def forward(self, x: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch ``(B, T, D)``."""
        t, c = self.model.temporal, self.model.context
        y = (x + t.position).permute(1, 0, 2)  # (T, B, D)
        for layer in t.layers:
            normed = layer.norm1(y)
            a = layer.attention
            attended, _ = F.multi_head_attention_forward(
                normed, normed, normed, x.shape[-1], self.heads, a.qkv.weight, a.qkv.bias, None, None, False, 0.0,
                a.out.weight, a.out.bias, need_weights=False, attn_mask=self.mask,
            )  # fmt: skip
            y = y + attended
            hidden = layer.mlp.wide(layer.norm2(y))
            y = y + layer.mlp.back(hidden * torch.sigmoid(1.702 * hidden))
        y = y.permute(1, 0, 2)
        similar, near = self._likeness(y, lengths), self._distance(len(y), y.shape[1])
        branches = []
        for layers, graph in ((c.similar, similar), (c.near, near)):
            z = y
            for layer in layers:
                rest = z if layer.residual is None else layer.residual(z.permute(0, 2, 1)).permute(0, 2, 1)
                z = graph.matmul(z.matmul(layer.weight)) + rest
                z = z * torch.sigmoid(1.702 * z)
            branches.append(z)
        return self._losses(c.join(torch.cat(branches, 2)), lengths, labels)

    def _likeness(self, y: Tensor, lengths: Tensor) -> Tensor:
        product = y.matmul(y.permute(0, 2, 1))
        norm = torch.norm(y, p=2, dim=2, keepdim=True)
        cosine = product / (norm.matmul(norm.permute(0, 2, 1)) + 1e-20)
        out = torch.zeros_like(cosine)
        for row, length in enumerate(lengths.tolist()):
            corner = F.threshold(cosine[row, :length, :length], self.model.context.threshold, 0)
            out[row, :length, :length] = F.softmax(corner, dim=1)
        return out

    def _distance(self, batch: int, length: int) -> Tensor:
        place = torch.arange(length, dtype=torch.float32)[:, None]
        far = torch.cdist(place, place, p=1)
        return torch.exp(-(far / math.e)).unsqueeze(0).repeat(batch, 1, 1)

    def _text(self) -> Tensor:
        """Encode the class texts, all positions of them."""
        learner: Any = self.model.text
        tower, x = learner.text, learner.embeddings()
        for output in tower.block_outputs(x):
            x = output
        x = tower.ln_final(x)
        text: Tensor = x[torch.arange(len(x)), learner.ends] @ tower.text_projection
        return text

    def _losses(self, v: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        head = self.model.head
        hidden = head.snippet_mlp.wide(v)
        logits = head.classifier(v + head.snippet_mlp.back(hidden * torch.sigmoid(1.702 * hidden)))  # (B, T, 1)
        text = self._text()
        prompt = logits.permute(0, 2, 1) @ v
        prompt = prompt / prompt.norm(dim=-1, keepdim=True)
        texts = text.expand(len(v), -1, -1) + prompt
        hidden = head.text_mlp.wide(texts)
        texts = texts + head.text_mlp.back(hidden * torch.sigmoid(1.702 * hidden))
        unit, named = v / v.norm(dim=-1, keepdim=True), texts / texts.norm(dim=-1, keepdim=True)
        by_class = unit @ named.permute(0, 2, 1) / head.temperature
        scores, classes = [], []
        for row, length in enumerate(lengths.tolist()):
            count = length // 16 + 1
            scores.append(torch.sigmoid(logits[row, :length, 0]).topk(count).values.mean())
            classes.append(by_class[row, :length].topk(count, dim=0).values.mean(dim=0))
        binary = F.binary_cross_entropy(torch.stack(scores), 1 - labels[:, 0])
        target = labels / labels.sum(dim=1, keepdim=True)
        named_loss = -(target * F.log_softmax(torch.stack(classes), dim=1)).sum(dim=1).mean()
        first = text[0] / text[0].norm()
        alike = sum((first @ (other / other.norm())).abs() for other in text[1:])
        loss: Tensor = binary + named_loss + self.model.config.loss.prompt * alike / (len(text) - 1)
        return loss


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Return how far two sets of gradients are apart: the largest difference, as a share of the largest value."""
    most = max(float(value.abs().max()) for value in b.values())
    return max(float((a[name] - value).abs().max()) for name, value in b.items()) / most
