"""The original on-disk forms of public datasets, odd names and extra folders included. Plain functions.

Source: the dataset scripts of AnomalyCLIP, from their description; each dataset's own archive where it differs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zsad.data.files import Report, by_stem, child, entries, folders, images_in, mask_of, need, not_empty, same_name
from zsad.data.layouts import Layout, labelled_folders, mvtec, mvtec_class, paired
from zsad.data.lists import checked_files, with_mask_rule
from zsad.data.masks import read_mask
from zsad.data.text_files import listed, read_csv, read_text
from zsad.errors import DatasetError
from zsad.types import Sample


def mvtec_form(*roots: str, normal: tuple[str, ...] = ("good",)) -> Layout:
    """Return a reader of the MVTec form, optionally one folder down (``roots``)."""

    def read(root: Path, report: Report) -> list[Sample]:
        return mvtec((child(root, *roots) or root) if roots else root, report, normal=normal, base=root)

    return read


def image_mask_form(images: str, masks: str, class_name: str, *, threshold: int = 0) -> Layout:
    """Return a reader of two folders paired by name, everything anomalous."""

    def read(root: Path, report: Report) -> list[Sample]:
        image_folder, mask_folder = need(root, images), need(root, masks)
        return paired(image_folder, mask_folder, report, class_name=class_name, base=root, label=1, threshold=threshold)

    return read


def visa(root: Path, report: Report, *, split: str = "test") -> list[Sample]:
    """VisA: ``split_csv/1cls.csv`` with object, split, label, image, mask; masks hold small integers.

    Args:
        root: the dataset's folder.
        report: takes what is wrong or left out.
        split: which part to read, ``"test"`` or ``"train"``.

    Raises:
        DatasetError: the split file is absent.
    """
    path = root / "split_csv" / "1cls.csv"
    rows = read_csv(path, needed=("object", "split", "label", "image", "mask"))
    samples: list[Sample] = []
    for line, row in rows:
        if row["split"] != split:
            continue
        if row["label"] not in ("normal", "anomaly"):
            report.problem(f"{path}:{line}", f"label {row['label']!r} is neither normal nor anomaly")
            continue
        anomalous = row["label"] == "anomaly"
        samples.append(
            Sample(
                image=listed(root, row["image"]),
                label=int(anomalous),
                mask=listed(root, row["mask"]) if anomalous and row["mask"] else None,
                class_name=row["object"],
                defect="anomaly" if anomalous else "good",
                key=row["image"],
            )
        )
    if not samples:
        report.problem(path, f"no row of the {split} split")
    return checked_files(with_mask_rule(samples, report), report)


def kolektor_sdd(root: Path, report: Report) -> list[Sample]:
    """KolektorSDD: converted to the MVTec form (``electrical commutators``), or as downloaded (``kos01``...).

    Raises:
        DatasetError: neither form is found.
    """
    for name in ("electrical commutators", "electrical_commutators"):
        folder = child(root, name)
        if folder:
            return mvtec_class(folder, report, base=root, name="electrical commutators", normal=("good",))
    items = [folder for folder in folders(root) if folder.name.lower().startswith("kos")]
    if not items:
        raise DatasetError(f"{root}: neither 'electrical commutators' nor kos01, kos02, ... in it")
    report.notes.append(
        "as downloaded: all images, labels from the masks; published figures use a converted test split (181 + 74)"
    )
    samples: list[Sample] = []
    for item in items:
        files = images_in(item, report)
        masks = by_stem([file for file in files if file.stem.endswith("_label")], item, report)
        images = (file for file in files if not file.stem.endswith("_label"))
        samples += [_from_content(item, image, masks, report, root) for image in images]
    return [sample for sample in samples if sample.label is not None]


def dagm(root: Path, report: Report, *, split: str = "test") -> list[Sample]:
    """DAGM: ``Class1/Test/0001.PNG`` and ``Class1/Test/Label/0001_label.PNG``; anomalous if a mask exists.

    ``Label/Labels.txt``, where present, tells which masks must exist.

    Args:
        root: the dataset's folder.
        report: takes what is wrong or left out.
        split: which part to read, ``"test"`` or ``"train"``, which is ``Class1/Train``.

    Raises:
        DatasetError: no class folder.
    """
    samples: list[Sample] = []
    for folder in folders(root):
        test = child(folder, split.title())
        if test is None:
            report.leave_out(folder, f"no {split.title()} folder in it")
            continue
        labels = child(test, "Label")
        if labels is None:
            report.problem(test, "no Label folder in it, so no image can be told anomalous")
            continue
        masks = by_stem([file for file in entries(labels) if file.suffix.lower() == ".png"], labels, report)
        inner = Report()
        images = images_in(test, inner)
        report.problems += inner.problems
        report.left_out += [line for line in inner.left_out if not line.startswith(f"{labels}:")]
        found = [(image, masks.get(same_name(f"{image.stem}_label"))) for image in images]
        for stem in sorted(_listed_masks(labels) - set(masks)):
            report.problem(labels, f"Labels.txt lists {stem}, which is absent")
        for stem in sorted(set(masks) - {same_name(f"{image.stem}_label") for image in images}):
            report.problem(masks[stem], "a mask without an image of its name")
        if not found:
            report.problem(test, "an empty class, no image in it")
        samples += [
            Sample(
                image,
                int(mask is not None),
                mask,
                folder.name,
                "defect" if mask else "good",
                key=image.relative_to(root).as_posix(),
                has_masks=True,
            )
            for image, mask in found
        ]
    if not samples and not report.problems:
        raise DatasetError(f"{root}: no Class1/Test or the like in it")
    return samples


def isic(root: Path, report: Report) -> list[Sample]:
    """ISIC 2016: ``skin/test/<kind>/`` and its mask folder, or the two folders as downloaded."""
    truth = "ISBI2016_ISIC_Part1_Test_GroundTruth"
    skin = child(root, "skin") or root
    masks = need(skin, truth)
    data = child(skin, "ISBI2016_ISIC_Part1_Test_Data")
    if data:
        return paired(data, masks, report, class_name="skin", base=root, label=1)
    by_name = by_stem(images_in(masks, report), masks, report)
    samples = []
    for kind in folders(need(skin, "test")):
        normal = kind.name == "good"
        for image in images_in(kind, report):
            mask = None if normal else mask_of(image.stem, by_name, report, image)
            if mask is None and not normal:
                report.problem(image, f"no mask of its name in {truth}")
            samples.append(
                Sample(
                    image,
                    int(not normal),
                    mask,
                    "skin",
                    kind.name,
                    key=image.relative_to(root).as_posix(),
                    has_masks=True,
                )
            )
    return not_empty(samples, root, report)


def endo(root: Path, report: Report) -> list[Sample]:
    """EndoTect: every folder but ``masks`` holds images; all but ``good`` are anomalous."""
    masks = need(root, "masks")
    by_name = by_stem(images_in(masks, report), masks, report)
    samples = []
    for kind in folders(root):
        if kind == masks:
            continue
        normal = kind.name == "good"
        for image in images_in(kind, report):
            mask = None if normal else mask_of(image.stem, by_name, report, image)
            if mask is None and not normal:
                report.problem(image, "no mask of its name in masks/")
            samples.append(
                Sample(
                    image,
                    int(not normal),
                    mask,
                    "colon",
                    kind.name,
                    key=image.relative_to(root).as_posix(),
                    has_masks=True,
                )
            )
    for stem in sorted(set(by_name) - {same_name(sample.mask.stem) for sample in samples if sample.mask}):
        report.problem(by_name[stem], "a mask without an image of its name")
    return not_empty(samples, root, report)


def labelled_form(class_name: str, normal: str, *anomalous: str, below: str = "", any_other: bool = False) -> Layout:
    """Return a reader of one folder of normal and some of anomalous images, without masks.

    Args:
        class_name: class of all samples.
        normal: name of the folder of normal images.
        anomalous: names of the folders of anomalous ones, in any case.
        below: where they lie below the root, if that folder exists.
        any_other: every other folder counts as anomalous (only where the dataset is described so).
    """

    def read(root: Path, report: Report) -> list[Sample]:
        base = root / below if below and (root / below).is_dir() else root
        good = need(base, normal)
        others = [folder for folder in folders(base) if folder != good]
        wanted = {name.lower() for name in anomalous}
        bad = [folder for folder in others if (any_other and folder.name != "masks") or folder.name.lower() in wanted]
        if not bad:
            raise DatasetError(f"{base}: no {' or '.join(anomalous) or 'second'} folder in it")
        for folder in others:
            if folder not in bad:
                report.leave_out(folder, "not a part of this dataset's test set")
        labels = {_images_below(folder, report): int(folder != good) for folder in (good, *bad)}
        return labelled_folders(labels, report, class_name=class_name, base=root)

    return read


def _images_below(folder: Path, report: Report) -> Path:
    """Return ``folder/images`` where a later release of a dataset put masks beside it, else the folder."""
    inner = child(folder, "images")
    if inner is None:
        return folder
    for other in folders(folder):
        if other != inner:
            report.leave_out(other, f"beside {inner.name}")
    return inner


def _listed_masks(labels: Path) -> set[str]:
    """Read which masks ``Labels.txt`` mentions."""
    listing = child(labels, "Labels.txt")
    if listing is None:
        return set()
    words = read_text(listing).split()
    return {same_name(Path(word).stem) for word in words if word.lower().endswith("_label.png")}


def _from_content(item: Path, image: Path, masks: dict[str, Path], report: Report, root: Path) -> Sample:
    mask = mask_of(image.stem, masks, report, image)
    sample = Sample(image, None, mask, "electrical commutators", key=image.relative_to(root).as_posix(), has_masks=True)
    if mask is None:
        report.problem(image, f"no mask of its name in {item.name}")
        return sample
    try:
        label = int(read_mask(sample).any())
    except DatasetError as error:
        report.problems.append(str(error))
        return sample
    return replace(sample, label=label, mask=mask if label else None, defect="defect" if label else "good")
