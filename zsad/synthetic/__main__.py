"""``python -m zsad.synthetic --out sheet.png``: a contact sheet of scenes with the outline of their masks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from zsad.errors import UsageError, ZsadError
from zsad.files import output_errors, write_whole
from zsad.outputs import check_output, is_picture, png
from zsad.synthetic import contact_sheet, scene_at


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
    try:
        check_output(options.out, is_picture, "choose another --out")
        scenes = [
            scene_at(k, options.size, seed=options.seed, split=options.split, anomalous=wanted)
            for k in range(options.count)
        ]
        refused = output_errors(options.out, again="run it again")
        write_whole(options.out, png(contact_sheet(scenes, options.show, outline=wanted is not False)), refused)
    except (ValueError, ZsadError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    sys.stdout.write(f"{options.out}: {options.count} scenes, split {options.split}, seed {options.seed}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
