"""Generic on-disk forms -> samples. A layout is a plain function in a dict.

``mvtec:`` a tree of classes, or one class of it; ``pairs:`` images/ and masks/; ``folders:`` good/ and bad/;
``csv:`` a table; ``meta:`` the ``meta.json`` of AnomalyCLIP's scripts. Masks are paired by name, never by order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zsad.data.files import Report, by_stem, child, folders, images_in, mask_of, need, report_duplicates, same_name
from zsad.data.lists import meta_json, table
from zsad.data.masks import read_mask
from zsad.errors import DatasetError
from zsad.types import Sample

Layout = Callable[[Path, Report], list[Sample]]

NORMAL_NAMES = ("good", "ok")
"""Names of the folder of normal images in the MVTec form (BTAD says ``ok``)."""


def mvtec(
    root: Path, report: Report, *, split: str = "test", normal: tuple[str, ...] = NORMAL_NAMES, base: Path | None = None
) -> list[Sample]:
    """Read the MVTec form: ``class/test/defect/000.png`` and ``class/ground_truth/defect/000_mask.png``.

    Args:
        root: a folder of classes, or one class.
        report: takes what is wrong or left out.
        split: which part to read, ``"test"`` or ``"train"``.
        normal: names of the folder of normal images.
        base: what keys are relative to; ``root`` by default.

    Raises:
        DatasetError: no folder of that form.
    """
    if child(root, split):
        return mvtec_class(root, report, split=split, normal=normal, base=base)
    samples: list[Sample] = []
    for folder in folders(root):
        if child(folder, split):
            samples += mvtec_class(folder, report, split=split, normal=normal, base=base or root)
        else:
            report.leave_out(folder, f"no {split} folder in it")
    if not samples and not report.problems:
        raise DatasetError(f"{root}: no {split} folder here or one level below; expected <class>/{split}/<defect>/")
    return samples


def mvtec_class(
    folder: Path,
    report: Report,
    *,
    split: str = "test",
    normal: tuple[str, ...] = NORMAL_NAMES,
    base: Path | None = None,
    name: str = "",
) -> list[Sample]:
    """Read one class of the MVTec form; see :func:`mvtec`. ``base`` is what keys are relative to."""
    images = child(folder, split)
    if images is None:
        raise DatasetError(f"{folder}: no {split} folder in it")
    truth = child(folder, "ground_truth")
    samples: list[Sample] = []
    for kind in folders(images):
        found = images_in(kind, report)
        if not found:
            report.problem(kind, "an empty folder, no image in it")
        is_normal = kind.name.lower() in normal
        masks = _mvtec_masks(truth, kind.name, report) if truth and not is_normal else {}
        for image in found:
            mask = None if is_normal else mask_of(image.stem, masks, report, image)
            if truth and not is_normal and mask is None:
                report.problem(image, f"no mask in {truth.name}/{kind.name}")
            samples.append(
                Sample(
                    image=image,
                    label=0 if is_normal else 1,
                    mask=mask,
                    class_name=name or folder.resolve().name,
                    defect="good" if is_normal else kind.name,
                    key=image.relative_to(base or folder).as_posix(),
                    has_masks=truth is not None,
                )
            )
        _report_unused(masks, samples, report)
    kinds = {same_name(sample.image.parent.name).lower() for sample in samples}
    for kind in folders(truth) if truth else ():
        if same_name(kind.name).lower() not in kinds and split == "test":
            report.problem(kind, f"masks of a kind that {split} does not have")
    if not samples:
        report.problem(images, "an empty class, no image in it")
    return samples


def pairs(root: Path, report: Report) -> list[Sample]:
    """Read ``images/`` and ``masks/``, paired by name; folders below are classes of defects.

    An image is anomalous if its mask has a defect pixel; a mask without one marks a normal image.

    Raises:
        DatasetError: one of the two folders is absent.
    """
    images, masks = need(root, "images"), need(root, "masks")
    return paired(images, masks, report, class_name=root.resolve().name, base=root, label=None)


def paired(
    images: Path,
    masks: Path,
    report: Report,
    *,
    class_name: str,
    base: Path,
    label: int | None,
    threshold: int = 0,
    defect: str = "",
) -> list[Sample]:
    """Pair two folders by name.

    Args:
        images: folder of images.
        masks: folder of masks; ``a.jpg`` fits ``a.png`` and ``a_mask.png``.
        report: takes what is wrong or left out.
        class_name: class of all samples.
        base: what keys are relative to.
        label: 1 if all are anomalous; None to tell from the mask's content.
        threshold: grey value above which a mask pixel is defect.
        defect: name of the kind of defect.
    """
    found = images_in(images, report, deep=True)
    report_duplicates(found, report)
    by_name = by_stem(images_in(masks, report, deep=True), masks, report)
    samples = []
    for image in found:
        relative = image.relative_to(images)
        sample = Sample(
            image=image,
            label=label,
            mask=mask_of(relative.with_suffix("").as_posix(), by_name, report, image),
            class_name=class_name,
            defect=defect or (relative.parent.as_posix() if relative.parent != Path() else ""),
            mask_threshold=threshold,
            key=image.relative_to(base).as_posix(),
            has_masks=True,
        )
        if sample.mask is None:
            report.problem(image, f"no mask of its name in {masks}; a normal image needs an all-black one")
        elif label is None:
            sample = _labelled(sample, report)
        samples.append(sample)
    _report_unused(by_name, samples, report)
    if not found:
        report.problem(images, "an empty folder, no image in it")
    return [sample for sample in samples if sample.label is not None]  # the others are problems by now


def good_bad(root: Path, report: Report) -> list[Sample]:
    """Read ``good/`` and ``bad/``: labels without masks; folders inside of ``bad`` name kinds of defects.

    Raises:
        DatasetError: one of the two folders is absent.
    """
    good, bad = need(root, "good"), need(root, "bad")
    return labelled_folders({good: 0, bad: 1}, report, class_name=root.resolve().name, base=root)


def labelled_folders(labels: dict[Path, int], report: Report, *, class_name: str, base: Path) -> list[Sample]:
    """Read folders whose images all have one label, without masks."""
    samples: list[Sample] = []
    for folder, label in labels.items():
        found = images_in(folder, report, deep=True)
        report_duplicates(found, report)
        if not found:
            report.problem(folder, "an empty folder, no image in it")
        for image in found:
            inside = image.relative_to(folder).parent.as_posix()
            samples.append(
                Sample(
                    image=image,
                    label=label,
                    class_name=class_name,
                    defect="good" if label == 0 else (folder.name if inside == "." else inside),
                    key=image.relative_to(base).as_posix(),
                )
            )
    return samples


LAYOUTS: dict[str, Layout] = {"mvtec": mvtec, "pairs": pairs, "folders": good_bad, "csv": table, "meta": meta_json}


def _labelled(sample: Sample, report: Report) -> Sample:
    """Tell normal from anomalous by the mask's content."""
    try:
        label = int(read_mask(sample).any())
    except DatasetError as error:
        report.problems.append(str(error))
        return sample
    return replace(sample, label=label, defect=sample.defect or ("" if label else "good"))


def _mvtec_masks(truth: Path, kind: str, report: Report) -> dict[str, Path]:
    """Index the masks of one kind of defect; a folder ``000/`` (MVTec LOCO) is one mask of several files."""
    folder = truth / kind if (truth / kind).is_dir() else child(truth, kind)
    if folder is None or not folder.is_dir():
        return {}
    inner = Report()
    files = by_stem(images_in(folder, inner), folder, inner)
    united = {same_name(entry.name): entry for entry in folders(folder)}
    for name in sorted(set(files) & set(united)):
        inner.problem(united[name], f"a folder of masks, and {files[name].name} exists too; keep one of them")
    report.problems += inner.problems
    report.left_out += [line for line in inner.left_out if not any(line.startswith(f"{u}:") for u in united.values())]
    return files | united


def _report_unused(masks: dict[str, Path], samples: list[Sample], report: Report) -> None:
    used = {sample.mask for sample in samples}
    for mask in masks.values():
        if mask not in used:
            report.problem(mask, "a mask without an image of its name")
