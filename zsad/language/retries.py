"""When a question is sent again, and how long that waits."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from zsad.errors import MissingExtraError
from zsad.language.endpoint import PassingError

Answer = TypeVar("Answer")
Sleep = Callable[[float], None]
TRIES = 5
LONGEST_WAIT = 60.0
"""Seconds, however long a server asks to wait."""


def retrying(send: Callable[[], Answer], sleep: Sleep, answered: Callable[[], bool]) -> Answer:
    """Send until it goes well, five times at most: after 1, 2, 4 and 8 seconds and up to a quarter more of each.

    What the server asks to wait (``Retry-After``) wins. Where nobody is there, and nobody has answered yet, it is not
    tried again.

    Args:
        send: sends once; raises :class:`PassingError` where it may be tried again.
        sleep: waits.
        answered: whether the endpoint has answered anything before.

    Raises:
        PassingError: of the last try.
    """
    try:
        import tenacity
    except ImportError:
        raise MissingExtraError("a language model's endpoint", "language") from None

    def again(error: BaseException) -> bool:
        return isinstance(error, PassingError) and (error.connected or answered())

    retry = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(TRIES),
        wait=lambda state: wait_of(state.attempt_number, state.outcome.exception() if state.outcome else None),
        retry=tenacity.retry_if_exception(again),
        sleep=sleep,
        reraise=True,
    )
    return retry(send)


def wait_of(attempt: int, error: BaseException | None) -> float:
    """Return the seconds to wait after a try that failed, counted from 1.

    >>> wait_of(3, PassingError("busy", wait=1.5)), 4 <= wait_of(3, None) <= 5
    (1.5, True)
    """
    asked = error.wait if isinstance(error, PassingError) else None
    if asked is not None:
        return float(min(asked, LONGEST_WAIT))
    return float(min(2.0 ** (attempt - 1), LONGEST_WAIT) * random.uniform(1.0, 1.25))
