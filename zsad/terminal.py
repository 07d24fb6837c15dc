"""Standard output and standard error of a program that may find them closed, full, or read by nobody any more."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from zsad.errors import Terminated
from zsad.outside import terminal

FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals by which a program is asked to end."""
_OUT, _ERR = 1, 2
_asked = 0
"""The signal by which the system has asked this process to end, or 0."""


def say(message: object, program: str = "zsad") -> None:
    """Print one line to standard error; where it is closed or full there is nobody to tell.

    Args:
        message: what happened; line breaks become blanks, what a terminal would obey becomes escapes.
        program: who says it.
    """
    with suppress(OSError, ValueError, AttributeError):
        print(f"{program}: {terminal(' '.join(str(message).split()))}", file=sys.stderr, flush=True)  # noqa: T201


def run(main: Callable[[], Any], program: str = "zsad") -> int:
    """Run a program to its end, the last flush of standard output included, and return its exit code.

    What can't be written to standard output is one line and exit code 1, not a traceback at exit; a closed pipe is
    exit code 141 without a word.

    Args:
        main: the program; returns its exit code or raises SystemExit.
        program: what its messages begin with.
    """
    open_closed()
    heed_endings()
    try:
        code = _code_of(main)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt as ending:
        say("terminated" if isinstance(ending, Terminated) else "interrupted", program)
        return ending.exit_code if isinstance(ending, Terminated) else INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; so do we, without a complaint at exit.
        leave_output()
        return BROKEN_PIPE
    except OSError as error:
        say(refusal(error), program)
        leave_output()
        return FAILED
    if _asked and code == FAILED:  # a library that was just loading has made an error of it
        return Terminated(_asked).exit_code
    return code


def heed_endings() -> None:
    """Let the system's requests to end a program raise :class:`~zsad.errors.Terminated`, in all that it does.

    Only where nobody else has decided what shall happen then, as ``nohup`` has.
    """
    for number in ENDINGS:
        with suppress(ValueError, OSError):  # not the main thread
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)


def _end(number: int, frame: object) -> None:
    global _asked
    _asked = number
    raise Terminated(number)


def refusal(error: OSError) -> str:
    """Return one line about what the system refused, with its remedy; without a file's name it was standard output."""
    why = error.strerror or type(error).__name__
    if error.filename is None:
        return f"standard output: can't be written ({why}); give it a place that takes it, or write files with --out"
    return f"{error.filename}: {why}; give another name or place"


def leave_output() -> None:
    """Let what is still buffered for standard output go nowhere, so that nothing complains at exit."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def open_closed() -> None:
    """Take the places of standard streams that are closed, so that no file of ours gets their numbers.

    Writing to closed standard output then fails, as it should; what goes to closed standard error is dropped.
    """
    for number, mode in ((0, os.O_WRONLY), (_OUT, os.O_RDONLY), (_ERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, mode)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
    # Numbers of their own: a file that was opened meanwhile may have got those of the closed ones.
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", errors="backslashreplace")


def _code_of(main: Callable[[], Any]) -> int:
    try:
        code = main()
    except SystemExit as leave:
        code = leave.code
    return code if isinstance(code, int) else 0 if code is None else FAILED
