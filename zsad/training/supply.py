"""Features of examples, batch by batch: from the cache, or from the tower where they are not in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zsad.backbone import Backbone
from zsad.data.augment import BatchAugmented
from zsad.data.batch_augment import NOTHING, change, draw, network_batch
from zsad.data.examples import Example, digest
from zsad.data.torch_dataset import ExampleDataset, Item
from zsad.errors import DatasetError, ModelError
from zsad.training.features import Entry, FeatureStore, entry_bytes, feature_space, stack
from zsad.training.objective import Targets
from zsad.training.processes import Processes

Pair: TypeAlias = tuple[int, int]
"""View and index of an example."""
TOWER_BATCH = {"cpu": 4, "cuda": 8}
"""Images that go through the vision tower together: enough to keep it busy, and the peak below a training batch."""


@dataclass(frozen=True)
class FeatureBatch:
    """Unit features of B images and what they are compared with.

    Attributes:
        index: places of the images among the examples.
        cls: float32 ``(B, D)``.
        patches: float32 ``(L, B, N, D)``.
        targets: labels and masks.
    """

    index: list[int]
    cls: Tensor
    patches: Tensor
    targets: Targets


class Supply:
    """Features by view and index.

    Args:
        examples: the examples of each view; view 0 holds the unchanged ones.
        backbone: the frozen backbone.
        store: the cache, or None to run the tower in every step.
        dtype: what the tower runs in, for the cache key.
        workers: loader processes of the feature pass; 0 reads in this one.
    """

    def __init__(
        self,
        examples: Sequence[Sequence[Example]],
        backbone: Backbone,
        store: FeatureStore | None,
        dtype: str = "float32",
        workers: int = 0,
    ) -> None:
        self.card = backbone.card()
        self.datasets = [ExampleDataset(list(view), self.card) for view in examples]
        self.backbone, self.store, self.workers = backbone, store, workers
        self.device = next(backbone.parameters()).device
        self.problems: dict[Pair, str] = {}
        """Why an example of a view can't be used, by view and index."""
        self.computed = 0
        """Images that went through the tower in this process."""
        space = feature_space(self.card, dtype)
        self.keys = [[digest(space, e.identity()) for e in view.examples] for view in self.datasets] if store else []

    @property
    def views(self) -> int:
        """Number of views."""
        return len(self.datasets)

    @property
    def count(self) -> int:
        """Number of examples in a view, usable or not."""
        return len(self.datasets[0])

    def usable(self, view: int) -> list[int]:
        """Return the examples of a view without a known problem.

        Raises:
            DatasetError: there is none.
        """
        rows = [i for i in range(len(self.datasets[view])) if (view, i) not in self.problems]
        if not rows:
            first = next(iter(self.problems.values()), "there is none")
            raise DatasetError(f"no image can be used for training: {first}")
        return rows

    def names(self, view: int, rows: Sequence[int]) -> list[str]:
        """Return the names of examples."""
        return [self.datasets[view].examples[i].name for i in rows]

    def reserve(self) -> int:
        """Make room in the cache for all views; return how many entries are there already."""
        keys = [key for view in self.keys for key in view]
        return self.store.reserve(keys, entry_bytes(self.card)) if self.store else 0

    def fill(self, processes: Processes, on_image: Callable[[], None] = lambda: None) -> None:
        """Compute what the cache lacks, each process its share; then whatever is still absent, in all of them.

        The second round finds images that can't be read, so that every process knows the same ones, and all
        of them where the processes do not share a file system.
        """
        if self.store is None:
            return
        missing = [
            (v, i) for v, view in enumerate(self.keys) for i, key in enumerate(view) if self.store.read(key) is None
        ]
        groups = self._sources(missing)
        for share in (processes.share(groups), groups):
            for _ in self._compute([pair for group in share for pair in group if self._absent(*pair)]):
                on_image()
            processes.wait()

    def batch(self, view: int, rows: Sequence[int]) -> FeatureBatch | None:
        """Return features of some examples of a view; None if none of them can be used."""
        entries: dict[int, Entry] = {}
        for i in rows:
            entry = self.store.read(self.keys[view][i]) if self.store else None
            if entry is not None:
                entries[i] = entry
        missing = [i for i in rows if i not in entries and (view, i) not in self.problems]
        entries |= {i: entry for (_, i), entry in self._compute([(view, i) for i in missing])}
        index = [i for i in rows if i in entries]
        if not index:
            return None
        cls, patches, mask = stack([entries[i] for i in index], self.card.input.image_size, self.device)
        chosen = [self.datasets[view].examples[i] for i in index]
        targets = Targets(
            label=torch.tensor([float(e.label) for e in chosen], device=self.device),
            mask=mask,
            masked=torch.tensor([e.masked for e in chosen], device=self.device),
        )
        return FeatureBatch(index, cls, patches, targets)

    def _absent(self, view: int, index: int) -> bool:
        assert self.store is not None
        return self.keys[view][index] not in self.store and (view, index) not in self.problems

    def _example(self, pair: Pair) -> Example:
        view, index = pair
        return self.datasets[view].examples[index]

    def _sources(self, pairs: Sequence[Pair]) -> list[list[Pair]]:
        """Group what is drawn on batches from one image, which is decoded once for all of its views."""
        if not any(isinstance(self._example(pair), BatchAugmented) for pair in pairs):
            return [[pair] for pair in pairs]
        groups: dict[int, list[Pair]] = {}
        for pair in pairs:
            example = self._example(pair)
            source = example.base if isinstance(example, BatchAugmented) else example
            groups.setdefault(id(source), []).append(pair)
        return list(groups.values())

    def _compute(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Entry]]:
        """Run the tower on examples, store what comes out, and yield it."""
        if not pairs:
            return
        size = TOWER_BATCH.get(self.device.type, 8)
        groups = self._sources(pairs)
        raw = any(isinstance(self._example(pair), BatchAugmented) for pair in pairs)
        # All of a group load the same image: a view that is changed on its batch loads its unchanged source.
        loader = DataLoader(
            ExampleDataset([self._example(group[0]) for group in groups], self.card, raw=raw),
            batch_size=size,
            num_workers=self.workers if len(groups) > size else 0,
            collate_fn=list,
        )
        for items in loader:
            self.problems |= {p: item["problem"] for item in items if item["problem"] for p in groups[item["index"]]}
            ready = [(pair, item) for item in items if not item["problem"] for pair in groups[item["index"]]]
            for start in range(0, len(ready), size):
                part = ready[start : start + size]
                for (pair, _), entry in zip(part, self._run_tower(part), strict=True):
                    if self.store is None:
                        yield pair, entry
                        continue
                    view, index = pair
                    self.store.write(self.keys[view][index], entry)
                    yield pair, replace(entry, patches=entry.patches.half())  # as if it came from the cache

    @torch.no_grad()
    def _run_tower(self, part: list[tuple[Pair, Item]]) -> list[Entry]:
        images, masks = self._network_batch(part)
        cls, patches = self.backbone(images)  # (B, D), (B, L, N, D)
        self.computed += len(part)
        if not (bool(cls.isfinite().all()) and bool(patches.isfinite().all())):
            names = ", ".join(self._example(pair).name for pair, _ in part)[:300]
            raise ModelError(
                f"{self.backbone.info.id}: gave NaN or infinite features for {names}; its weights are damaged, or it "
                "needs float32 (--dtype float32)"
            )
        return [Entry.of(c, p, mask) for c, p, mask in zip(cls, patches, masks, strict=True)]

    def _network_batch(self, part: list[tuple[Pair, Item]]) -> tuple[Tensor, Tensor]:
        """Return the network's input ``(B, 3, S, S)`` on the device, changed if it is to be, and masks on the CPU."""
        images = torch.stack([item["image"] for _, item in part]).to(self.device)
        masks = torch.stack([item["mask"] for _, item in part])  # (B, S, S)
        if images.dtype != torch.uint8:
            for _, item in part:
                item["image"] = images.new_empty(0)  # one copy is enough
            return images, masks
        chosen = [self._example(pair) for pair, _ in part]
        draws = [draw(e.config, e.seed) if isinstance(e, BatchAugmented) else NOTHING for e in chosen]
        changed, moved = change(images, masks.to(self.device), draws)
        return network_batch(changed, self.card), moved.cpu()
