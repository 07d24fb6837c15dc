"""Options that several commands of videos have: each is declared once, and means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsad.cli import options

_HOW, _EVENTS, _NORMAL = "Method", "Events", "Normal footage"

Method = Annotated[
    str,
    typer.Option(
        help="motion: how fast something moves, for a fixed camera. map: what a detector finds in each frame. fused: "
        "map times motion. A folder or ONNX file of zsad video train: what it has learned. lavad, mcanet, vera, ask, "
        "gated: ask a language model. A wrong name lists all.",
        rich_help_panel=_HOW,
    ),
]
Model = Annotated[
    str | None,
    options.option(
        "Detector, bundle, or folder of a trained model; not for motion. Of a learned method: its backbone, such as "
        "the ONNX file that features were extracted with.",
        _HOW,
    ),
]
Stride = Annotated[int | None, options.option("Look at every so many frames; 1 by default.", _HOW, min=1)]
Rate = Annotated[float | None, options.option("Instead, look at so many frames a second.", _HOW)]
FolderFps = Annotated[
    float, typer.Option(help="Frames per second of folders of pictures; 0: not known.", rich_help_panel=_HOW)
]
MapScore = Annotated[
    str, typer.Option(help="Of map: max, top1 (mean of the highest 1 %), area, or fused.", rich_help_panel=_HOW)
]
MotionKind = Annotated[str, typer.Option(help="flow, or difference: cheap.", rich_help_panel=_HOW)]
Refine = Annotated[
    Path | None,
    options.option("YAML list of refiners, such as - median: {size: 9}; the causal mean of 9 scores by default.", _HOW),
]
NormalClips = Annotated[
    list[Path] | None,
    options.option("Clip without anomalies, of the same camera; repeatable. What is usual is learned.", _NORMAL),
]
NormalSeconds = Annotated[
    float | None, options.option("Instead, so many seconds at the beginning of each video.", _NORMAL)
]
MinFrames = Annotated[int, typer.Option(min=1, help="Shortest event, in frames.", rich_help_panel=_EVENTS)]
Gap = Annotated[int, typer.Option(min=0, help="Events so many frames apart at most are one.", rich_help_panel=_EVENTS)]
Low = Annotated[float | None, options.option("Score below which an event ends; the threshold.", _EVENTS)]
ThresholdFile = Annotated[
    Path | None, options.option("File of `zsad video calibrate`, instead of the options above.", _EVENTS)
]
Set = Annotated[
    list[str] | None,
    options.option("An option of one method alone, NAME=VALUE; repeatable.", _HOW, "--set", metavar="NAME=VALUE"),
]


def check_events(
    threshold: float | None, low: float | None, min_frames: int, gap: int, thresholds: Path | None
) -> None:
    """Refuse a file of thresholds beside thresholds that are typed.

    Raises:
        UsageError: both are given.
    """
    from zsad.errors import UsageError

    if thresholds is not None and (threshold is not None or low is not None or min_frames != 1 or gap):
        raise UsageError("--thresholds has threshold and lengths of its own; leave --threshold, --low, --min-frames "
                         "and --gap out")  # fmt: skip
