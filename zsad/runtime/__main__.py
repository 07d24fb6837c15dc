"""Inspect images on a box without torch: ``python -m zsad.runtime model.onnx image.png [--out DIR] [--json]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import UsageError, ZsadError
from zsad.files import output_errors, write_whole
from zsad.images.tiling import parse_tile
from zsad.outputs import check_folder, check_output, is_picture, png
from zsad.outside import terminal
from zsad.prompt.words import Words
from zsad.stream import Inspected, Item, Row, inspect
from zsad.stream.flow import failure_line
from zsad.stream.names import Names
from zsad.stream.run import run_id
from zsad.stream.sinks.rows import row_of
from zsad.terminal import run as to_its_end
from zsad.terminal import say
from zsad.thresholds import check_judges, chosen, fingerprint_of, model_of
from zsad.types import Result

PROGRAM = "zsad.runtime"
"""What its messages begin with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Inspect images; return 0 if all were, 1 if some failed, 2 for wrong usage, 3 for ``--fail-on anomalous``."""
    options = _parser().parse_args(arguments)
    try:
        detector = OnnxDetector(
            options.model,
            providers=options.provider,
            threads=options.threads,
            tile=parse_tile(options.tile),
            bits=options.bits,
            words=Words(options.prompt, options.object, options.normal, options.anomalous),
        )
        detector = _judging(detector, options)
        maps = _Maps(options.out, options.images) if options.out else None
    except ZsadError as error:
        say(error, PROGRAM)
        return 2 if isinstance(error, UsageError) else 1
    run = run_id(detector, {"maps": "png16" if options.out else None})
    failed = anomalous = 0
    for done in inspect(detector, [Item(image, Path(image).name) for image in options.images]):
        row = _row(done, detector, run, maps)
        if options.json:
            _out(row.to_line().decode("ascii").rstrip("\n"))
        anomalous += row.verdict == "anomalous"
        if row.error:
            failed += 1
            say(row.error, PROGRAM)
        elif done.value is not None and not options.json:
            _out(_line(done.value))
    if not options.json and not detector.thresholds.judges:
        say(
            "uncalibrated, no verdicts: add --threshold 0.5, say, or --thresholds FILE, which zsad calibrate writes",
            PROGRAM,
        )
    return 3 if options.fail_on and anomalous else 1 if failed else 0


def _judging(detector: OnnxDetector, options: argparse.Namespace) -> OnnxDetector:
    """Apply what the command line says about verdicts."""
    judged = chosen(
        options.thresholds, image=options.threshold, pixel=options.pixel_threshold, min_area=options.min_area,
        rule=options.rule, card=detector.card, look=detector.look,
    )  # fmt: skip
    detector = detector.with_thresholds(judged)
    check_judges(detector.thresholds, rule=options.rule, fail_on=options.fail_on)
    return detector


def _row(done: Inspected, detector: OnnxDetector, run: str, maps: _Maps | None) -> Row:
    """Describe what became of an image as ``zsad detect`` does, and write its map."""
    facts: dict[str, Any] = {"run": run, "model": detector.card.provenance.name, "stamp": done.stamp, "ms": done.ms,
                             "fingerprint": fingerprint_of(model_of(detector.card)[1], detector.look)}  # fmt: skip
    if done.value is None:
        return Row(done.item.id, error=done.error, **facts)
    try:
        row = row_of(done.item.id, done.value, **facts)
        return replace(row, files={"map": maps.write(done.item.id, done.value)} if maps else {})
    except Exception as error:  # no space for the map, or no memory for its regions
        return Row(done.item.id, error=failure_line(done.item, error), **facts)


_EXAMPLES = """examples:
  python -m zsad.runtime model.onnx part.png
  python -m zsad.runtime model.onnx part.png nut.png --threshold 0.9 --json
  python -m zsad.runtime model.onnx part.png --out maps/"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zsad.runtime",
        description="Inspect images with an ONNX model.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="file written by `zsad export`")
    parser.add_argument("images", nargs="+", metavar="image", help="PNG, JPEG, TIFF, WebP or BMP")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write each map as 16-bit PNG (65535 = 1.0)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, the rows of `zsad detect`")
    parser.add_argument("--provider", default="cpu", help="cpu, cuda or an onnxruntime provider name")
    parser.add_argument("--threads", type=int, help="processors that are used")
    parser.add_argument("--tile", metavar="auto|N", help="look at large images in tiles of N px as well")
    parser.add_argument("--bits", type=int, default=16, help="significant bits of 16-bit images, 8 to 16")
    parser.add_argument("--thresholds", metavar="FILE", help="JSON file with thresholds; single options override it")
    parser.add_argument("--threshold", help="image score from which an image is anomalous, 0 to 1 or never")
    parser.add_argument("--pixel-threshold", help="map value from which a pixel belongs to a region, 0 to 1 or never")
    parser.add_argument("--min-area", type=float, help="smallest region that counts, as a fraction of the image")
    parser.add_argument("--rule", help="what makes an image anomalous: score, region or either (the default)")
    parser.add_argument("--fail-on", metavar="anomalous", help="exit with code 3 if an image has this verdict")
    parser.add_argument("--prompt", help="a prompt stored in the model")
    parser.add_argument("--object", help="object noun of a stored prompt")
    parser.add_argument("--normal", help="a stored phrase for normal")
    parser.add_argument("--anomalous", help="a stored phrase for anomalous")
    return parser


def _line(result: Result) -> str:
    largest = max((region.area for region in result.regions), default=0)
    fired = f" ({', '.join(result.fired)})" if result.fired else ""
    what = "outline" if result.thresholds.pixel is None else "region"
    what += "" if len(result.regions) == 1 else "s"
    verdict = f"{result.verdict or 'uncalibrated'}{fired}"
    return f"{terminal(result.name)}  {result.score:.4f}  {verdict}  {len(result.regions)} {what}, largest {largest} px"


class _Maps:
    """Writes maps as 16-bit PNG into a folder, which is made.

    Raises:
        OccupiedError: a file is in the way that zsad did not write, or that is an input.
        OutputError: the folder can't be made.
    """

    def __init__(self, folder: Path, images: Sequence[str]) -> None:
        self._folder, self._names, names = folder, dict[str, str](), Names()
        for image in images:
            # The whole name, so that a.png and a.jpg don't overwrite each other, nor those of two folders.
            self._names[image] = names.give(f"{Path(image).name}.map.png", image) + ".png"
            check_output(folder / self._names[image], is_picture, "choose another --out", images)
        check_folder(folder, "choose another --out")
        with output_errors(folder, "choose another --out", "run it again"):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, image: str, result: Result) -> str:
        """Write a map, and return its name below the folder."""
        data = png(Image.fromarray(np.rint(result.map * np.float32(65535)).astype(np.uint16)))
        path = self._folder / self._names[image]
        write_whole(path, data, output_errors(path, "choose another --out", "run it again"))
        return self._names[image]


def _out(text: str) -> None:
    """Print a line to standard output; what a terminal's encoding lacks becomes an escape."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(to_its_end(main, PROGRAM))
