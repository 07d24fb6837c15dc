"""``zsad video train``: a weakly supervised model out of features and the labels of whole videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zsad.cli import options

_DATA, _HOW = "Data", "Training"


def train(
    preset: Annotated[str, typer.Argument(help="vadclip-ucf, vadclip-xd, ovvad, urdmu or vador.")],
    train: Annotated[str, options.option("List: csv:PATH, vadclip:PATH or umil:PATH.", _DATA, metavar="LIST")],
    features: Annotated[Path, options.option("Folder of `zsad video extract`.", _DATA, metavar="DIR")],
    out: Annotated[Path, options.option("Folder for the model.", _DATA, metavar="DIR")],
    val: Annotated[str, typer.Option(metavar="LIST", help="To choose the epoch by.", rich_help_panel=_DATA)] = "",
    val_split: Annotated[
        float | None, options.option("Instead, the share of videos held out; 0.2.", _DATA, min=0, max=0.9)
    ] = None,
    clicks: Annotated[Path | None, options.option("CSV video,frame: one frame of each event.", _DATA)] = None,
    classes: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Class names with commas between (vadclip, ovvad).", rich_help_panel=_DATA),
    ] = "",
    backbone: Annotated[
        str, typer.Option(metavar="ID", help="Of the features, where it does not stand there.", rich_help_panel=_DATA)
    ] = "",
    phrases: Annotated[Path | None, options.option("YAML with normal and abnormal phrases (ovvad).", _DATA)] = None,
    paste: Annotated[
        Path | None,
        options.option("Folder of anomalies to paste into normal videos: features, pictures or clips.", _DATA),
    ] = None,
    paste_share: Annotated[
        float | None, options.option("Share of a step's normal videos that get one; 0.5.", _DATA, min=0.01, max=1)
    ] = None,
    motion: Annotated[
        bool, typer.Option("--motion", help="Motion features too, of extract --motion.", rich_help_panel=_DATA)
    ] = False,
    epochs: Annotated[int | None, options.option("Rounds through the shorter list.", _HOW, min=1)] = None,
    batch: Annotated[int | None, options.option("Normal videos of a step, and anomalous ones.", _HOW, min=1)] = None,
    lr: Annotated[float | None, options.option("Step.", _HOW)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and orders.", rich_help_panel=_HOW)] = 0,
    threads: Annotated[int | None, options.option("Of torch; with 1 a resumed run is bitwise the same.", _HOW)] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the last whole epoch.", rich_help_panel=_HOW)
    ] = False,
) -> None:
    """Train a video model on labels of whole videos.

    The epoch that ranks held-out training videos best is kept; a test set has no part in it. Writes model.safetensors,
    card.json and log.jsonl. What was pasted is known to be anomalous, not of which class.

    Exit code: 0 done, 1 data that can't be used, 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad video extract videos/ --backbone ViT-B-16/openai --out features/[/cyan]
      [cyan]zsad video train vadclip-ucf --train csv:train.csv --features features/ --out model/[/cyan]
      [cyan]zsad video train ovvad --train csv:train.csv --features features/ --paste fires/ --out model/[/cyan]
      [cyan]zsad video train urdmu --train umil:UCF_train.txt --features features/ --out model/[/cyan]
    """
    from zsad.cli.terminal import Terminal
    from zsad.cli.video.lists import names_of
    from zsad.errors import UsageError
    from zsad.video.weak.presets import NAMED, PRESETS
    from zsad.video.weak.starting import Options, start, use_threads
    from zsad.video.weak.train import train as run

    if paste_share is not None and paste is None:
        raise UsageError("--paste-share needs --paste DIR, the anomalies to paste")
    if val and val_split is not None:
        raise UsageError("--val names the videos to choose by; leave --val-split out")
    known = PRESETS.get(preset)
    if known is not None and known.head.kind not in NAMED and classes:
        raise UsageError(f"{preset} tells no classes apart; leave --classes out")
    if known is not None and known.context.kind != "phrases" and phrases is not None:
        raise UsageError(f"{preset} compares with no phrases; leave --phrases out")
    if threads is not None:
        use_threads(threads)
    said = Options(
        preset,
        train,
        features,
        val,
        0.2 if val_split is None else val_split,
        clicks,
        names_of(classes),
        backbone,
        phrases,
        motion,
        paste,
        0.5 if paste_share is None else paste_share,
        epochs,
        batch,
        lr,
        seed,
    )
    task, model = start(said)
    screen, shown = Terminal(soft_wrap=True), False
    screen.print(f"{len(task.train)} arrays to learn from, {len(task.held)} held out")

    def show(row: dict[str, Any]) -> None:
        nonlocal shown
        shown = True
        held = "" if row["held_auc"] is None else f", held-out AUC {row['held_auc']:.3f}"
        screen.print(f"epoch {row['epoch']}: loss {row['loss']:.4f}{held}")

    run(task, model, out, resume=resume, on_epoch=show)
    if not shown:
        screen.print("all epochs were done before")
    screen.print(f"model: {out}")
