"""``zsad explain``: an image in; what a language model says of its map, each claim checked against the map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli import options
from zsad.cli.video import asking

_ASKED = "What is asked"


def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image.")],
    out: Annotated[Path | None, options.option("Folder: DIR/NAME/ gets the results.", "Output")] = None,
    question: Annotated[
        list[str] | None,
        options.option("Ask this instead of the usual three questions; repeatable.", _ASKED, metavar="TEXT"),
    ] = None,
    model: options.Model = None,
    prompt: options.Prompt = None,
    noun: options.Noun = None,
    thresholds: options.Thresholds = None,
    threshold: options.Threshold = None,
    pixel_threshold: options.PixelThreshold = None,
    tile: options.Tile = None,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
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
) -> None:
    """Let a language model explain what a detector found in an image, and check every claim against the map.

    It is sent the image, the overlay and the highest regions, with place, size and severity of each in words. Writes
    DIR/NAME/explanation.json and explanation.html. A second run asks nothing, and changes nothing.

    Exit code: 0 done, 1 the image, the endpoint or an answer failed, 2 wrong usage, 4 the budget ended before; what was
    paid for is kept.

    [bold]Examples[/bold]

      [cyan]zsad explain part.png --out out/ --endpoint http://localhost:8000/v1 --llm some-model[/cyan]
      [cyan]zsad explain part.png --out out/ --thresholds thresholds.json --dry-run[/cyan]
    """
    import hashlib

    from zsad.cli.video.explain import finish
    from zsad.errors import UsageError
    from zsad.language.explain import document
    from zsad.language.explain.part import explain_part, steps_of
    from zsad.near import near_path
    from zsad.outside import printable
    from zsad.stream.names import safe_name

    asked = list(question or ())
    if any(not text.strip() for text in asked):
        raise UsageError("--question is empty; ask something")
    if out is None and not dry_run:
        raise UsageError("--out is missing: the folder that results go into")
    if not image.is_file():
        raise UsageError(f"{printable(image)}: no such file{near_path(image)}")
    folder = None if out is None else out / safe_name(image.name)
    if folder is not None:
        document.check_places(folder, document.EXPLANATION)
    request = asking.Asking(endpoint, llm, None, budget, record, replay, dry_run, cache, timeout, concurrency,
                            max_images)  # fmt: skip
    with asking.opened(request, "zsad explain") as gateway:
        if folder is None or dry_run:
            asking.tell_steps(steps_of(asked), gateway.concurrency)
            return
        detector = options.load(model, device=device, dtype=dtype, tile=tile, prompt=prompt, object=noun,
                                thresholds=thresholds, threshold=threshold,
                                pixel_threshold=pixel_threshold)  # fmt: skip
        sha = hashlib.sha256(image.read_bytes()).hexdigest()
        result = detector(image)
        done = explain_part(gateway, image, result, noun=noun or "", asked=asked, sha=sha)
    finish(done, folder, document.EXPLANATION, image)
