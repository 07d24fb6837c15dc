"""The pixel level: maps of frames against the masks that come with UCSD Ped1 and Ped2."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zsad.errors import DatasetError, InputError, UsageError
from zsad.metrics.metric import Metric
from zsad.metrics.streaming import PixelAccumulator
from zsad.outside import printable
from zsad.video.labels.catalog import VIDEO_DATASETS
from zsad.video.labels.label import Labels
from zsad.video.labels.reading import first
from zsad.video.labels.ucsd import mask_folder, read_masks


def pixel_level(labels: Labels, label_folder: str | Path, map_folder: str | Path, *,
                partial: bool = False) -> tuple[dict[str, Metric], tuple[str, ...]]:  # fmt: skip
    """Measure maps, over all pixels of all frames.

    Args:
        labels: the test set; only Ped1 and Ped2 have masks.
        label_folder: holds ``UCSDped2/Test/Test002_gt`` and so on, a picture per frame.
        map_folder: holds ``NAME/maps.npy`` or ``NAME.maps.npy``, ``(frames, H, W)`` finite, of the masks' size.
        partial: leave videos out that lack masks or maps, instead of refusing.

    Returns:
        The pixel metrics of :func:`zsad.metrics.pixel_metrics`, and the names of the videos that were left out.

    Raises:
        UsageError: the dataset has no masks.
        DatasetError: masks or maps that are absent, damaged, or of another size.
    """
    row = VIDEO_DATASETS.get(labels.dataset)
    if row is None or not row.scene:
        raise UsageError(f"{labels.title} has no masks of pixels; the pixel level is that of ucsd-ped1 and ucsd-ped2")
    found, left = PixelAccumulator(), []
    for video in labels.videos:
        masks = mask_folder(Path(label_folder), row.scene, video.name)
        names = (video.name, *video.also)
        places = [Path(map_folder) / form for name in names for form in (f"{name}/maps.npy", f"{name}.maps.npy")]
        maps = next((place for place in places if place.is_file()), None)
        if masks is None or maps is None:
            left.append(video.name)
            if not partial:
                absent = f"{row.scene}/Test/{video.name}_gt" if masks is None else f"{video.name}/maps.npy"
                where = label_folder if masks is None else map_folder
                remedy = "" if masks is None else "; score the videos with `zsad video score --maps`"
                raise DatasetError(
                    f"{printable(where)}: no {absent}, which the pixel level of {video.name} needs{remedy}"
                )
            continue
        _add(found, read_masks(masks, video.n_frames or 0), maps)
    if len(left) == len(labels.videos):
        raise DatasetError(
            f"{labels.title}: no video has both masks ({row.scene}/Test/NAME_gt) and maps (NAME/maps.npy)"
        )
    return found.metrics(), tuple(left)


def _add(found: PixelAccumulator, masks: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], path: Path) -> None:
    try:
        maps = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{printable(path)}: can't be read as a .npy file of numbers ({first(error)})") from None
    if maps.dtype.kind != "f" or maps.shape != masks.shape:
        raise DatasetError(f"{printable(path)}: holds {maps.dtype} {' x '.join(map(str, maps.shape))}; it must be "
                           f"floats of the masks' size, {' x '.join(map(str, masks.shape))}")  # fmt: skip
    for i, (mask, scores) in enumerate(zip(masks, maps, strict=True)):
        if not np.isfinite(scores).all():
            raise InputError(f"{printable(path)}: the map of frame {i} has values that are NaN or infinite")
        found.add(mask, np.asarray(scores), f"{printable(path)} frame {i}")
