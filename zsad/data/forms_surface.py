"""On-disk forms of small datasets outside of the suite; see :mod:`zsad.data.forms`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from zsad.data.files import Report, by_stem, child, folders, images_in, mask_of, need, not_empty, same_name
from zsad.data.layouts import Layout
from zsad.data.lists import checked_files
from zsad.data.mask_values import JPEG_THRESHOLD
from zsad.data.masks import read_mask
from zsad.errors import DatasetError
from zsad.types import Sample


def magnetic_tile(root: Path, report: Report) -> list[Sample]:
    """Magnetic tile: ``MT_*/Imgs/x.jpg`` with ``x.png`` as its mask; ``MT_Free`` is normal."""
    samples: list[Sample] = []
    for kind in folders(root):
        images = child(kind, "Imgs")
        if not kind.name.startswith("MT_") or images is None:
            report.leave_out(kind, "not MT_*/Imgs")
            continue
        normal = kind.name == "MT_Free"
        inner = Report()
        files = images_in(images, inner)  # image and mask share a name on purpose
        report.left_out += inner.left_out
        masks = by_stem([file for file in files if file.suffix.lower() == ".png"], images, report)
        for image in (file for file in files if file.suffix.lower() in (".jpg", ".jpeg")):
            mask = masks.pop(same_name(image.stem), None)
            if mask is None:
                report.problem(image, "no mask of its name")
            samples.append(
                Sample(
                    image,
                    int(not normal),
                    None if normal else mask,
                    "magnetic_tile",
                    "good" if normal else kind.name.removeprefix("MT_").lower(),
                    JPEG_THRESHOLD,
                    image.relative_to(root).as_posix(),
                    has_masks=True,
                )
            )
        for mask in masks.values():
            report.problem(mask, "a mask without an image of its name")
    return not_empty(samples, root, report)


def aws_cookie(root: Path, report: Report) -> list[Sample]:
    """AWS cookies: ``normal-*`` and ``anomaly-*`` in ``training-images``, palette masks in ``mask-images``."""
    base = child(root, "dataset-files") or root
    masks = by_stem(images_in(need(base, "mask-images"), report), need(base, "mask-images"), report)
    samples = []
    for image in images_in(need(base, "training-images"), report):
        normal = image.name.startswith("normal")
        mask = None if normal else mask_of(image.stem, masks, report, image)
        if not normal and mask is None:
            report.problem(image, "no mask of its name in mask-images/")
        samples.append(
            Sample(
                image,
                int(not normal),
                mask,
                "cookie",
                "good" if normal else "anomaly",
                key=image.relative_to(root).as_posix(),
                has_masks=True,
            )
        )
    return not_empty(samples, root, report)


def hazelnut_toy(root: Path, report: Report) -> list[Sample]:
    """Toy hazelnuts: ``x.jpg`` with ``x_mask.jpg`` is anomalous, ``good.jpg`` normal."""
    files = images_in(root, report)
    masks = by_stem([file for file in files if file.stem.endswith("_mask")], root, report)
    samples = []
    for image in (file for file in files if not file.stem.endswith("_mask")):
        mask = masks.get(same_name(f"{image.stem}_mask"))
        normal = image.stem == "good"
        if not normal and mask is None:
            report.problem(image, "no mask of its name")
        samples.append(
            Sample(image, int(not normal), mask, "hazelnut", image.stem, JPEG_THRESHOLD, image.name, has_masks=True)
        )
    return not_empty(samples, root, report)


def ucsd_ped2(root: Path, report: Report) -> list[Sample]:
    """UCSD Ped2 as single frames: ``ped2/testing/frames/NN/KKK.jpg``, masks ``UCSDped2/Test/TestNNN_gt/KKK.bmp``.

    Frames count from 000 and masks from 001. A frame is anomalous if its mask has a pixel.
    """
    samples = []
    for clip in folders(need(need(need(root, "ped2"), "testing"), "frames")):
        truth = root / "UCSDped2" / "Test" / f"Test{int(clip.name):03d}_gt" if clip.name.isdigit() else None
        if truth is None or not truth.is_dir():
            report.leave_out(clip, "no folder of masks")
            continue
        masks = by_stem(images_in(truth, report), truth, report)
        for image in images_in(clip, report):
            number = f"{int(image.stem) + 1:03d}" if image.stem.isdigit() else image.stem
            mask = mask_of(number, masks, report, image)
            label = None
            if mask is None:
                report.problem(image, f"no mask {number} in {truth.name}")
            else:
                try:
                    label = int(read_mask(Sample(image, 1, mask)).any())
                except DatasetError as error:
                    report.problems.append(str(error))
            defect = {None: "", 0: "good", 1: "anomaly"}[label]
            key = image.relative_to(root).as_posix()
            samples.append(Sample(image, label, mask if label else None, "ped2", defect, key=key, has_masks=True))
    return not_empty(samples, root, report)


def elpv_form(defective: float) -> Layout:
    """Return a reader of the ELPV solar cells: ``labels.csv`` with lines ``images/cell0001.png 1.0 mono``.

    The number is the probability that the cell is defective, in experts' judgement: 0, 1/3, 2/3 or 1.

    Args:
        defective: probability from which a cell is anomalous, in (0, 1]. One of probability 0 is normal; what lies
            between is neither, and left out.
    """

    def read(root: Path, report: Report) -> list[Sample]:
        path = root / "labels.csv"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise DatasetError(f"{path}: no such file; expected images/ and labels.csv") from None
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{path}: can't be read ({error})") from None
        samples: list[Sample] = []
        between: Counter[str] = Counter()
        for number, line in enumerate(lines, start=1):
            cell = _elpv_cell(line)
            if cell is None:
                report.problem(f"{path}:{number}", "is not a line such as `images/cell0001.png 1.0 mono`")
            elif 0.0 < cell[1] < defective:
                between[f"{cell[1]:.2f}"] += 1
            else:
                name, probability, kind = cell
                label = int(probability >= defective)
                defect = "defective" if label else "good"
                samples.append(Sample(root / "images" / name, label, None, kind, defect, key=f"images/{name}"))
        for odds, count in sorted(between.items()):
            report.notes.append(f"{count} cells of probability {odds} are neither normal nor anomalous, left out")
        return checked_files(not_empty(samples, root, report), report)

    return read


def _elpv_cell(line: str) -> tuple[str, float, str] | None:
    """Read file name, probability and type of one line; None if it is none. A path that leads elsewhere is none."""
    words = line.split()
    if len(words) != 3 or words[0] != f"images/{Path(words[0]).name}" or words[2] not in ("mono", "poly"):
        return None
    try:
        probability = float(words[1])
    except ValueError:
        return None
    return (Path(words[0]).name, probability, words[2]) if 0.0 <= probability <= 1.0 else None
