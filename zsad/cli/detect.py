"""``zsad detect``: images in; table, pictures, JSON lines and a report out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.cli import options
from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.detector.base import Detector
    from zsad.stream import Item

_OUTPUT = "Output"


def detect(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Images, and folders of images.", show_default=False)
    ],
    model: options.Model = None,
    fused: options.Fused = False,
    mutual: Annotated[
        bool,
        typer.Option(
            "--mutual",
            help="Score the images against each other instead: what few have is anomalous; needs no good images.",
            rich_help_panel=options.MODEL,
        ),
    ] = False,
    mutual_last: Annotated[
        int | None,
        options.option("As --mutual, against so many images before each, as a stream has them.", options.MODEL),
    ] = None,
    prompt: options.Prompt = None,
    noun: options.Noun = None,
    normal: options.Normal = None,
    anomalous: options.Anomalous = None,
    thresholds: options.Thresholds = None,
    threshold: options.Threshold = None,
    pixel_threshold: options.PixelThreshold = None,
    min_area: options.MinArea = None,
    rule: options.RuleOption = None,
    fail_on: Annotated[
        str | None,
        options.option("Exit with code 3 if an image has this verdict.", options.JUDGING, metavar="anomalous"),
    ] = None,
    out: Annotated[
        Path | None,
        options.option("Folder for overlay/, heatmap/, results.jsonl, results.csv and report.html.", _OUTPUT),
    ] = None,
    json: Annotated[
        str | None,
        options.option("File for the JSON lines, one per image; - for standard output instead of the table.", _OUTPUT),
    ] = None,
    csv: Annotated[
        Path | None,
        options.option("File for the table with one line per image, for a spreadsheet; results.csv in --out.", _OUTPUT),
    ] = None,
    save_maps: Annotated[
        str | None,
        options.option("Also write the maps, as float32 arrays or 16-bit pictures.", _OUTPUT, metavar="npy|png16"),
    ] = None,
    report: Annotated[bool, typer.Option(help="Write report.html into --out.", rich_help_panel=_OUTPUT)] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what the last run into --out has done.", rich_help_panel=_OUTPUT)
    ] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into sub-folders.", rich_help_panel=options.READING)
    ] = False,
    include_masks: Annotated[
        bool,
        typer.Option(
            "--include-masks",
            help="Read masks too (ground_truth/, masks/, a_mask.png beside a.png), which folders are read without.",
            rich_help_panel=options.READING,
        ),
    ] = False,
    tile: options.Tile = None,
    bits: options.Bits = 16,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="Images that go through the network together; by default what is fastest here.",
            rich_help_panel=options.READING,
        ),
    ] = None,
) -> None:
    """Find and outline anomalies in images.

    Exit code: 0 all done, 1 some or all inputs failed (each is named), 2 wrong usage, 3 an image is anomalous (only
    with --fail-on anomalous; it goes before 1).

    [bold]Examples[/bold]

      [cyan]zsad detect examples/ --out out/[/cyan]
      [cyan]zsad detect parts/ -r --out out/ --threshold 0.6 --pixel-threshold 0.5[/cyan]
      [cyan]zsad detect parts/ --thresholds thresholds.json --fail-on anomalous[/cyan]
      [cyan]zsad detect board.tif --tile auto --out out/ --save-maps npy[/cyan]
      [cyan]zsad detect parts/ --out out/ --resume[/cyan]    goes on after a stop
      [cyan]zsad detect parts/ --json - | jq .score[/cyan]
      [cyan]zsad detect parts/ --csv parts.csv[/cyan]
      [cyan]zsad detect parts/ --mutual --out out/[/cyan]    against each other
      [cyan]zsad detect nut.png --model ViT-L-14-336/openai --object "metal nut"[/cyan]
    """
    from zsad.errors import ModelError, UsageError
    from zsad.images.tiling import parse_tile
    from zsad.stream import Options, find_images
    from zsad.stream import detect as run
    from zsad.thresholds import check_judges, chosen

    _check_there(paths)
    against = mutual or mutual_last is not None
    if against and fused:
        raise UsageError("--mutual scores by the other images alone: leave --fused out")
    if save_maps not in (None, "npy", "png16"):
        raise UsageError(f"--save-maps is npy or png16, not {save_maps}")
    if save_maps and out is None:
        raise UsageError("--save-maps needs --out, the folder that the maps go to")
    if resume and out is None and json in (None, "-"):
        raise UsageError("--resume needs the --out folder, or the --json file, of the run that it goes on with")
    if csv is not None and (str(csv) == "-" or (json is not None and csv == Path(json))):
        raise UsageError("--csv needs a file of its own")
    words: dict[str, Any] = {"prompt": prompt, "object": noun, "normal": normal, "anomalous": anomalous}
    identity = _identity(model, prompt)
    load = options.load_to_compare if against else options.load
    detector = load(model, fused=fused or None, device=device, dtype=dtype, **words)
    items = find_images(
        paths, recursive=recursive, skip=out, masks=include_masks, say=lambda line: say(f"not read: {line}")
    )
    if against:
        detector = _against_each_other(detector, items, mutual_last, resume, tile)
    detector = detector.with_options(tile=parse_tile(tile), bits=bits)
    judged = chosen(
        thresholds, image=threshold, pixel=pixel_threshold, min_area=min_area, rule=rule, card=detector.card,
        look=detector.look,
    )  # fmt: skip
    detector = detector.with_thresholds(judged)
    check_judges(detector.thresholds, rule=rule, fail_on=fail_on)
    if _identity(model, prompt) != identity:
        raise ModelError("the model or the prompt changed while it was read; run again")
    plan = Options(
        out=out,
        rows=Path(json) if json not in (None, "-") else None,
        csv=csv,
        maps=save_maps,
        report=report,
        resume=resume,
        batch_size=batch_size,
        title=_title(paths) + (", mutual" if detector.card.scoring.head == "mutual" else ""),
        settings={**words, **identity, "fused": fused, "last": mutual_last, "tile": tile, "bits": bits, "dtype": dtype},
    )
    from zsad.cli.console import Screen, only_our_remarks, say_other_files

    say_other_files(plan)
    screen = Screen(items, detector, to_stdout=json == "-")
    with only_our_remarks(), screen:
        progress = run(detector, items, plan, screen.row)
    again = options.same_command(context, without=("resume", "rule"))
    alone = detector.card.scoring.head != "mutual"  # else no threshold of one batch holds for the next
    screen.summary(progress, plan, again, options.calibrate_command(context, "thresholds.json") if alone else "")
    raise typer.Exit(3 if fail_on and progress.anomalous else 1 if progress.failed else 0)


def _against_each_other(
    detector: Detector, items: Sequence[Item], last: int | None, resume: bool, tile: str | None
) -> Detector:
    """Read the images once, and return a detector that compares each with others of them, or with the last ones."""
    from zsad.errors import UsageError
    from zsad.fitting.mutual import mutual_detector, ring_detector

    if tile is not None:
        raise UsageError("--mutual compares whole images; leave --tile out")
    if last is None:
        return mutual_detector(detector, items)
    if resume:
        raise UsageError("--mutual-last depends on the images before each, so that it can't go on with --resume")
    return ring_detector(detector, items, last=last)


def _check_there(paths: list[Path]) -> None:
    """Refuse a call whose every path is absent, before anything is loaded or made; of several, each is a row.

    Raises:
        UsageError: it says what there is instead.
    """
    import os

    from zsad.errors import UsageError
    from zsad.near import near_path

    if not any(os.path.lexists(path) for path in paths):
        raise UsageError(f"{paths[0]}: no such file or folder{near_path(paths[0])}")


def _identity(model: str | None, prompt: str | None) -> dict[str, str]:
    """What tells the files of a model and of a prompt from others under the same names; taken before they are read."""
    return {"model": model or "", "file": _stamps(model), "prompt_file": _stamps(prompt)}


def _stamps(name: str | None) -> str:
    from zsad.stream.item import stamp_of

    place = Path(name.removeprefix("local-dir:")) if name else None
    if place is None or not place.exists():
        return ""
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return " ".join(stamp_of(file) for file in files)


def _title(paths: list[Path]) -> str:
    from zsad.outside import printable

    first = printable("/".join(paths[0].resolve().parts[-2:]).lstrip("/"))
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
