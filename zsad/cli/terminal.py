"""The terminal as commands use it: text is shown and never obeyed, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import TextColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from zsad.errors import OutputError
from zsad.outside import printable
from zsad.terminal import leave_output, refusal


class Terminal(Console):
    """A console without markup, emoji codes and highlighting; what a terminal would obey becomes escapes.

    Args:
        stderr: print to standard error; a refusal there is passed over, since nobody could be told.
        soft_wrap: leave long lines to the terminal.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=soft_wrap)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does.

        Raises:
            OutputError: standard output takes no more.
            BrokenPipeError: whoever read it has left.
        """
        if self.stderr:
            with suppress(OSError, ValueError):
                super().print(*objects, **options)
            return
        try:
            super().print(*objects, **options)
        except BrokenPipeError:
            raise
        except OSError as error:
            leave_output()
            raise OutputError(refusal(error)) from None

    def on_broken_pipe(self) -> None:
        """Leave a broken pipe to the command line's own handling."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as one line, without markup."""
        return super().render_str(printable(text), **options | {"markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render; the last look at what goes to the terminal."""
        for segment in super().render(renderable, options):
            harmless = segment.control or segment.text.isprintable() or segment.text == "\n"
            yield segment if harmless else Segment(_shown(segment.text), segment.style)


def table(*columns: str, title: Text | str | None = None, left: int = 1, **options: Any) -> Table:
    """Return an empty table in the commands' one form.

    Args:
        columns: their heads.
        title: stands above, as it is.
        left: how many columns are text; the rest are numbers, to the right.
        options: of :class:`rich.table.Table`.
    """
    shown = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, **options)
    for i, head in enumerate(columns):
        shown.add_column(head, justify="left" if i < left else "right")
    return shown


def heading(name: object, rest: str = "") -> Text:
    """Return a title: a name from wherever in bold, and what we say of it."""
    return Text.assemble((printable(name), "bold"), f"  {printable(rest)}" if rest else "")


def field(template: str) -> TextColumn:
    """Return a column of a progress bar whose text is shown as it is."""
    return TextColumn(template, markup=False)


def _shown(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
