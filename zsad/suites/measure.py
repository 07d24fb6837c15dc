"""A suite -> finished classes -> one record per run."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsad.data.spec import DataSpec, Loaded, load_samples
from zsad.detector.base import Detector
from zsad.errors import DatasetError, InputError
from zsad.evaluation import ClassTable, DatasetTable, Options, Table, evaluate_class
from zsad.evaluation.each import joined, undefined_class
from zsad.evaluation.loop import grouped
from zsad.evaluation.view import upright
from zsad.fitting.shots import Prepare, by_each_other, by_shots
from zsad.outputs import check_output, is_figures
from zsad.suites import cases, parts, record
from zsad.suites.suite import Run, Suite, locate
from zsad.types import Sample

Loader = Callable[..., Detector]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How a suite is run.

    Attributes:
        out: folder of results.
        root: folder of datasets, or None.
        given: places of datasets that the user stated.
        shard: ``(i, n)``: measure every n-th class, from the i-th.
        partial: measure what is usable of incomplete datasets.
        override: arguments of the loader that replace the suite's.
    """

    out: Path
    root: Path | None = None
    given: tuple[DataSpec, ...] = ()
    shard: tuple[int, int] = (1, 1)
    partial: bool = False
    override: dict[str, Any] | None = None


def run_suite(
    suite: Suite, plan: Plan, load: Loader, say: Say, progress: Callable[[Sample], None] | None = None
) -> list[Path]:
    """Measure what a suite asks for and what can be found; finished classes are not measured again.

    Args:
        suite: what to measure.
        plan: where, and which part of it.
        load: makes a detector from a run's arguments.
        say: told one line per class.
        progress: called after each image, in order.

    Returns:
        The records written: those of complete runs.
    """
    written = []
    for run in suite.runs:
        check_output(plan.out / f"{run.name}.json", is_figures, "choose another --out")
    for run in suite.runs:
        _measure(suite, run, plan, load, say, progress)
        path = assemble(plan.out, run.name)
        if path is not None:
            written.append(path)
        else:
            say(f"{run.name}: this shard is done; `zsad bench merge` puts the shards together")
    return written


def _measure(
    suite: Suite, run: Run, plan: Plan, load: Loader, say: Say, progress: Callable[[Sample], None] | None
) -> None:
    found = locate(run, plan.root, plan.given)
    for key in found.missing:
        say(f"{run.name}: {key} was not found")
    loaded, missing = _load_all(run, found.specs, plan.partial, say)
    arguments = run.detector.arguments() | (plan.override or {})
    detector = load(**arguments)
    settings = {"resolution": suite.size, "bootstrap": suite.bootstrap, "seed": suite.seed}
    facts = settings | {"card": record.card_hash(detector.card), "model": record.model_hash(arguments.get("model"))}
    options = Options(suite.size, suite.bootstrap, suite.seed)
    prepare = _prepare(run, upright(detector), found.specs)
    facts |= (
        {} if prepare is None else {"shots": run.shots, "seeds": run.seeds, "fused": run.fused, "mutual": run.mutual}
    )
    worker, lanes = upright(detector).side_by_side()
    classes: dict[str, list[str]] = {}
    position = 0
    for one in loaded:
        for (key, name), samples in grouped(one.samples).items():
            position += 1
            mine = position % plan.shard[1] == plan.shard[0] % plan.shard[1]
            classes.setdefault(key, []).append(name)
            if not mine:
                continue
            digest = record.data_hash(samples, one.spec.path)
            mark = parts.fingerprint(facts | {"dataset": key, "class": name, "data": digest})
            path = parts.part_path(plan.out, run.name, key, name)
            if parts.read_part(path, mark):
                say(f"{run.name}: {key}/{name} is done already")
                continue
            if prepare is None:
                table, shown = evaluate_class(worker, samples, options, lanes=lanes, progress=progress), detector
            else:
                table, shown = _each(prepare, detector, (key, name), samples, options, run.seeds, say, progress)
            part = {"fingerprint": mark, "dataset": key, "class": _local(table.to_json(full=True), one), "name": name,
                    "data_sha256": digest, "commit": record.commit(), "finished": _now(),
                    "cases": cases.pictures(shown, samples, table)}  # fmt: skip
            parts.write_json(path, part)
            say(f"{run.name}: {key}/{name} measured, {table.n_images} images")
    description = {
        "fingerprint": parts.fingerprint(facts | {"suite": suite.name, "run": run.name}),
        "format": record.FORMAT,
        "suite": {"name": suite.name, "title": suite.title},
        "run": {"name": run.name, "note": run.note} | _how(run),
        "detector": {key: str(value) for key, value in arguments.items() if key != "model"}
        | {"model": Path(str(arguments["model"])).name if arguments.get("model") else "bundled"},
        "card": detector.card.flat(), "card_sha256": facts["card"], "model_sha256": facts["model"],
        "settings": settings, "started": _now(), "commit": record.commit(), "versions": record.versions(),
        "machines": [record.hardware()], "missing": [*found.missing, *missing],
        "data": {one.spec.key: _data_facts(one, classes.get(one.spec.key, [])) for one in loaded},
    }  # fmt: skip
    path = plan.out / f"{run.name}.parts" / "run.json"
    before = parts.read_json(path)
    if before and before.get("fingerprint") == description["fingerprint"]:
        description = parts.joined(before, description)
    parts.write_json(path, description)


def _how(run: Run) -> dict[str, Any]:
    """What a record says of a run whose classes have detectors of their own."""
    if run.mutual:
        return {"mutual": True}
    return {"shots": run.shots, "seeds": run.seeds, "fused": run.fused} if run.shots else {}


def _prepare(run: Run, detector: Detector, specs: Sequence[DataSpec]) -> Prepare | None:
    if run.mutual:
        return by_each_other(detector)
    if not run.shots:
        return None
    return by_shots(detector, specs, "all" if run.shots == "all" else int(run.shots), fused=run.fused)


def _each(
    prepare: Prepare,
    detector: Detector,
    which: tuple[str, str],
    samples: Sequence[Sample],
    options: Options,
    seeds: int,
    say: Say,
    progress: Callable[[Sample], None] | None,
) -> tuple[ClassTable, Detector]:
    """Measure a class with detectors of its own; one that can't be fitted is undefined, with its reason."""
    tables, shown = [], detector
    for seed in range(options.seed, options.seed + seeds):
        try:
            made = prepare(*which, samples, seed)
        except (DatasetError, InputError) as error:
            return undefined_class(which[1], str(error)), detector
        say(made.note)
        tables.append(evaluate_class(made.detector, made.samples, options, progress=progress))
        shown = made.detector
    return joined(tables), shown


def assemble(out: Path, run: str) -> Path | None:
    """Put a run's finished classes together into its record, or return None if some are not finished."""
    folder = out / f"{run}.parts"
    description = parts.read_json(folder / "run.json")
    if description is None:
        raise DatasetError(f"{folder}: no run.json in it; run `zsad bench quality` first")
    datasets: dict[str, DatasetTable] = {}
    sums: dict[str, dict[str, str]] = {}
    commits: set[str] = set()
    finished = description["started"]
    for key, one in description["data"].items():
        for name in one["classes"]:
            part = parts.read_part(parts.part_path(out, run, key, name))
            if part is None:
                return None
            table = ClassTable.from_json(name, part["class"])
            datasets.setdefault(key, DatasetTable(key, {})).classes[name] = table
            sums.setdefault(key, {})[name] = part["data_sha256"]
            commits.add(part["commit"])
            finished = max(finished, part["finished"])
    data = {key: one | {"sha256": sums.get(key, {})} for key, one in description["data"].items()}
    body = Table(datasets).to_json(full=True)
    for one in body["datasets"].values():
        for table_data in one["classes"].values():
            del table_data["images"]  # they stay in the parts
    whole = {key: value for key, value in description.items() if key != "fingerprint"}
    whole |= {"data": data, "datasets": body["datasets"], "finished": finished, "commits": sorted(commits)}
    path = out / f"{run}.json"
    check_output(path, is_figures, "choose another --out")
    parts.write_json(path, whole)
    return path


def unfinished(out: Path, run: str) -> list[str]:
    """Name the classes of a run that have no part yet."""
    description = parts.read_json(out / f"{run}.parts" / "run.json") or {"data": {}}
    return [
        f"{key}/{name}"
        for key, one in description["data"].items()
        for name in one["classes"]
        if parts.read_part(parts.part_path(out, run, key, name)) is None
    ]


def _load_all(run: Run, specs: Sequence[DataSpec], partial: bool, say: Say) -> tuple[list[Loaded], list[str]]:
    loaded: list[Loaded] = []
    missing: list[str] = []
    for spec in specs:
        try:
            loaded.append(load_samples(spec, partial=partial))
        except DatasetError as error:
            # The other datasets still count; this one is named in the record.
            missing.append(spec.key)
            say(f"{run.name}: {spec.key} is left out: {error}")
    return loaded, missing


def _data_facts(one: Loaded, classes: list[str]) -> dict[str, Any]:
    report = one.report
    return {
        "layout": one.spec.layout, "classes": classes, "n_images": len(one.samples),
        "problems": _lines(report.problems, one), "left_out": _lines(report.left_out, one),
        "notes": _lines(report.notes, one),
    }  # fmt: skip


def _local(data: dict[str, Any], one: Loaded) -> dict[str, Any]:
    return data | {"left_out": _lines(data["left_out"], one)}


def _lines(lines: Sequence[str], one: Loaded) -> list[str]:
    """Name files below the dataset, not where it lies on this machine."""
    return [line.replace(str(one.spec.path), one.spec.key) for line in lines]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
