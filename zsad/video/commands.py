"""Programs that are told of events: JSON on their standard input, no shell in between."""

from __future__ import annotations

import json
import queue
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zsad.errors import UsageError
from zsad.outside import printable

_MOST_WAITING = 100
_PATIENCE = 60.0
"""Seconds that a program may take."""


def parse_command(text: str) -> list[str]:
    """Split a command line into a program and its arguments, as a shell would, but without one: nothing is expanded.

    Raises:
        UsageError: nothing, an open quote, or no such program.

    >>> parse_command("cat - 'a b'")[1:]
    ['-', 'a b']
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"command {printable(text)[:80]}: {str(error).lower()}") from None
    if not words:
        raise UsageError("a command for events is empty; give a program, and its arguments")
    if shutil.which(words[0]) is None:
        raise UsageError(f"command {printable(words[0])[:80]}: no such program, or it may not be run")
    return words


class Commands:
    """Runs programs, one after another, in a thread of its own.

    Args:
        commands: each a program and its arguments.
        say: told in one line what went wrong.

    Attributes:
        dropped: events that were not told, because earlier ones still waited.
    """

    def __init__(self, commands: Sequence[Sequence[str]], say: Callable[[str], None] = lambda line: None) -> None:
        self._commands, self._say = [list(command) for command in commands], say
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="zsad-commands", daemon=True)
        self._thread.start()

    def send(self, event: Mapping[str, Any]) -> None:
        """Tell all of them of an event, soon."""
        try:
            self._waiting.put_nowait(f"{json.dumps(event, allow_nan=False)}\n".encode())
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Wait until all have been told."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            for command in self._commands:
                self._tell(command, line)

    def _tell(self, command: list[str], line: bytes) -> None:
        name = printable(command[0])
        try:
            # What it prints is no row of ours: it goes where complaints go.
            done = subprocess.run(command, input=line, stdout=2, timeout=_PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            self._say(f"{name}: took longer than {_PATIENCE:g} s with an event and was ended")
        except OSError as error:
            self._say(f"{name}: can't be run ({error.strerror or error})")
        else:
            if done.returncode:
                self._say(f"{name}: ended with code {done.returncode}")
