"""``zsad.train(...)``: data and a backbone in, one prompt file with its card out."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from zsad import paths
from zsad.backbone import Backbone, load_backbone
from zsad.card import ModelCard
from zsad.config import from_mapping, to_mapping, to_yaml
from zsad.data.examples import Example, digest
from zsad.detector.torch_detector import load_detector
from zsad.errors import UsageError
from zsad.files import output_errors, write_whole
from zsad.outputs import check_folder, check_output, holds
from zsad.prompt.store import StoredPrompt, is_prompt, load_prompt, save_prompt
from zsad.prompt.words import Words
from zsad.stream.sinks.files import LineFile, sole_writer
from zsad.training import checkpoint, loop
from zsad.training.cards import make_card
from zsad.training.checkpoint import Progress
from zsad.training.config import TrainConfig, first_difference, make_config
from zsad.training.features import FeatureStore
from zsad.training.heads import Head, make_head
from zsad.training.loop import Run, StepRecord, fit
from zsad.training.objective import Objective
from zsad.training.processes import Processes
from zsad.training.reporter import Reporter, Silent
from zsad.training.sources import Sources, all_views, parse_requests, read_sources, split
from zsad.training.supply import Supply
from zsad.training.thresholds import drawn_thresholds

PROMPT = "prompt.safetensors"
LOG = "log.jsonl"
SETTINGS = "train.yaml"


@dataclass(frozen=True)
class Trained:
    """What a run gives.

    Attributes:
        prompt: path of the prompt file, for ``zsad.load(..., prompt=...)``.
        card: its card.
        losses: mean loss of each epoch.
        epoch: the epoch that the prompt is of.
        images: usable examples of the first view.
        skipped: examples that could not be used, by name, with the reason.
        computed: images that went through the backbone in this run; the others came from the cache.
        seconds: wall-clock seconds of the feature pass and of the steps.
        notes: what a user must know.
    """

    prompt: Path
    card: ModelCard
    losses: list[float]
    epoch: int
    images: int
    skipped: dict[str, str]
    computed: int
    seconds: dict[str, float]
    notes: list[str] = field(default_factory=list)


def train(
    data: str | Sequence[str],
    backbone: str | Backbone,
    out: str | Path,
    *,
    head: str | None = None,
    recipe: str | None = None,
    config: str | Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    cache: str | Path | None = None,
    cache_gb: float = 50.0,
    workers: int = 0,
    reporter: Reporter | None = None,
    **settings: Any,
) -> Trained:
    """Train prompts on auxiliary data; the backbone stays frozen and sees each image once.

    Args:
        data: one or several of ``[KEY=]LAYOUT_OR_DATASET:PATH``, ``[KEY=]normals:PATH`` (good images, which get
            synthetic defects) and ``synthetic`` (no images at all).
        backbone: an id of :func:`zsad.backbone.load_backbone`, or a backbone.
        out: folder that gets ``prompt.safetensors``, ``checkpoint.state``, ``log.jsonl`` and ``train.yaml``.
        head: ``"prompt"`` (text prompts) or ``"weights"`` (language-free vectors).
        recipe: ``"anomalyclip"`` (as published) or ``"default"`` (with the improvements).
        config: YAML with fields of :class:`~zsad.training.config.TrainConfig`.
        resume: go on from the checkpoint in ``out``.
        device: ``"cpu"`` or ``"cuda"``.
        cache: folder of the feature cache, shared between runs; by default in the user's cache folder.
        cache_gb: largest size of that folder in GB; 0 for none, which runs the backbone in every step.
        workers: loader processes of the feature pass.
        reporter: told what happens.
        settings: single fields of :class:`~zsad.training.config.TrainConfig`, such as ``epochs=5``.

    Returns:
        Where the prompt is, and how it went.

    Raises:
        UsageError: options that make no sense together, or features that do not fit into ``cache_gb``.
        DatasetError: data of another layout, or with one label only.
        ConfigError: an unknown setting, or one out of range.
        ModelError: the backbone can't be loaded, or the loss is not a number any more.
        OccupiedError: ``out`` holds files of these names that zsad did not write.
        InUseError: another run writes there.
        OutputError: ``out`` or the cache can't be written.
    """
    chosen = make_config(recipe, config, settings | {"head": head})
    out = Path(out)
    check_place(out)
    processes = Processes.join(device)
    with ExitStack() as ends:
        ends.callback(processes.leave)
        if processes.first:
            ends.enter_context(sole_writer(out, out / ".zsad-train.lock"))
        told = reporter if reporter is not None and processes.first else Silent()
        requests = parse_requests([data] if isinstance(data, str) else list(data))
        tower = _tower(backbone, chosen, device)
        sources = read_sources(requests, chosen, tower.image_size)
        for note in sources.notes:
            told.note(note)
        session = _Session(tower, chosen, sources, out, processes, told)
        store = FeatureStore(Path(cache) if cache else paths.cache_dir() / "features", cache_gb) if cache_gb else None
        return session.run(store, workers, resume)


def check_place(out: Path) -> None:
    """Look at the folder of a run before the work: what is there of these names must be from zsad.

    Raises:
        OccupiedError: it is not, or the folder is a file.
    """
    remedy = "choose another --out"
    check_folder(out, remedy)
    check_output(out / PROMPT, is_prompt, remedy)
    check_output(out / checkpoint.NAME, holds(b'"progress"', within=1_000_000), remedy)
    if not (out / checkpoint.NAME).exists() and not (out / PROMPT).exists():
        for name in (LOG, SETTINGS):
            check_output(out / name, lambda path: False, remedy)


class _Session:
    """One call of :func:`train`."""

    def __init__(
        self,
        tower: Backbone,
        config: TrainConfig,
        sources: Sources,
        out: Path,
        processes: Processes,
        reporter: Reporter,
    ) -> None:
        self.tower, self.config, self.sources = tower, config, sources
        self.out, self.processes, self.reporter = out, processes, reporter
        self.seconds: dict[str, float] = {}
        with output_errors(out):
            out.mkdir(parents=True, exist_ok=True)

    def run(self, store: FeatureStore | None, workers: int, resume: bool) -> Trained:
        """Features, then steps, then the file."""
        train_part, held_part = split(self.sources.examples, self.config)
        supplies = [
            Supply(views, self.tower, store, self.config.dtype, workers)
            for views in (all_views(train_part, self.config), [held_part] if held_part else [])
            if views
        ]
        run, progress = self._prepare(supplies, resume)
        started = time.perf_counter()
        self._features(supplies)
        self.seconds["features"] = time.perf_counter() - started
        started = time.perf_counter()
        if progress.total == 0:
            self._write_log(None)
        fit(run, progress, self._on_step, lambda now, better: self._on_epoch(run.head, now, better))
        self.seconds["steps"] = time.perf_counter() - started
        if self.processes.first:
            self._set_thresholds()
        return self._result(run, progress, supplies)

    def _prepare(self, supplies: list[Supply], resume: bool) -> tuple[Run, Progress]:
        config, tower = self.config, self.tower
        head = make_head(tower, config, self.sources.pixels)
        adam = loop.optimiser(head, config)
        objective = Objective(tower.image_size, tower.grid, supplies[0].device)
        run = Run(
            head=head,
            adam=adam,
            objective=objective,
            config=config,
            train=supplies[0],
            held=supplies[1] if len(supplies) > 1 else None,
            processes=self.processes,
            folder=self.out,
        )
        fresh = Progress(settings=to_mapping(config), data=_data_hash(self.sources.examples))
        path = self.out / checkpoint.NAME
        if not resume:
            if path.exists():
                raise UsageError(f"{self.out}: holds a run; add --resume to go on with it, or choose another --out")
            self.processes.wait()  # all have looked before the first writes
            return run, fresh
        progress = checkpoint.load(path, head, adam)
        # A setting that an older version did not know yet had its default.
        known = to_mapping(from_mapping(TrainConfig, progress.settings, str(path)))
        changed = first_difference(known, fresh.settings)
        if changed is None and progress.data != fresh.data:
            changed = "the training images are not the same"
        if changed:
            raise UsageError(f"{self.out}: can't be resumed: {changed}; use the same, or choose another --out")
        for group in adam.param_groups:
            group["lr"] = config.lr
        progress.settings = fresh.settings
        return run, progress

    def _features(self, supplies: list[Supply]) -> None:
        total = sum(len(view) for supply in supplies for view in supply.datasets)
        done = sum(supply.reserve() for supply in supplies)
        if supplies[0].store is None:
            return
        self.reporter.features(done, total)

        def on_image() -> None:
            nonlocal done
            done += 1
            self.reporter.features(min(done, total), total)

        for supply in supplies:
            supply.fill(self.processes, on_image)

    def _on_step(self, record: StepRecord) -> None:
        self._write_log(record)
        self.reporter.step(record, self.config)

    def _write_log(self, record: StepRecord | None) -> None:
        """Add one line for a step; None begins the log and writes the settings beside it."""
        if not self.processes.first:
            return
        with output_errors(self.out / LOG):
            if record is None:
                write_whole(self.out / LOG, b"")
                write_whole(self.out / SETTINGS, to_yaml(self.config).encode())
                return
            with closing(LineFile(self.out / LOG, append=True)) as log:
                log.write(json.dumps(asdict(record)).encode("ascii") + b"\n")

    def _on_epoch(self, head: Head, progress: Progress, better: bool) -> None:
        """Write the prompt as it is now; with a held-out part, only if it is the best so far."""
        if better and self.processes.first:
            self._save_prompt(head, progress)

    def _save_prompt(self, head: Head, progress: Progress) -> None:
        vectors, layer_weights = head.finished()
        card = make_card(self.tower, self.config, self.sources, progress, layer_weights)
        save_prompt(self.out / PROMPT, StoredPrompt(card=card, vectors=vectors, learned=head.learned()))

    def _set_thresholds(self) -> None:
        """Write thresholds measured on drawn scenes into the finished prompt; it stays uncalibrated."""
        stored = load_prompt(self.out / PROMPT)
        detector = load_detector(self.tower, Words(prompt=str(self.out / PROMPT)))
        found = drawn_thresholds(detector, self.config.threshold_scenes, self.config.seed)
        if found is None:
            return
        details = stored.card.provenance.details | {"thresholds": found.told}
        card = stored.card.changed(image_threshold=found.image, pixel_threshold=found.pixel, details=details)
        save_prompt(self.out / PROMPT, replace(stored, card=card))

    def _result(self, run: Run, progress: Progress, supplies: list[Supply]) -> Trained:
        skipped = {
            supply.datasets[view].examples[index].name: why
            for supply in supplies
            for (view, index), why in supply.problems.items()
        }
        if skipped:
            lines = list(skipped.values())
            more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""
            self.reporter.note(f"{len(lines)} images could not be used: {'; '.join(lines[:3])}{more}")
        self.processes.wait()  # for the one that writes
        return Trained(
            prompt=self.out / PROMPT,
            card=load_prompt(self.out / PROMPT).card,
            losses=progress.losses,
            epoch=progress.best_epoch or progress.epoch,
            images=len(run.train.usable(0)),
            skipped=skipped,
            computed=sum(supply.computed for supply in supplies),
            seconds=self.seconds,
            notes=self.sources.notes,
        )


def _tower(backbone: str | Backbone, config: TrainConfig, device: str) -> Backbone:
    """Load the backbone, read as the settings say."""
    tower = load_backbone(backbone, device=device, dtype=config.dtype) if isinstance(backbone, str) else backbone
    info = tower.info
    published = 518 if info.patch_size == 14 else info.native_size
    changes: dict[str, Any] = {
        "image_size": config.image_size or (published if isinstance(backbone, str) else tower.image_size),
        "layers": config.layers_of(info.depth),
        "pos_interp": config.pos_interp,
        "class_norm": config.class_norm,
    }
    if config.vv_blocks is not None:
        changes["vv_blocks"] = config.vv_blocks
    return tower.configured(**changes)


def _data_hash(examples: Sequence[Example]) -> str:
    return digest(*(example.identity() for example in examples))
