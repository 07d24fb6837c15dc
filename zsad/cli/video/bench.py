"""``zsad video bench``: published benchmarks of language models on anomalies in videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsad.cli.options import option
from zsad.cli.video import asking

if TYPE_CHECKING:
    from zsad.language.embedding import Embedder

_DATA, _ASKED, _JUDGE = "Data", "Questions", "Judge"


def bench(
    benchmark: Annotated[str, typer.Argument(metavar="vane|cuva|ecva|hawk|hivau", help="Which benchmark.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Its questions: a file, or a folder laid out as published.")
    ],
    out: Annotated[
        Path | None,
        option("Folder for results.json, answers.jsonl and index.html; without it, figures are shown.", "Output"),
    ] = None,
    videos: Annotated[Path | None, option("Folder of the videos, at any depth; that of the data.", _DATA)] = None,
    answers: Annotated[
        list[Path] | None, option("Measure these answers instead of asking a model; repeatable.", _DATA, metavar="FILE")
    ] = None,
    limit: Annotated[int | None, option("So many videos, drawn by --seed.", _DATA, min=1)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.", rich_help_panel=_DATA)] = 8,
    folder_fps: Annotated[
        float, typer.Option(help="Frames per second of folders of pictures.", rich_help_panel=_DATA)
    ] = 0.0,
    frames: Annotated[
        int | None,
        option("Frames of a question: 10 for vane, 16 cuva, 32 ecva and hawk, 12 hivau.", _ASKED, min=1, max=1000),
    ] = None,
    sampling: Annotated[
        str | None,
        option(
            "Of cuva and ecva: uniform; replaced or added, by the annotated moments; ranked, two of four quarters.",
            _ASKED,
        ),
    ] = None,
    max_tokens: Annotated[int | None, option("Of an answer; what the prompts say.", _ASKED, min=1, max=100_000)] = None,
    judge: Annotated[
        bool | None,
        typer.Option(
            "--judge/--no-judge", help="Ask a judge; yes, but not of hivau.", rich_help_panel=_JUDGE, show_default=False
        ),
    ] = None,
    judge_endpoint: Annotated[str | None, option("Its server; the same.", _JUDGE)] = None,
    judge_llm: Annotated[str | None, option("Its model; the same, or the only one of its server.", _JUDGE)] = None,
    model: Annotated[
        str | None, option("Of cuva: pictures and texts; the judge sees frames of the importance curve.", _JUDGE)
    ] = None,
    text: Annotated[
        Path | None, option("Text tower of --model, of `zsad export --text`; no torch then.", _JUDGE)
    ] = None,
    motion: Annotated[
        bool, typer.Option("--motion", help="Of hawk: beside each frame what moves in it.", rich_help_panel=_ASKED)
    ] = False,
    endpoint: asking.Endpoint = None,
    llm: asking.Llm = None,
    dry_run: asking.DryRun = False,
    budget: asking.BudgetText = None,
    record: asking.Record = None,
    replay: asking.Replay = None,
    cache: asking.CacheFile = None,
    timeout: asking.Timeout = None,
    concurrency: asking.Concurrency = None,
    max_images: asking.MaxImages = None,
    schema: asking.Schema = False,
) -> None:
    """Measure a language model on a published benchmark, or answers that others have made.

    The data has to be there; the README says where it comes from. A second run asks nothing and writes the same.

    Exit code: 0 all measured, 1 a video is missing or something failed (each is named), 2 wrong usage, 4 the budget
    ended before; what was paid for is kept.

    [bold]Examples[/bold]

      [cyan]zsad video bench vane VQA_Data/ --endpoint http://localhost:8000/v1 --out out/[/cyan]
      [cyan]zsad video bench cuva CUVA/ --endpoint http://localhost:8000/v1 --judge-llm large --out out/[/cyan]
      [cyan]zsad video bench hawk All_Mix/all_videos_test.json --videos videos/ --dry-run[/cyan]
      [cyan]zsad video bench hivau HIVAU-70k/ --answers answers.jsonl --out out/[/cyan]
    """
    from zsad.cli.video import bench_parts as parts
    from zsad.errors import BudgetError
    from zsad.language.bench import Run, check_places, results, write
    from zsad.terminal import say

    judged_by = parts.Judge(judge_endpoint, judge_llm)
    rest = {"data": data, "videos": videos, "answers": tuple(answers or ()), "frames": frames, "limit": limit,
            "seed": seed, "folder_fps": folder_fps, "max_tokens": max_tokens, "motion": motion}  # fmt: skip
    chosen = parts.options_of(benchmark, judge, sampling, model if text is None else str(text), judged_by, rest)
    asked = asking.Asking(
        endpoint, llm, None, budget, record, replay, dry_run, cache, timeout, concurrency, max_images, schema
    )
    asked = parts.check(chosen, asked, judged_by)
    if dry_run:
        parts.tell_plan(chosen, asked)
        return
    if out is not None:
        check_places(out)
    if model is not None or text is not None:
        chosen = replace(chosen, embedder=_embedder(model, text))
    with parts.gateways(chosen, asked, judged_by) as gateway:
        try:
            with parts.progress() as tell:
                found = Run(chosen, gateway, judged_by, tell).findings()
        except BudgetError as error:
            say(error)
            raise typer.Exit(asking.SPENT) from None
        finally:
            ways = [one for one in (gateway, judged_by.made) if one is not None]
            ways = ways[:1] if len(ways) > 1 and ways[0] is ways[1] else ways
            for one in ways:
                asking.tell_counts(one.counts)
        used = {stored.key: stored for one in ways for stored in one.used.values()}
        answered_by = gateway.model if gateway is not None and not chosen.answers else ""
        marked_by = judged_by.made.model if judged_by.made is not None else ""
        if out is not None:
            write(out, chosen, found, results(chosen, found, answered_by, marked_by, used.values()))
    parts.show(found, out)
    raise typer.Exit(1 if found.left_out else 0)


def _embedder(model: str | None, text: Path | None) -> Embedder:
    """Return what gives vectors of pictures and texts; beside a text tower, the bundled model is the default.

    Raises:
        ModelError: the model can't be loaded, takes no texts, or the text tower is another model's.
    """
    from zsad.cli import options
    from zsad.detector.text_file import TextFile
    from zsad.errors import ModelError
    from zsad.language.embedding import ClipEmbedder
    from zsad.outside import printable

    found = ClipEmbedder(options.load(model), None if text is None else TextFile(text))
    if not found.has_texts:
        remedy = "add its text tower with --text FILE"
        raise ModelError(f"{printable(model)}: takes no texts, which the importance curve needs; {remedy}")
    return found
