"""What somebody may have meant: the names that are closest to one that is not there."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from zsad.outside import terminal

_MOST, _CLOSE, _LISTED = 3, 0.6, 5000


def near(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean a or b?)"`` for the known names that are closest to a word, or ``""``.

    >>> near("tny", ["tiny", "industrial"])
    ' (did you mean tiny?)'
    >>> near("screw", ["bottle"])
    ''
    """
    by_lower = {name.lower(): name for name in known}
    # A name that begins with the word is meant more often than one that only looks like it.
    begun = sorted(name for name in by_lower if name.startswith(word.lower()) and word)
    alike = difflib.get_close_matches(word.lower(), by_lower, _MOST, _CLOSE)
    names = [terminal(by_lower[name], 100) for name in dict.fromkeys([*begun, *alike])][:_MOST]
    if not names:
        return ""
    return f" (did you mean {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}?)"


def near_path(path: str | Path) -> str:
    """Return :func:`near` for a path that is not there: what its folder has, or what an absent folder may be called."""
    parts = Path(path).parts
    for count in range(1, len(parts) + 1):
        here = Path(*parts[:count])
        if os.path.lexists(here):
            continue
        folder = Path(*parts[: count - 1])
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry, _ in zip(entries, range(_LISTED), strict=False)]
        except (OSError, ValueError):
            return ""
        rest = parts[count:]
        return near(str(here), [str(folder / name) for name in names if not rest or (folder / name).is_dir()])
    return ""
