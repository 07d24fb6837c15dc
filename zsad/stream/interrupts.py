"""Keeping Ctrl-C from falling between two steps that belong together; an end by the system is one, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from zsad.terminal import ENDINGS, heed_endings

_SIGNALS: tuple[int, ...] = (signal.SIGINT, *ENDINGS)
_Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let the system's requests to end raise :class:`~zsad.errors.Terminated`, a KeyboardInterrupt.

    Only in the main thread, and only where nobody else has decided what shall happen then.
    """
    ours = threading.current_thread() is threading.main_thread()
    heeded = [number for number in ENDINGS if ours and signal.getsignal(number) == signal.SIG_DFL]
    if heeded:
        heed_endings()
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Let an interruption come right after the block instead of inside it; a second one comes at once.

    Only the main thread is ever interrupted; elsewhere, and where a signal is ignored or ends the process at once,
    nothing is held. An error of the block ends it as ever, and what was held is forgotten.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, _Handler] = {}
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):
            before[number] = handler
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:  # a write to a pipe that nobody reads may never end
            before[number](number, frame)
        held.append((number, frame))

    for number in before:
        signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        number, frame = held[0]
        before[number](number, frame)
