"""``zsad calibrate``: images of good parts in, a file of thresholds out; and whether they still hold."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.cli import options

if TYPE_CHECKING:
    from zsad.calibration import Calibration

_PARTS, _CHECK = "Parts", "Drift"


def calibrate(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="Exported .onnx file, bundle, or backbone; by default the bundled model.",
            show_default=False,
        ),
    ] = None,
    normals: Annotated[
        list[Path] | None,
        options.option("Folder or file of good parts, repeatable: a fair sample of those to come.", _PARTS),
    ] = None,
    defects: Annotated[
        list[Path] | None, options.option("Folder or file of defective parts, to say how many are missed.", _PARTS)
    ] = None,
    marks: Annotated[
        Path | None,
        options.option("Marks that the report exports: a CSV file with the columns path and mark (good, bad).", _PARTS),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into sub-folders.", rich_help_panel=_PARTS)
    ] = False,
    false_reject: Annotated[
        float, typer.Option(help="Share of good parts that may be rejected.", rich_help_panel=options.JUDGING)
    ] = 0.01,
    confidence: Annotated[float, typer.Option(help="How sure that is to be.", rich_help_panel=options.JUDGING)] = 0.95,
    accept_rate: Annotated[
        bool,
        typer.Option(
            "--accept-rate", help="Of too few parts, take the rate that they support.", rich_help_panel=options.JUDGING
        ),
    ] = False,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help="Take parts that the bundle was learned from, each scored without itself: no guarantee.",
            rich_help_panel=options.JUDGING,
        ),
    ] = False,
    rule: Annotated[
        str | None,
        options.option(
            "What rejects a part: its score, a region, or either of them; by default either, and region with --roi.",
            options.JUDGING,
            metavar="score|region|either",
        ),
    ] = None,
    min_area: options.MinArea = None,
    roi: Annotated[
        Path | None,
        options.option(
            'Regions of interest, outside of which the map does not count: a JSON file such as {"size": [640, 480], '
            '"boxes": [[10, 10, 600, 400]]}, or with "polygons"; kept in the file of thresholds.',
            options.JUDGING,
        ),
    ] = None,
    out: Annotated[Path | None, options.option("File of thresholds to write (JSON).", "Output")] = None,
    check: Annotated[
        Path | None,
        options.option("Rows of `zsad detect --json`, in the order of the parts: have they drifted?", _CHECK),
    ] = None,
    thresholds: Annotated[
        Path | None, options.option("With --check: the thresholds that the rows were judged by.", _CHECK)
    ] = None,
    alarm: Annotated[
        float, typer.Option(help="With --check: chance of a false alarm, over all rows.", rich_help_panel=_CHECK)
    ] = 0.01,
    fused: options.Fused = False,
    prompt: options.Prompt = None,
    noun: options.Noun = None,
    normal: options.Normal = None,
    anomalous: options.Anomalous = None,
    tile: options.Tile = None,
    bits: options.Bits = 16,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
) -> None:
    """Set thresholds by good parts, with a statement on how many good parts they reject.

    The statement holds whatever the scores are distributed like, for score and regions together, if the good parts
    are a fair sample of those to come and nothing was learned from them. 299 parts support 1 % at 95 % confidence,
    50 support 5.8 %.

    Exit code: 0 done, 1 too few parts or some that can't be used (each is named), 2 wrong usage, 3 drift was found
    (only with --check).

    [bold]Examples[/bold]

      [cyan]zsad calibrate --normals good/ --out t.json[/cyan]
      [cyan]zsad calibrate model.onnx --normals good/ --defects bad/ --false-reject 0.001 --out t.json[/cyan]
      [cyan]zsad calibrate --normals good/ --marks marks.csv --accept-rate --out t.json[/cyan]
      [cyan]zsad calibrate --normals good/ --roi roi.json --out t.json[/cyan]
      [cyan]zsad detect parts/ --thresholds t.json --json rows.jsonl[/cyan]
      [cyan]zsad calibrate --check rows.jsonl --thresholds t.json[/cyan]
    """
    from zsad.errors import UsageError
    from zsad.thresholds import check_place

    if check is not None:
        if thresholds is None or model or normals or defects or marks or roi or out:
            raise UsageError("--check ROWS goes with --thresholds FILE, and with neither parts nor a model nor --out")
        _check(check, thresholds, alarm)
    if thresholds is not None:
        raise UsageError("--thresholds FILE goes with --check ROWS; new thresholds go to --out FILE")
    if out is None:
        raise UsageError("calibrate needs --out FILE, where the thresholds go")
    check_place(out)
    _refuse_footage(normals or [])
    words: dict[str, Any] = {"prompt": prompt, "object": noun, "normal": normal, "anomalous": anomalous}
    detector = options.load(model, fused=fused or None, device=device, dtype=dtype, tile=tile, bits=bits, **words)
    from zsad.calibration import calibrate as run
    from zsad.cli.console import only_our_remarks
    from zsad.cli.lines import counted

    with only_our_remarks(), counted("parts") as step:
        found = run(
            detector, normals, defects=defects, marks=marks, false_reject=false_reject, confidence=confidence,
            rule=rule, min_area=min_area, roi=roi, accept_rate=accept_rate,
            leave_one_out=leave_one_out, recursive=recursive, step=step,
        )  # fmt: skip
    found.save(out)
    given = {
        "model": model,
        "fused": fused,
        **words,
        "tile": tile,
        "bits": bits if bits != 16 else None,
        "device": device if device != "cpu" else None,
        "dtype": dtype,
    }
    _show(found, out, _command(found, normals or [], out, {"recursive": recursive, **given}))
    failed = [*found.failed, *(found.misses.failed if found.misses else ())]
    raise typer.Exit(1 if failed else 0)


def _refuse_footage(normals: list[Path]) -> None:
    """Refuse videos among the good parts: their thresholds are another command's, in alarms per hour."""
    from zsad.errors import UsageError
    from zsad.images.files import VIDEOS
    from zsad.outside import printable

    for path in normals:
        if path.suffix.lower() in VIDEOS and path.is_file():
            raise UsageError(f"{printable(path)}: footage, no part; set its threshold with `zsad video calibrate`")


def _show(found: Calibration, out: Path, hint: str) -> None:
    from zsad.cli.lines import say
    from zsad.outside import printable

    for line in [*found.failed, *(found.misses.failed if found.misses else ())]:
        say(f"failed  {line}", style="red", error=True)
    for line in found.notes:
        say(line, style="yellow", error=True)
    say(f"A part is anomalous by a {found.thresholds.told()}.")
    say(f"{found.told()[:1].upper()}{found.told()[1:]}.", style="bold")
    if found.tied_by:
        say(f"Image and pixel threshold are tied by {found.tied_by}.")
    parts = (f"{printable(one.name)} (score {one.score:.3f}, region {one.level:.3f})" for one in found.furthest)
    say(f"Furthest out: {'; '.join(parts)}")
    if found.misses:
        say(f"{found.misses.told(found.confidence)}.")
    say(f"Wrote {printable(out)}; judge by it:")
    say(f"  {hint}")


def _command(found: Calibration, places: list[Path], out: Path, given: dict[str, Any]) -> str:
    """Return a command that judges the same parts by the new thresholds."""
    from zsad.outside import printable

    paths = [str(path) for path in places] or [str(Path(found.furthest[0].name).parent)]
    words = [*paths, *(text for name, value in given.items() if value for text in _option(name, value))]
    return " ".join(["zsad detect", *(shlex.quote(printable(word)) for word in [*words, "--thresholds", str(out)])])


def _option(name: str, value: Any) -> list[str]:
    return [f"--{name}"] if value is True else [f"--{name}", str(value)]


def _check(rows: Path, thresholds: Path, alarm: float) -> None:
    from zsad.calibration import check_drift
    from zsad.cli.lines import say

    drift = check_drift(rows, thresholds, alarm=alarm)
    for line in drift.notes:
        say(line, style="yellow", error=True)
    say(drift.told(), style="bold red" if drift.found else "green")
    raise typer.Exit(3 if drift.found else 0)
