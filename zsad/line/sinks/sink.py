"""What a sink of a station must offer. Each of the three kinds runs beside the station's loop and can't hold it up.

``Post`` is told through the outbox, at least once, with the part's id as key. ``Follower`` reads the rows themselves
and knows from its own file how far it is. ``Display`` shows what is now. They are siblings of
:class:`zsad.stream.sinks.sink.Sink`, whose run has an end.
"""

from __future__ import annotations

from collections.abc import Sequence

from zsad.line.database import Message
from zsad.line.health import Health
from zsad.line.part import Record, Seen


class Teller:
    """What all of them have.

    Attributes:
        name: of the sink, in the outbox and in alarms.
    """

    name = ""

    def close(self) -> None:
        """End."""


class Post(Teller):
    """Told through the outbox, in a courier's thread; any exception is tried again later.

    Attributes:
        alarms: whether it is told of alarms, too.
        at_once: how many messages it is given at a time.
    """

    alarms, at_once = True, 100

    def open(self) -> None:
        """Connect, or listen; called again after a failure."""

    def deliver(self, messages: Sequence[Message]) -> int:
        """Deliver messages in order; returns how many have arrived. With none it is called again at once."""
        raise NotImplementedError

    def tick(self, health: Health) -> None:
        """Tell how the station is; called about once a second."""


class Follower(Teller):
    """Follows the rows, in a thread of its own; any exception is tried again later."""

    def open(self) -> None:
        """Get ready.

        Raises:
            OutputError: its place holds something else, or can't be written.
        """

    def last(self) -> str | None:
        """Return the id of the last part that it has."""
        raise NotImplementedError

    def write(self, records: Sequence[Record]) -> None:
        """Add rows, in order; all of them, or an exception and as many as :meth:`last` says."""
        raise NotImplementedError


class Display(Teller):
    """Shows what is now; called in the station's thread, and quick."""

    def open(self, health: Health) -> None:
        """Get ready.

        Raises:
            OutputError: it can't.
        """

    def show(self, record: Record, reject: bool, seen: Seen | None) -> None:
        """Show a part that is recorded."""

    def tick(self, health: Health) -> None:
        """Show how the station is; called about once a second."""
