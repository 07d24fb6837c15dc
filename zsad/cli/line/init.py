"""``zsad line init``: a commented line.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    out: Annotated[Path, typer.Argument(metavar="[LINE.YAML]", help="The file to write.")] = Path("line.yaml"),
) -> None:
    """Write the configuration of a station, with a comment on each key; an existing file is left as it is.

    [bold]Examples[/bold]

      [cyan]zsad line init[/cyan]
      [cyan]zsad line init stations/press.yaml[/cyan]
    """
    import shlex

    from zsad.cli.terminal import Terminal
    from zsad.errors import OccupiedError
    from zsad.files import is_there, write_whole
    from zsad.line.example import EXAMPLE
    from zsad.outside import printable

    if is_there(out):
        raise OccupiedError(f"{printable(out)}: is there already and is left as it is; give another name")
    write_whole(out, EXAMPLE.encode())
    Terminal(soft_wrap=True).print(f"wrote {out}; fill it in, then: zsad line check {shlex.quote(str(out))}")
