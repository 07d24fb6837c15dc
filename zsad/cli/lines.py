"""Lines of text and a progress bar on a terminal: whatever stands in a line, it is shown as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from zsad.errors import printable


def say(line: str, *, style: str = "", error: bool = False) -> None:
    """Print one line, without markup; to standard error if ``error``."""
    Console(stderr=error).print(Text(printable(line), style=style), soft_wrap=True)


@contextmanager
def counted(what: str) -> Iterator[Callable[[], None]]:
    """Show how many are done, if someone is watching; gives the function to call after each."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    with console.status(f"0 {what}") as status:
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            status.update(f"{done:,} {what}")

        yield step
