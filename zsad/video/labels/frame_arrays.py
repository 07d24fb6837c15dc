"""Test sets whose labels are arrays, one value per frame: Avenue, Ped2, ShanghaiTech in both splits, MSAD."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from zsad.errors import DatasetError
from zsad.outside import printable
from zsad.video.labels.label import Labels, VideoLabel, of_frames
from zsad.video.labels.reading import Source, read_flags, unique, video_name

AVENUE = (1439, 1211, 923, 947, 1007, 1283, 605, 36, 1175, 841, 472, 1271, 549, 507, 1001, 740, 426, 294, 248, 273, 76)
"""Frames of Avenue's 21 test videos; in all the 15,324 of the label file, and cut to 16 each the 15,152 of MSAD's."""
PED2 = (180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180)
SNIPPET = 16
AVENUE_FILE, PED2_FILE = "MNAD/data/frame_labels_avenue.npy", "MNAD/data/frame_labels_ped2.npy"
SHANGHAI_MASKS, SHANGHAI_LIST, SHANGHAI_WEAK = (
    "RTFM/list/test_frame_mask",
    "RTFM/list/SH_Test.txt",
    "RTFM/list/gt-sh.npy",
)
MSAD_LIST, MSAD_FILE = "MSAD/msad-i3d-test.list", "MSAD/gt-MSAD-WS-new.npy"


def avenue(source: Source, compat: Collection[str] = ()) -> Labels:
    """CUHK Avenue: 21 test videos."""
    names = [f"{i:02d}" for i in range(1, len(AVENUE) + 1)]
    return Labels("avenue", "", tuple(_split(source, AVENUE_FILE, names, AVENUE)))


def ped2_frames(source: Source) -> list[VideoLabel]:
    """UCSD Ped2 out of one array: 12 test videos."""
    names = [f"Test{i:03d}" for i in range(1, len(PED2) + 1)]
    return _split(source, PED2_FILE, names, PED2)


def ped_names(name: str) -> tuple[str, ...]:
    """Return what else ``Test002`` is called: ``002`` and ``02``, as the copies with JPEG frames have it."""
    number = int(name.removeprefix("Test"))
    return (f"{number:03d}", f"{number:02d}")


def shanghaitech(source: Source, compat: Collection[str] = ()) -> Labels:
    """ShanghaiTech's own split for anomaly detection: 107 test videos, training videos are all normal."""
    return Labels("shanghaitech", "official", tuple(_masks(source).values()))


def shanghaitech_weak(source: Source, compat: Collection[str] = ()) -> Labels:
    """ShanghaiTech's split for weak supervision: 44 abnormal and 155 normal videos of both parts.

    As the field counts them, whose features are of 16 frames: each video is as long as ``ceil(n / 16) * 16``, its last
    label held. Single lengths of normal videos are not published with the labels; their sum is.
    """
    path, rows = source.lines(SHANGHAI_LIST)
    names = [video_name(words[0], path) for _, words in rows]
    unique(names, path)
    joined, masks = source.flags(SHANGHAI_WEAK), _masks(source)
    abnormal = [_padded(masks[name]) for name in names if name in masks]
    known = np.concatenate([video.truth() for video in abnormal]) if abnormal else np.zeros(0, np.bool_)
    if len(joined) < len(known) or not np.array_equal(joined[: len(known)], known) or joined[len(known) :].any():
        raise DatasetError(f"{printable(source.folder / SHANGHAI_WEAK)}: does not begin with the labels of the "
                           f"{len(abnormal)} abnormal videos of {SHANGHAI_LIST}, or has others after them")  # fmt: skip
    normal = [VideoLabel(name, None) for name in names if name not in masks]
    source.notes.append("lengths are counted in whole snippets of 16 frames, as the field does; those of single normal "
                        "videos come with the scores")  # fmt: skip
    return Labels("shanghaitech", "weak", (*abnormal, *normal), unknown_frames=len(joined) - len(known))


def msad(source: Source, compat: Collection[str] = ()) -> Labels:
    """MSAD's test set of protocol ii: one array for all videos, in the order of the list, in whole snippets of 16."""
    path, rows = source.lines(MSAD_LIST)
    videos = []
    for _, words in rows:
        name = video_name(words[0], path).removesuffix("_i3d")
        kind = name.rsplit("_", 1)[0]
        normal = "normal" in kind.lower()
        videos.append(VideoLabel(name, None, classes=() if normal else (kind,), abnormal=not normal))
    unique([video.name for video in videos], path)
    joined = source.flags(MSAD_FILE)
    if len(joined) % SNIPPET:
        raise DatasetError(f"{printable(source.folder / MSAD_FILE)}: {len(joined):,} labels are no whole snippets of "
                           f"{SNIPPET} frames")  # fmt: skip
    source.notes.append("the labels are one array for all videos; how long each is comes with the scores")
    return Labels("msad", "", tuple(videos), joined=joined, unknown_frames=len(joined))


def _masks(source: Source) -> dict[str, VideoLabel]:
    folder = source.folder / SHANGHAI_MASKS
    files = sorted(folder.glob("*.npy")) if folder.is_dir() else []
    if not files:
        source.file(f"{SHANGHAI_MASKS}/01_0014.npy")  # says what is not there
    return {name: of_frames(name, read_flags(file)) for file in files if (name := video_name(file.name, folder))}


def _padded(video: VideoLabel) -> VideoLabel:
    """Hold the last label up to a whole snippet."""
    frames = video.n_frames or 0
    truth = video.truth()
    wanted = -(-frames // SNIPPET) * SNIPPET
    held = np.concatenate([truth, np.repeat(truth[-1:], wanted - frames)])
    return replace(of_frames(video.name, held), raw_frames=frames)


def _split(source: Source, file: str, names: Sequence[str], lengths: Sequence[int]) -> list[VideoLabel]:
    flags = source.flags(file, sum(lengths))
    ends = np.cumsum(lengths)
    return [of_frames(name, flags[end - n : end]) for name, n, end in zip(names, lengths, ends, strict=True)]
