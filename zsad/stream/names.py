"""File names that are safe to write, and links that are safe to click."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

_LONGEST = 100
_UNSAFE = re.compile(r"[^\w.,+=@()\[\] -]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class Names:
    """Gives each input a name for its output files: readable, unique in the run, the same on every system.

    Two inputs that would get the same name (``a/x.png`` and ``b/x.jpg``) are told apart by a hash of the
    path. Names that differ in upper and lower case only, or in the form of their accents, count as the same.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def reserve(self, name: str) -> None:
        """Mark a name of an earlier run as taken."""
        self._taken.add(_key(name))

    def give(self, label: str, path: str) -> str:
        r"""Return a name without suffix for an input.

        Args:
            label: path below the folder that was given, or a file name.
            path: the whole path, which makes it unique.

        >>> names = Names()
        >>> names.give("good/000.png", "data/good/000.png"), names.give("../e:v\nil.png", "../e:v\nil.png")
        ('good__000', 'e_v_il')
        """
        name = safe_name(label)
        if _key(name) in self._taken:
            name = f"{name}-{_hash(path)}"
        while _key(name) in self._taken:  # the same file reached by two spellings
            name += "+"
        self._taken.add(_key(name))
        return name


def safe_name(label: str) -> str:
    """Turn a relative path into one file name without suffix that every file system takes.

    >>> safe_name("CON.png")
    '_CON'
    """
    parts = [part for part in re.split(r"[\\/]", os.path.splitext(label)[0]) if part not in ("", ".", "..")]  # noqa: PTH122
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", "__".join(parts))).strip(". ") or "image"
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    if len(name.encode()) > _LONGEST:
        short = name.encode()[: _LONGEST - 9].decode(errors="ignore")
        name = f"{short}-{_hash(label)}"
    return name


def link(path: str, start: Path) -> str:
    """Return a relative URL from a folder to a file; any bytes in a name survive, none is markup or a scheme.

    >>> link("/data/a b#1.png", Path("/data/out"))
    '../a%20b%231.png'
    """
    try:
        relative = os.path.relpath(path, start)
    except ValueError:  # another drive
        return Path(path).absolute().as_uri()
    # A leading "x:" would be read as a scheme, hence no colon is left unquoted.
    return quote(os.fsencode(relative.replace(os.sep, "/")), safe="/")


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
