"""Where items come from: files and folders, globs, whatever a program holds, numbered frames."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from zsad.errors import UsageError
from zsad.files import is_folder
from zsad.images.files import is_clutter
from zsad.outputs import PICTURES, is_output_folder
from zsad.outside import printable
from zsad.stream.item import Content, Item
from zsad.stream.left_out import LeftOut, images_below, is_image_name, lies_among_masks, mask_folders, mask_names

Say = Callable[[str], None]


def find_images(
    paths: Sequence[str | Path],
    *,
    recursive: bool = False,
    skip: Path | None = None,
    masks: bool = False,
    say: Say = lambda line: None,
) -> list[Item]:
    """List the images of files and folders, in the order given, folders sorted by name.

    Args:
        paths: files, which are always tried, and folders, of which files with an image's suffix are taken.
        recursive: descend into sub-folders. Links are followed, each real folder is visited once.
        skip: the folder that results are written to: it, and its folders of pictures, are left out unless they
            are named themselves. So are the pictures of any other output folder.
        masks: whether masks are read like images. Else what a layout calls masks is left out of folders: a folder
            named ``ground_truth``, ``masks`` or the like beside others, ``a_mask.png`` beside ``a.png``, and a
            sub-folder of nothing but such names. Files and folders that are named themselves are always read.
        say: told in one line each what was not read, and how to read it all the same.

    Returns:
        Each file once. A folder that can't be read, or has no image, is one entry with its error. Hidden
        files, and those of file managers, are left out of folders.
    """
    left_out = {_real(skip / name) for name in ("", *PICTURES)} if skip is not None else set()
    found: list[Item] = []
    seen: set[str] = set()
    unread = LeftOut(masks)
    for path in [str(path) for path in paths]:
        # Of several folders, each image is named with its folder.
        base = os.path.dirname(os.path.abspath(path)) if len(paths) > 1 else path  # noqa: PTH100, PTH120
        items = _in_folder(path, base, recursive, left_out, unread, say) if is_folder(path) else [_file(path)]
        for item in items:
            # One folder can't list a file twice; abspath of 100,000 names takes a second.
            key = os.path.normcase(os.path.abspath(item.id)) if len(paths) > 1 else item.id  # noqa: PTH100
            if key not in seen:
                seen.add(key)
                found.append(item)
    for line in unread.lines():
        say(line)
    return found


def glob_images(pattern: str) -> list[Item]:
    """List the files that match a pattern of the shell, such as ``"line*/*.png"`` or ``"**/*.tif"``, sorted by name.

    Returns:
        Each file once, named with its path below the part of the pattern that has no wildcard. A pattern that
        nothing matches is one entry with its error.
    """
    base = os.path.dirname(re.split(r"[*?\[]", pattern, maxsplit=1)[0])  # noqa: PTH120
    files = sorted(path for path in glob.glob(pattern, recursive=True) if not Path(path).is_dir())  # noqa: PTH207
    if not files:
        return [Item(pattern, pattern, error="no file matches this pattern")]
    return [Item(path, _label(path, base or ".")) for path in files]


def from_iterable(images: Iterable[Content], ids: Iterable[str] | None = None) -> Iterator[Item]:
    """Make items of what a program holds, one by one as they are asked for; it may be endless.

    Args:
        images: paths, PIL images, arrays, or functions that give one of them.
        ids: what they are called, each once; by default a path is its own, and others are ``000000`` and so on.

    Raises:
        UsageError: fewer ids than images, or an id that comes twice.
    """
    if ids is None:
        for index, image in enumerate(images):
            if isinstance(image, str | Path):
                yield _file(str(image))
            else:
                yield Item(f"{index:06d}", f"{index:06d}", image)
        return
    names, seen = iter(ids), set[str]()
    for index, image in enumerate(images):
        name = next(names, None)
        if name is None:
            raise UsageError(f"there are more images than ids: {index} ids")
        if name in seen:
            raise UsageError(f"the id {printable(name)} comes twice; each must be unique")
        seen.add(name)
        yield Item(name, name, image)


def frames(folder: str | Path) -> list[Item]:
    """List the numbered images of one folder in natural order: ``frame_9.png`` comes before ``frame_10.png``.

    Returns:
        As :func:`find_images` of this folder alone.
    """
    return sorted(
        _in_folder(str(folder), str(folder), False, set(), LeftOut(with_masks=True)),
        key=lambda item: _natural(item.label),
    )


def _natural(name: str) -> tuple[list[tuple[int, str]], int, str]:
    """Return a key by which runs of digits compare as numbers; of equal numbers, the shorter text is first.

    >>> sorted(["f10", "f9", "f09"], key=_natural)
    ['f9', 'f09', 'f10']
    """
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], len(name), name


def _file(path: str) -> Item:
    error = "" if os.path.lexists(path) else "no such file or folder"
    return Item(path, Path(path).name or path, error=error)


def _in_folder(
    root: str, base: str, recursive: bool, left_out: set[str], unread: LeftOut, say: Say = lambda line: None
) -> Iterator[Item]:
    empty, masks_before = True, unread.masks.count
    all_masks = unread.with_masks or lies_among_masks(root)
    visited: set[str] = set()
    folders = [root]
    while folders:
        folder = folders.pop()
        real = _real(folder)
        if real in visited or (real in left_out and folder != root):
            continue
        visited.add(real)
        try:
            with os.scandir(folder) as entries:
                listed = sorted((entry for entry in entries if not is_clutter(entry.name)), key=lambda e: e.name)
        except OSError as error:
            empty = False
            yield Item(folder, _label(folder, base), error=f"folder can't be listed ({error.strerror or error})")
            continue
        below = [entry.path for entry in listed if _is_folder(entry)]
        files = [entry for entry in listed if not _is_folder(entry)]
        images = [entry for entry in files if is_image_name(entry.name)]
        masks = set() if all_masks else mask_names([entry.name for entry in images], below=folder != root)
        for entry in files:
            if not is_image_name(entry.name):
                unread.files.add(_label(entry.path, base))
            elif entry.name in masks:
                unread.masks.add(_label(entry.path, base))
            else:
                empty = False
                yield Item(entry.path, _label(entry.path, base))
        if recursive:
            called = set() if all_masks else mask_folders(below, images=bool(images))
            for path in sorted(called):
                unread.masks.add(_label(path, base) + os.sep, images_below(path))
            rest = [path for path in below if path not in called]
            folders.extend(reversed(_without_pictures(folder, rest, say)))
        else:
            for path in (path for path in below if _real(path) not in left_out):
                unread.folders.add(_label(path, base) + os.sep)
    if empty:
        deeper = "" if recursive else "; --recursive looks into its sub-folders"
        only_masks = unread.masks.count > masks_before
        yield Item(root, root, error=f"folder without an image{'' if only_masks else deeper}"
                   + ("; its masks are read with --include-masks" if only_masks else ""))  # fmt: skip


def _without_pictures(folder: str, below: list[str], say: Say) -> list[str]:
    """Leave out the pictures of an earlier run: an overlay is no part."""
    pictures = [path for path in below if os.path.basename(path) in PICTURES]  # noqa: PTH119
    if not pictures or not is_output_folder(Path(folder)):
        return below
    names = ", ".join(os.path.basename(path) for path in pictures)  # noqa: PTH119
    say(f"{printable(folder)}: {names} of an earlier run; name such a folder itself to have it read")
    return [path for path in below if path not in pictures]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say: tried as a file, it gives its error there
        return False


def _label(path: str, base: str) -> str:
    return os.path.relpath(path, base)


def _real(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))
