"""Where the videos of a benchmark are: found below one folder, whatever paths its data names."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from zsad.errors import DatasetError
from zsad.outside import shown
from zsad.video.finding import find_videos
from zsad.video.source import SUFFIXES


class Places:
    """The videos below a folder, by name.

    No name of the data is ever made a path: a video is one of those that lie below the folder, or it is missing.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        if root.is_dir():
            for path in find_videos([root]):
                if path != root:
                    self._by_name[_bare(path.name)].append(path)

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def find(self, name: str) -> Path | None:
        """Return the video of a name, with or without folders before and an ending; None where there is none.

        Raises:
            DatasetError: several fit it equally well.
        """
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
        if not parts:
            return None
        found = self._by_name.get(_bare(parts[-1]), [])
        ranked = sorted(found, key=lambda path: (-self._alike(path, parts), path.as_posix()))
        if len(ranked) > 1 and self._alike(ranked[0], parts) == self._alike(ranked[1], parts):
            raise DatasetError(f"{shown(name)}: several videos have this name; give the folder of one with --videos")
        return ranked[0] if ranked else None

    def _alike(self, path: Path, parts: list[str]) -> int:
        """Return how many of the last parts of both are the same."""
        mine = [part.casefold() for part in path.relative_to(self.root).parts[:-1]][::-1]
        theirs = [part.casefold() for part in parts[:-1]][::-1]
        count = 0
        for one, other in zip(mine, theirs, strict=False):
            if one != other:
                break
            count += 1
        return count


def _bare(name: str) -> str:
    """Return a name without the ending of a video, in one case; other dots stay."""
    low = name.casefold()
    suffix = Path(low).suffix
    return low[: -len(suffix)] if suffix in SUFFIXES else low
