"""``zsad bench quality|speed|merge``: suites over many datasets, and how fast a model is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zsad.cli import options
from zsad.terminal import say

_DATA, _MODEL = "Data", "Model"


def bench_quality(
    suite: Annotated[
        Path, typer.Argument(metavar="SUITE", help="A suite, such as benchmarks/suites/zero_shot_17.yaml.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of results; finished classes in it are not measured again.")] = Path(
        "results"
    ),
    data_root: Annotated[
        Path | None, options.option("Folder of datasets, each under its name.", _DATA, envvar="ZSAD_DATA")
    ] = None,
    data: Annotated[
        list[str] | None, options.option("Where one dataset lies, repeatable.", _DATA, metavar="KEY=LAYOUT:PATH")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Measure what is usable of incomplete datasets.", rich_help_panel=_DATA)
    ] = False,
    model: Annotated[str | None, options.option("Another model than the suite's.", _MODEL)] = None,
    prompt: Annotated[str | None, options.option("Another prompt than the suite's.", _MODEL)] = None,
    device: Annotated[str | None, options.option("cpu or cuda.", _MODEL)] = None,
    dtype: Annotated[str | None, options.option("float32, bfloat16 or float16 (torch only).", _MODEL)] = None,
    shard: Annotated[
        str, typer.Option(metavar="i/n", help="Measure every n-th class only, from the i-th; merge the shards later.")
    ] = "1/1",
) -> None:
    """Measure a suite on the datasets that are found; go on where an interrupted run stopped.

    Writes one JSON per run, report.html and README.md.

    Exit code: 0 all measured, 1 something was left out (it is named), 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad bench quality benchmarks/suites/zero_shot_17.yaml --data-root /data[/cyan]
      [cyan]zsad bench quality suite.yaml --data visa=visa:/data/VisA --shard 1/4 --out part1/[/cyan]
    """  # fmt: skip
    import zsad
    from zsad.cli import figures
    from zsad.data.spec import parse_data_specs
    from zsad.suites.measure import Plan, run_suite
    from zsad.suites.parts import parse_shard
    from zsad.suites.suite import load_suite

    chosen = {"model": model, "prompt": prompt, "device": device, "dtype": dtype}
    override: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    plan = Plan(out, data_root, tuple(parse_data_specs(data or [])), parse_shard(shard), partial, override)
    described = load_suite(suite)
    figures.check_report(out)
    with figures.progress(0) as step:
        written = run_suite(described, plan, zsad.load, say, step)
    if written:
        figures.write_report(out, described.title or described.name, {path.stem for path in written})
    if figures.nothing_found(written):
        say("no dataset was found: --data-root DIR or --data KEY=LAYOUT:PATH says where they are")
    if figures.incomplete(written):
        raise typer.Exit(1)


def bench_merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that takes the results.")],
    sources: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER", help="Output folders of the shards.")
    ] = None,
) -> None:
    """Put the shards of a suite together, and write the tables and the report again.

    [bold]Examples[/bold]

      [cyan]zsad bench merge results/ part1/ part2/ part3/[/cyan]
    """
    from zsad.cli import figures
    from zsad.suites.measure import assemble, unfinished
    from zsad.suites.parts import collect

    figures.check_report(out)
    copied = collect(sources or [], out)
    say(f"{copied} files taken over")
    names = sorted(path.name.removesuffix(".parts") for path in out.glob("*.parts") if path.is_dir())
    written = [path for name in names if (path := assemble(out, name))]
    for name in names:
        for line in unfinished(out, name):
            say(f"{name}: {line} is not measured yet")
    if written:
        figures.write_report(out, "zsad benchmark", {path.stem for path in written})
    if len(written) < len(names) or not names:
        raise typer.Exit(1)


def bench_speed(
    model: options.Model = None,
    prompt: options.Prompt = None,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
    size: Annotated[str, typer.Option(metavar="HxW", help="Size of the decoded image in pixels.")] = "512x512",
    batch: Annotated[list[int] | None, options.option("Batch size for throughput, repeatable.")] = None,
    calls: Annotated[int, typer.Option(min=2, help="Timed calls for each latency.")] = 50,
    json: Annotated[str | None, options.option("File for the figures; - for standard output.")] = None,
) -> None:
    """Measure latency (p50, p95, p99 at batch 1), throughput, memory, and each stage by itself.

    [bold]Examples[/bold]

      [cyan]zsad bench speed[/cyan]
      [cyan]zsad bench speed --model model.onnx --size 1024x1024 --batch 1 --batch 8[/cyan]
    """
    import re

    from zsad.cli import figures
    from zsad.errors import UsageError
    from zsad.suites import record
    from zsad.suites.speed import measure

    found = re.fullmatch(r"(\d+)x(\d+)", size)
    if not found:
        raise UsageError(f"--size {size}: give HxW, such as 512x512")
    figures.check_data(json)
    detector = options.load(model, prompt=prompt, device=device, dtype=dtype)
    speed = measure(detector, size=(int(found[1]), int(found[2])), batches=batch or (1, 4, 16), calls=calls)
    facts = {"model": detector.card.provenance.name, "image_size": detector.card.input.image_size, "device": device,
             "dtype": dtype or "float32", "speed": speed.to_json(), "versions": record.versions(),
             "machine": record.hardware(), "commit": record.commit()}  # fmt: skip
    figures.write_data(json, facts)
    if json != "-":
        figures.show_speed(detector.card, speed)
