"""The test sets that videos are measured on, by name and version."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from zsad.errors import UsageError
from zsad.near import near
from zsad.outside import printable, shown
from zsad.video.labels import frame_arrays, span_lists, ubnormal, ucsd
from zsad.video.labels.label import Labels, cut
from zsad.video.labels.reading import Source
from zsad.video.labels.table import read_table

Reader = Callable[[Source, Collection[str]], Labels]
CSV = "csv:"
CUT16 = "cut16"
"""Each video cut to whole snippets of 16 frames, as evaluations of features of 16 frames do."""
LABEL_RULES = (span_lists.START_GT_0, CUT16)
"""Rules of the field that change labels."""


@dataclass(frozen=True)
class VideoDataset:
    """One test set.

    Attributes:
        versions: version -> its reader, the usual one first; ``""`` where there is but one.
        facts: version -> videos, abnormal ones, frames and positives of the whole published set, where counted.
        metric: what it is usually reported with: ``auc`` or ``ap``.
        fps: frames per second of its videos; 0 where they differ or nobody knows.
        other: another word for a version -> the version.
        scene: of UCSD, the folder that its masks are in.
    """

    versions: Mapping[str, Reader]
    facts: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict)
    metric: str = "auc"
    fps: float = 0.0
    other: Mapping[str, str] = field(default_factory=dict)
    scene: str = ""


VIDEO_DATASETS: dict[str, VideoDataset] = {
    "ucf-crime": VideoDataset(
        {"official": span_lists.ucf_official, "revised": span_lists.ucf_revised},
        {"official": (290, 140, 1_111_808, 84_182), "revised": (290, 140, 1_111_808, 88_094)},
        fps=30.0,
    ),
    "xd-violence": VideoDataset(
        {"": span_lists.xd_violence}, {"": (800, 500, 2_330_384, 537_805)}, metric="ap", fps=24.0
    ),
    "shanghaitech": VideoDataset(
        {"official": frame_arrays.shanghaitech, "weak": frame_arrays.shanghaitech_weak},
        {"official": (107, 107, 40_791, 17_326), "weak": (199, 44, 142_912, 8_028)},
        fps=24.0,
        other={"ad": "official", "standard": "official", "unsupervised": "official", "ws": "weak", "weakly": "weak"},
    ),
    "avenue": VideoDataset({"": frame_arrays.avenue}, {"": (21, 21, 15_324, 3_867)}, fps=25.0),
    "ucsd-ped1": VideoDataset({"": ucsd.ped1}, {}, fps=10.0, scene="UCSDped1"),
    "ucsd-ped2": VideoDataset({"": ucsd.ped2}, {"": (12, 12, 2_010, 1_648)}, fps=10.0, scene="UCSDped2"),
    "ubnormal": VideoDataset({"": ubnormal.ubnormal}, fps=30.0),
    "msad": VideoDataset({"": frame_arrays.msad}, {"": (240, 120, 143_920, 33_160)}),
    "tad": VideoDataset({"": span_lists.tad}, {"": (100, 60, 84_086, 10_609)}),
}
"""By name, as commands take it."""


def parse_dataset(text: str) -> tuple[str, str]:
    """Split ``NAME[@VERSION]``; without a version it is the usual one.

    Raises:
        UsageError: no such name or version.

    >>> parse_dataset("ucf-crime"), parse_dataset("tad")
    (('ucf-crime', 'official'), ('tad', ''))
    """
    name, at, version = text.partition("@")
    row = VIDEO_DATASETS.get(name.lower())
    if row is None:
        raise UsageError(f"no test set of videos is called {shown(name)}{near(name, VIDEO_DATASETS)}; known: "
                         f"{', '.join(VIDEO_DATASETS)}, and {CSV}FILE")  # fmt: skip
    if not at:
        return name.lower(), next(iter(row.versions))
    version = row.other.get(version.lower(), version.lower())
    if version not in row.versions or not version:
        known = [one for one in row.versions if one]
        raise UsageError(f"{name.lower()} has no version {shown(version)}{near(version, known)}; " + (
            f"known: {', '.join(known)}" if known else "it has one only; leave the version out"))  # fmt: skip
    return name.lower(), version


def load_labels(dataset: str, folder: str | Path | None, compat: Collection[str] = ()) -> Labels:
    """Read the labels of a test set.

    Args:
        dataset: ``NAME[@VERSION]`` of ``VIDEO_DATASETS``, or ``csv:FILE``.
        folder: of labels, laid out as the published repositories are; None for ``csv:FILE`` only.
        compat: rules of the field, of ``LABEL_RULES``.

    Raises:
        UsageError: an unknown name, version or rule, or no folder.
        DatasetError: a file that is absent, damaged, or contradicts another.
    """
    if dataset.startswith(CSV):
        labels = read_table(Path(dataset.removeprefix(CSV)))
        return _cut16(labels) if CUT16 in compat else labels
    name, version = parse_dataset(dataset)
    if folder is None:
        raise UsageError(f"{printable(dataset)} needs the folder of its labels")
    source = Source(Path(folder), f"{name}@{version}" if version else name)
    row = VIDEO_DATASETS[name]
    if span_lists.START_GT_0 in compat and name != "tad":
        raise UsageError(f"compat {span_lists.START_GT_0} is a rule of tad, not of {name}")
    labels = row.versions[version](source, compat)
    labels = replace(labels, fps=row.fps, notes=(*_brief(source.notes), *labels.notes))
    if (fault := _differs(labels, row.facts.get(version))) and not compat:
        labels = replace(labels, notes=(*labels.notes, fault))
    return _cut16(labels) if CUT16 in compat else labels


def _cut16(labels: Labels) -> Labels:
    videos = tuple(cut(v, v.n_frames // 16 * 16) if v.n_frames is not None else v for v in labels.videos)
    return replace(labels, videos=videos, notes=(*labels.notes, f"compat {CUT16}: videos cut to whole snippets of 16"))


def _brief(notes: list[str]) -> list[str]:
    """Count notes on single spans, and name the first."""
    cuts = [note for note in notes if " is cut at " in note]
    rest = [note for note in notes if note not in cuts]
    return rest if not cuts else [*rest, f"{len(cuts)} spans end a frame or two after their videos and are cut; first: "
                                         f"{cuts[0]}"]  # fmt: skip


def _differs(labels: Labels, facts: tuple[int, int, int, int] | None) -> str:
    found = (len(labels.videos), labels.abnormal, labels.frames, labels.positives)
    if facts is None or found == facts:
        return ""
    return (f"these labels are not the published set: {found[0]:,} videos, {found[1]:,} abnormal, {found[2] or 0:,} "
            f"frames, {found[3] or 0:,} positives; published {', '.join(f'{value:,}' for value in facts)}")  # fmt: skip
