"""Run ``zsad detect`` on one image and tell what it imported, or which files it passed through.

    python benchmarks/house_trace.py modules|path IMAGE OUT

The last line of the output is JSON. ``modules``: ``{"modules": [...]}``, all of ``sys.modules`` afterwards. ``path``:
``{"stack": [...], "touched": [...]}``: files of zsad with a function on the stack of any thread at the moment when
the first Result is made (the command's own thread waits for the one that makes it), and files of which any function
had run since the command began; what only runs because a module is imported is not counted.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

COMMAND = "cli/detect.py"


def draw(path: Path) -> Path:
    """Write a small drawn image."""
    from PIL import Image

    from zsad.suites.speed import sample_image

    Image.fromarray(sample_image((256, 256))).save(path)
    return path


class Trace:
    """Notes files of zsad from the command's beginning to the first Result."""

    def __init__(self, package: Path) -> None:
        self._package = str(package) + os.sep
        self.stack: set[str] = set()
        self.touched: set[str] = set()
        self._begun = self._ended = False

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        """Note one call; for ``sys.setprofile`` and ``threading.setprofile``."""
        file = self._file(frame)
        if event != "call" or self._ended or file is None or file in self.touched:
            return
        self._begun = self._begun or (file == COMMAND and frame.f_code.co_name == "detect")
        if self._begun and not self._importing(frame):
            self.touched.add(file)

    def made(self) -> None:
        """Note the stacks of all threads, once; called when a Result is made."""
        if self._ended or not self._begun:
            return
        self._ended = True
        for top in sys._current_frames().values():
            frame: FrameType | None = top
            while frame is not None:
                file = self._file(frame)
                if file and frame.f_code.co_name != "<module>" and file != "cli/__init__.py":  # what starts the command
                    self.stack.add(file)
                frame = frame.f_back

    def _file(self, frame: FrameType) -> str | None:
        name = frame.f_code.co_filename
        ours = name.startswith(self._package) and name.endswith(".py")  # a template of the report is none
        return name.removeprefix(self._package).replace("\\", "/") if ours else None

    def _importing(self, frame: FrameType | None) -> bool:
        """Whether a module or class body of zsad is on the stack: it runs once, whoever comes first."""
        while frame is not None:
            if self._file(frame) and not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
                return True
            frame = frame.f_back
        return False


def trace(run: Callable[[], None]) -> dict[str, list[str]]:
    """Run the command and return the files that it passed through."""
    import zsad
    from zsad.types import Result

    noted = Trace(Path(zsad.__file__).parent)
    plain = Result.__init__

    def noting(self: Result, *arguments: Any, **named: Any) -> None:
        noted.made()
        plain(self, *arguments, **named)

    Result.__init__ = noting  # type: ignore[method-assign]
    threading.setprofile(noted.profile)
    sys.setprofile(noted.profile)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return {"stack": sorted(noted.stack), "touched": sorted(noted.touched)}


def command(image: str, out: str) -> None:
    """Run ``zsad detect IMAGE --out OUT`` in this process."""
    from zsad.cli import app

    try:
        app(["detect", image, "--out", out])
    except SystemExit as leaving:
        if leaving.code:
            raise


def main(way: str, image: str, out: str) -> None:
    """Run one of the two ways; see the module's text."""
    if way == "path":
        found = trace(lambda: command(image, out))
    else:
        command(image, out)
        found = {"modules": sorted(sys.modules)}
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
