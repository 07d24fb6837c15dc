"""Lines of text and a progress bar on a terminal: whatever stands in a line, it is shown as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.text import Text

from zsad.cli.terminal import Terminal
from zsad.outside import printable


def say(line: str, *, style: str = "", error: bool = False) -> None:
    """Print one line, without markup; to standard error if ``error``."""
    Terminal(stderr=error, soft_wrap=True).print(Text(printable(line), style=style))


@contextmanager
def counted(what: str) -> Iterator[Callable[[], None]]:
    """Show how many are done, if someone is watching; gives the function to call after each."""
    console = Terminal(stderr=True)
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
