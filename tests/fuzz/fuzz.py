"""Damaged files and odd arrays through ``zsad detect`` and both detectors.

``python tests/fuzz/fuzz.py`` writes ``benchmarks/results/fuzz.json``: how many were decoded, how many refused with
one line, and how many did anything else (a traceback, a hang, a wrong size, a crash), which must be none.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
import psutil
from PIL import Image, features

import zsad
from zsad.detector.base import Detector
from zsad.errors import InputError
from zsad.types import Result

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def samples() -> dict[str, list[bytes]]:
    """Return small valid files of ten formats, several variants each: format -> contents."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:48, :64]
    colour = np.stack([x * 3, y * 4, x + y], 2).astype(np.uint8) + rng.integers(0, 40, (48, 64, 3), dtype=np.uint8)
    rgb = Image.fromarray(colour)
    grey, deep = rgb.convert("L"), Image.fromarray((x * 900 + y).astype(np.uint16))
    pages: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    exif = Image.Exif()
    exif[0x0112] = 6
    made: dict[str, list[tuple[Image.Image, dict[str, Any]]]] = {
        "PNG": [(rgb, {}), (grey, {}), (deep, {}), (rgb.convert("P"), {"transparency": 0}), (rgb.convert("RGBA"), {}),
                (rgb.convert("1"), {}), (rgb, pages), (rgb, {"exif": exif})],
        "JPEG": [(rgb, {}), (grey, {}), (rgb.convert("CMYK"), {}), (rgb, {"progressive": True}), (rgb, {"exif": exif})],
        "TIFF": [(rgb, {}), (rgb, {"compression": "tiff_lzw"}), (rgb, {"compression": "jpeg"}), (deep, {}),
                 (Image.fromarray((x / 64).astype(np.float32)), {}), (rgb.convert("1"), {"compression": "group4"}),
                 (rgb, pages), (rgb, {"compression": "tiff_adobe_deflate", "exif": exif})],
        "WEBP": [(rgb, {}), (rgb, {"lossless": True}), (rgb.convert("RGBA"), {}), (rgb, pages)],
        "BMP": [(rgb, {}), (grey, {}), (rgb.convert("P"), {}), (rgb.convert("1"), {})],
        "GIF": [(grey, {}), (rgb.convert("P"), {}), (rgb, pages)],
        "PPM": [(rgb, {}), (grey, {}), (rgb.convert("1"), {}), (deep, {})],
        "JPEG2000": [(rgb, {}), (grey, {})],
        "AVIF": [(rgb, {}), (rgb.convert("RGBA"), {})],
        "MPO": [(rgb, pages)],
    }  # fmt: skip
    return {
        kind: [_encoded(image, kind, options) for image, options in images]
        for kind, images in made.items()
        if _written(kind)
    }


def _written(kind: str) -> bool:
    """Whether this Pillow writes a format; below 11.3 there is no AVIF, and MPO of small images comes out broken."""
    new = tuple(int(part) for part in PIL.__version__.split(".")[:2]) >= (11, 3)
    feature = {"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"}.get(kind)
    return (new or kind not in ("AVIF", "MPO")) and (feature is None or bool(features.check(feature)))


def _encoded(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    if kind == "PPM" and image.mode == "I;16":  # any Pillow reads it, only newer ones write it
        return b"P5 %d %d 65535\n" % image.size + np.asarray(image).astype(">u2").tobytes()
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def mutate(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Damage a file in one to three ways."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(changed)) if changed else 0
        match rng.randrange(8):
            case 0:  # single bits, most often in the head
                for _ in range(rng.randint(1, 8)):
                    if changed:
                        changed[rng.randrange(min(len(changed), rng.choice((64, 10**9))))] ^= 1 << rng.randrange(8)
            case 1:  # cut off
                del changed[at:]
            case 2:  # a hole
                del changed[at : at + rng.randint(1, 200)]
            case 3:  # a repeated part
                changed[at:at] = changed[at : at + rng.randint(1, 200)]
            case 4:  # noise
                size = rng.randint(1, 64)
                changed[at : at + size] = rng.randbytes(size)
            case 5:  # an extreme number
                size = rng.choice((2, 4))
                value = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 65535, 20_000)) & (256**size - 1)
                changed[at : at + size] = value.to_bytes(size, rng.choice(("big", "little")))
            case 6:  # the tail of another file
                other = rng.choice(others)
                changed[at:] = other[rng.randrange(len(other)) :]
            case _:  # zeros
                changed[at : at + rng.randint(1, 300)] = bytes(rng.randint(0, 300))
    return bytes(changed)


def write_files(folder: Path, count: int, seed: int) -> Counter[str]:
    """Write mutated files; returns how many of each format."""
    rng, kinds = random.Random(seed), samples()
    everything = [data for variants in kinds.values() for data in variants]
    written: Counter[str] = Counter()
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        kind = rng.choice(list(kinds))
        suffix = rng.choice((".png", ".jpg", ".tif", ".webp", ".bmp", ".gif"))
        (folder / f"{i:06d}-{kind.lower()}{suffix}").write_bytes(mutate(rng.choice(kinds[kind]), rng, everything))
        written[kind] += 1
    return written


def random_array(rng: np.random.Generator) -> npt.NDArray[Any]:
    """Return an array of random shape and dtype, often not an image."""
    dtypes = ["u1", "u2", "u4", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "?", "c8", ">u2", ">f4", "S3", "O"]
    shape = tuple(int(side) for side in rng.integers(0, 40, rng.integers(0, 5)))
    if rng.random() < 0.6:
        shape = (*(int(side) for side in rng.integers(1, 60, 2)), *([] if rng.random() < 0.5 else [3]))
    dtype = np.dtype(str(rng.choice(dtypes)))
    if dtype.kind in "fc":
        values = rng.random(shape) * rng.choice([1.0, 1.0, 2.0, np.nan])
    else:
        values = rng.integers(0, 2, shape) * rng.integers(1, 70_000)
    with np.errstate(all="ignore"):
        array = np.asarray(values).astype(dtype)
    return array[::-1] if array.ndim and rng.random() < 0.3 else array


def array_outcome(detector: Detector, array: npt.NDArray[Any]) -> str:
    """Return ``decoded``, ``refused``, or what went wrong."""
    try:
        result = detector(array)
    except InputError as error:
        return "refused" if "\n" not in str(error) else "message of several lines"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return checked(result, array.shape[:2])


def checked(result: Result, size: tuple[int, ...]) -> str:
    """Return ``decoded``, or what is wrong with a result."""
    if result.map.shape != size or result.map.dtype != np.float32:
        return f"map {result.map.dtype} {result.map.shape} for {size}"
    if not (0.0 <= result.score <= 1.0 and result.map.min() >= 0.0 and result.map.max() <= 1.0):
        return "values outside of [0, 1]"
    return "decoded"


def detect_outcomes(
    folder: Path, out: Path, model: str | None, limit: float
) -> tuple[Counter[str], list[str], dict[str, float]]:
    """Run ``zsad detect`` on a folder; returns counts, what went wrong, and time and memory.

    A hang is ``limit`` seconds of processor time, or ten times that by the clock: other programs may be busy.
    """
    command = [sys.executable, "-m", "zsad", "detect", str(folder), "--out", str(out)]
    command += ["--model", model] if model else []
    files = sorted(path.name for path in folder.iterdir())
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watched = psutil.Process(process.pid)
        peak, used = 0, 0.0
        while True:
            try:
                output = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                with suppress(psutil.NoSuchProcess):
                    peak = max(peak, watched.memory_info().rss)
                    used = sum(watched.cpu_times()[:2])
                if used > limit or time.perf_counter() - start > 10 * limit:
                    process.kill()
                    return Counter(), [f"hang: {len(files)} files took more than {used:.0f} s of processor time"], {}
    wrong = [f"exit code {process.returncode}"] if process.returncode not in (0, 1) else []
    wrong += [line for line in output[1].splitlines() if not line.startswith("failed  ")]
    wrong += ["traceback"] if "Traceback" in output[0] + output[1] else []
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    if sorted(Path(row["file"]).name for row in rows) != files:
        wrong.append(f"{len(rows)} rows for {len(files)} files")
    counts = Counter("refused" if "error" in row else "decoded" for row in rows)
    for row in rows:
        if "error" not in row:
            with Image.open(out / row["files"]["heatmap"]) as heat:
                if heat.size != (row["width"], row["height"]):
                    wrong.append(f"{row['file']}: heatmap {heat.size} for {row['width']} x {row['height']}")
    slowest = max((row["ms"] for row in rows if "ms" in row), default=0.0)
    return counts, wrong, {"processor_seconds": used, "peak_mb": peak / 1e6, "slowest_ms": slowest}


def second_detector(detector: Detector, folder: Path) -> tuple[Counter[str], list[str]]:
    """Run the torch detector on the same files."""
    counts: Counter[str] = Counter()
    wrong = []
    for path in sorted(folder.iterdir()):
        try:
            decoded = detector.decode(path)
            outcome = checked(detector(decoded), decoded.size)
        except InputError as error:
            outcome = "refused" if "\n" not in str(error) else "message of several lines"
        except Exception as error:
            outcome = f"{path.name}: {type(error).__name__}: {error}"
        counts[outcome if outcome in ("decoded", "refused") else "wrong"] += 1
        wrong += [outcome] if outcome not in ("decoded", "refused") else []
    return counts, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--arrays", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="ONNX file; the bundled model by default")
    parser.add_argument("--torch", help="id of a small backbone for the torch detector; none by default")
    parser.add_argument("--prompt", help="prompt of the torch detector")
    parser.add_argument("--note", default="", help="a remark for the record")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "fuzz.json")
    args = parser.parse_args()
    detectors: dict[str, Detector] = {"onnx": zsad.load(args.model)}
    if args.torch:
        detectors["torch"] = zsad.load(args.torch, prompt=args.prompt)
    files: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    other: Counter[str] = Counter()
    wrong: list[str] = []
    figures: dict[str, float] = {"processor_seconds": 0.0, "peak_mb": 0.0, "slowest_ms": 0.0}
    chunk = 1000
    for first in range(0, args.files, chunk):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "in"
            kinds += write_files(folder, min(chunk, args.files - first), args.seed * 1_000_003 + first)
            counts, problems, measured = detect_outcomes(folder, Path(place) / "out", args.model, limit=300)
            files += counts
            wrong += problems
            figures["processor_seconds"] += measured.get("processor_seconds", 0.0)
            for key in ("peak_mb", "slowest_ms"):
                figures[key] = max(figures[key], measured.get(key, 0.0))
            if "torch" in detectors:
                counts, problems = second_detector(detectors["torch"], folder)
                other += counts
                wrong += problems
        print(f"{first + chunk:>6} files: {dict(files)}, {len(wrong)} wrong", flush=True)
    arrays: Counter[str] = Counter()
    rng = np.random.default_rng(args.seed)
    for i in range(args.arrays):
        array = random_array(rng)
        outcomes = {array_outcome(detector, array) for detector in detectors.values()}
        outcome = outcomes.pop() if len(outcomes) == 1 else f"detectors differ: {outcomes}"
        arrays[outcome if outcome in ("decoded", "refused") else "wrong"] += 1
        wrong += [f"array {i} {array.dtype} {array.shape}: {outcome}"] if arrays["wrong"] > len(wrong) else []
    record = {
        "files": {"total": args.files, "formats": dict(kinds), **files},
        "files_torch": dict(other),
        "arrays": {"total": args.arrays, **arrays},
        "wrong": len(wrong),
        "examples_of_wrong": wrong[:20],
        "figures": {key: round(value, 1) for key, value in figures.items()},
        "run": run_record(args, detectors),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))
    return 1 if wrong else 0


def run_record(args: argparse.Namespace, detectors: dict[str, Detector]) -> dict[str, Any]:
    """Return what a figure depends on."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "detectors": {name: _described(detector) for name, detector in detectors.items()},
        "note": args.note,
        "seed": args.seed,
        "zsad": zsad.__version__,
        "python": platform.python_version(),
        "pillow": PIL.__version__,
        "numpy": np.__version__,
        "system": platform.system(),
    }


def _described(detector: Detector) -> str:
    return f"{Path(detector.card.provenance.name).name or 'unnamed'}, {detector.card.input.image_size} px"


if __name__ == "__main__":
    sys.exit(main())
