"""Which videos a command reads: files, folders of numbered pictures, and folders of these."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from zsad.errors import UsageError
from zsad.files import is_folder
from zsad.images.files import is_clutter
from zsad.outside import printable
from zsad.stream.left_out import MASK_FOLDERS, SHOWN, is_image_name
from zsad.video.folders import numbered
from zsad.video.source import SUFFIXES, video_name

Say = Callable[[str], None]


def find_videos(paths: Sequence[str | Path], *, skip: Path | None = None, say: Say = lambda line: None) -> list[Path]:
    """List the videos of files and folders, in the order given, inside of folders in natural order.

    Args:
        paths: files, which are always tried; folders of numbered pictures; folders, which are searched to their ends.
        skip: the folder that results are written to, which is left out unless it is named itself.
        say: told in one line each what was left out.

    Returns:
        Each video once. What does not exist, and a folder without a video, stand there as they are, so that opening
        them says what is wrong.
    """
    found: list[Path] = []
    seen: set[str] = set()
    unread: dict[str, list[str]] = {}
    for path in map(Path, paths):
        for video in _below(path, path, skip, unread) if is_folder(str(path)) else [path]:
            if (real := os.path.realpath(video)) not in seen:
                seen.add(real)
                found.append(video)
    for kind, names in unread.items():
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        say(f"not read, {kind}: {', '.join(printable(name) for name in names[:SHOWN])}{more}")
    return found


def video_names(videos: Sequence[str | Path]) -> list[str]:
    """Return what each video is called in names of files; see :func:`zsad.video.source.video_name`.

    Raises:
        UsageError: two would be called the same, so that one's results would replace the other's.
    """
    names: dict[str, Path] = {}
    for video in map(Path, videos):
        name = video_name(video)
        if (other := names.get(name.casefold())) is not None:
            both = f"{printable(other)} and {printable(video)}"
            raise UsageError(f"{both} have the same name, {name}; rename one, or give them in two runs")
        names[name.casefold()] = video
    return [video_name(video) for video in videos]


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key by which runs of digits compare as numbers.

    >>> sorted(["clip10", "clip9"], key=natural)
    ['clip9', 'clip10']
    """
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], name


def _below(root: Path, given: Path, skip: Path | None, unread: dict[str, list[str]]) -> list[Path]:
    found: list[Path] = []
    visited: set[str] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        real = os.path.realpath(folder)
        if real in visited or (skip is not None and folder != root and real == os.path.realpath(skip)):
            continue
        visited.add(real)
        files, folders = _listed(folder)
        images = [name for name in files if is_image_name(name) and not name.lower().endswith(".gif")]
        if numbered(images):
            found.append(folder)
            images = []
        found += [folder / name for name in files if Path(name).suffix.lower() in SUFFIXES]
        others = [name for name in files if Path(name).suffix.lower() not in SUFFIXES and not is_image_name(name)]
        _note(unread, "files of another kind", folder, given, others)
        _note(unread, "pictures without a common number", folder, given, images)
        masks = [name for name in folders if _holds_masks(name, folders)]
        _note(unread, "folders of masks", folder, given, masks)
        pending += [folder / name for name in reversed(folders) if name not in masks]
    return found or [root]


def _note(unread: dict[str, list[str]], kind: str, folder: Path, given: Path, names: list[str]) -> None:
    if names:
        unread.setdefault(kind, []).extend(os.path.relpath(folder / name, given) for name in names)


def _holds_masks(name: str, beside: Sequence[str]) -> bool:
    """Whether a folder holds masks by its name: ``masks`` and the like, or ``Test001_gt`` beside ``Test001``."""
    return name.lower() in MASK_FOLDERS or (name.lower().endswith("_gt") and name[:-3] in beside)


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Return files and folders in a folder, in natural order; of one that can't be listed none."""
    try:
        names = sorted((entry.name for entry in folder.iterdir() if not is_clutter(entry.name)), key=natural)
    except OSError:
        return [], []
    folders = [name for name in names if (folder / name).is_dir()]
    return [name for name in names if name not in set(folders)], folders
