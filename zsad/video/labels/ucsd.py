"""UCSD Ped1 and Ped2: frame labels, and the masks of their pixels, in the form of the dataset's own archive."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from zsad.data.text_files import read_text
from zsad.errors import DatasetError
from zsad.images.files import SUFFIXES
from zsad.outside import printable
from zsad.video.labels.frame_arrays import PED2, PED2_FILE, ped2_frames, ped_names
from zsad.video.labels.label import Labels, Truth, VideoLabel, of_frames
from zsad.video.labels.reading import Source, check_span

ARCHIVE = "UCSD_Anomaly_Dataset.v1p2"
PED1_FRAMES, PED1_VIDEOS = 200, 36
_LINE = re.compile(r"gt_frame\s*=\s*\[([^\]]*)\]")
_RANGE = re.compile(r"(\d+)\s*:\s*(\d+)")


def ped1(source: Source, compat: Collection[str] = ()) -> Labels:
    """UCSD Ped1: 36 test videos of 200 frames; labels are in the archive's ``UCSDped1/Test/UCSDped1.m``."""
    videos = _matlab(source, "UCSDped1", (PED1_FRAMES,) * PED1_VIDEOS)
    return Labels("ucsd-ped1", "", tuple(_also(video) for video in videos))


def ped2(source: Source, compat: Collection[str] = ()) -> Labels:
    """UCSD Ped2: 12 test videos; labels are MNAD's array, or in the archive's ``UCSDped2/Test/UCSDped2.m``."""
    listed = not source.has(PED2_FILE) and any(source.has(name) for name in _names("UCSDped2"))
    videos = _matlab(source, "UCSDped2", PED2) if listed else ped2_frames(source)
    return Labels("ucsd-ped2", "", tuple(_also(video) for video in videos))


def _also(video: VideoLabel) -> VideoLabel:
    return replace(video, also=ped_names(video.name))


def _names(scene: str) -> list[str]:
    return [f"{scene}/Test/{scene}.m", f"{ARCHIVE}/{scene}/Test/{scene}.m"]


def _matlab(source: Source, scene: str, lengths: tuple[int, ...]) -> list[VideoLabel]:
    """Read ``gt_frame = [60:152, 160:170];``, whose numbers count from 1 and include the last."""
    path = source.file(*_names(scene))
    found = _LINE.findall(read_text(path))
    if len(found) != len(lengths):
        raise DatasetError(f"{printable(path)}: labels {len(found)} videos; {scene} has {len(lengths)} test videos")
    videos = []
    for i, (text, frames) in enumerate(zip(found, lengths, strict=True), 1):
        truth = np.zeros(frames, np.bool_)
        for first, last in _RANGE.findall(text):
            where = f"{printable(path)}: video {i}"
            check_span(where, int(first) - 1, int(last))
            if int(last) > frames:
                raise DatasetError(f"{where}: the span {first} to {last} lies past the video's {frames} frames")
            truth[int(first) - 1 : int(last)] = True
        videos.append(of_frames(f"Test{i:03d}", truth))
    return videos


def mask_folder(folder: Path, scene: str, name: str) -> Path | None:
    """Return the folder of masks of a test video (``Test002_gt``), or None."""
    for root in (folder, folder / ARCHIVE):
        found = root / scene / "Test" / f"{name}_gt"
        if found.is_dir():
            return found
    return None


def read_masks(folder: Path, frames: int) -> Truth:
    """Read one picture per frame, in the order of names: what is not black is anomalous; ``(n, H, W)``.

    Raises:
        DatasetError: another number of pictures than frames, or sizes that differ.
    """
    from PIL import Image

    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if len(files) != frames:
        raise DatasetError(f"{printable(folder)}: {len(files)} masks for {frames} frames")
    masks = []
    for file in files:
        try:
            with Image.open(file) as picture:
                masks.append(np.asarray(picture.convert("L")) > 0)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{printable(file)}: can't be read as a mask ({type(error).__name__})") from None
    if len({mask.shape for mask in masks}) > 1:
        raise DatasetError(f"{printable(folder)}: masks differ in size")
    return np.stack(masks)
