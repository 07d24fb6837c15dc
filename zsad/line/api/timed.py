"""HTTP connections that must say what they want in time: a client that sends a byte now and then holds nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from zsad.line.api import limits


class TimedProtocol(H11Protocol):
    """uvicorn's own, which waits for ever until a request's headers are complete, with an end to that."""

    _until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; the wait ends with the headers, and begins again with the first byte after an answer."""
        super().data_received(data)
        if self._asked:
            self._rest()
        elif self._until is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next request, whose first bytes may be here already."""
        super().on_response_complete()
        if not self._asked:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._rest()
        super().connection_lost(exc)

    @property
    def _asked(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        self._rest()
        self._until = self.loop.call_later(limits.HEADER_S, self._give_up)

    def _rest(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None

    def _give_up(self) -> None:
        self._until = None
        if not self._asked and not self.transport.is_closing():
            self.transport.close()
