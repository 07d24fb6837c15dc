"""``python -m zsad.synthetic --out sheet.png``: a contact sheet of scenes with the outline of their masks."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from zsad.synthetic import Scene, scene_at


def tile(item: Scene, side: int, *, outline: bool = True) -> Image.Image:
    """One scene: the image, the image with the defect outlined, and the caption below."""
    picture = Image.fromarray(item.image).resize((side, side), Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", (side * (1 + outline) + 4, side + 26), (255, 255, 255))
    sheet.paste(picture, (0, 0))
    if outline:
        mask = np.asarray(Image.fromarray(item.mask * 255).resize((side, side), Image.Resampling.NEAREST)) > 0
        inner = mask.copy()
        inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        marked = np.array(picture)
        marked[mask & ~inner] = (255, 0, 255)
        sheet.paste(Image.fromarray(marked), (side + 2, 0))
    note = (
        f"{item.caption} [{','.join(item.defects) or 'ok'}{' ' + ','.join(item.incidents) if item.incidents else ''}]"
    )
    for row, line in enumerate(textwrap.wrap(note, side * (1 + outline) // 6)[:2]):
        ImageDraw.Draw(sheet).text((1, side + 1 + row * 12), line, fill=(0, 0, 0) if item.label == 0 else (190, 0, 0))
    return sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the contact sheet; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m zsad.synthetic", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    parser.add_argument("--split", choices=("train", "valid"), default="train")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=256, help="side of a scene in pixels")
    parser.add_argument("--show", type=int, default=160, help="side of a scene on the sheet")
    parser.add_argument("--label", choices=("any", "normal", "anomalous"), default="any")
    options = parser.parse_args(arguments)
    wanted = {"any": None, "normal": False, "anomalous": True}[options.label]
    tiles = [
        tile(
            scene_at(k, options.size, seed=options.seed, split=options.split, anomalous=wanted),
            options.show,
            outline=wanted is not False,
        )
        for k in range(options.count)
    ]
    columns = max(1, int(np.ceil(np.sqrt(options.count * tiles[0].height / tiles[0].width))))
    rows = -(-options.count // columns)
    sheet = Image.new("RGB", (columns * tiles[0].width, rows * tiles[0].height), (255, 255, 255))
    for k, picture in enumerate(tiles):
        sheet.paste(picture, (k % columns * picture.width, k // columns * picture.height))
    sheet.save(options.out)
    sys.stdout.write(f"{options.out}: {options.count} scenes, split {options.split}, seed {options.seed}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
