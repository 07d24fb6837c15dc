"""How the commands of this folder end: one line for what went wrong, and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable

from zsad.errors import ZsadError


def status_of(work: Callable[[], None]) -> int:
    """Do the work; return 0, or 1 after one line on standard error that says what went wrong.

    >>> status_of(lambda: None)
    0
    """
    try:
        work()
    except (ZsadError, OSError) as error:
        kind = type(error)
        # A worker process hands its error over with a traceback before the message.
        text = (str(error).strip().splitlines() or [kind.__name__])[-1]
        sys.stderr.write(f"error: {text.removeprefix(f'{kind.__module__}.{kind.__qualname__}: ')}\n")
        return 1
    return 0
