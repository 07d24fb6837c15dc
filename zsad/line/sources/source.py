"""What a source must offer."""

from __future__ import annotations

import threading
from typing import Protocol

from zsad.line.health import Health
from zsad.line.part import Part


class Put(Protocol):
    """Takes a part into the station."""

    def __call__(self, part: Part, *, wait: bool = True) -> bool:
        """Return whether it was taken; without ``wait``, False at once where there is no room."""


class Source(Protocol):
    """Gives parts.

    Attributes:
        overload: what happens when parts come faster than they can be looked at, in words.
        place: where they come from, for messages.
    """

    overload: str
    place: str

    def check(self) -> list[str]:
        """Return what a person should know before it runs.

        Raises:
            UsageError: it can't work as it is set.
        """

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Give parts until it is drained, or ``stop`` is set; called in a thread of its own."""
