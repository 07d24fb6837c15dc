"""How many processors matrix products take where several images are looked at side by side: those of one lane.

numpy's products use all processors by themselves. In several lanes at a time, their threads then wait for each other,
and for those of the network: scores by a memory come half as fast.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def lane_threads(processors: int | None) -> Iterator[None]:
    """Hold numpy's matrix products to few processors while something runs; results are the same.

    The number belongs to the process: the first lane that begins sets it, the last one that ends puts back what was
    there. Nothing is ever raised, so that ``OPENBLAS_NUM_THREADS=1`` stays what it says.

    Args:
        processors: of one lane; None leaves everything as it is.
    """
    if processors is None:
        yield
        return
    _held.enter(processors)
    try:
        yield
    finally:
        _held.leave()


class _Held:
    def __init__(self) -> None:
        self._lock, self._lanes = threading.Lock(), 0
        self._before: list[tuple[Any, int]] = []

    def enter(self, processors: int) -> None:
        with self._lock:
            if not self._lanes:
                self._before = [(one, one.num_threads) for one in _libraries() if one.num_threads > processors]
                _set([(library, processors) for library, _ in self._before])
            self._lanes += 1

    def leave(self) -> None:
        with self._lock:
            self._lanes -= 1
            if not self._lanes:
                _set(self._before)


def _set(numbers: list[tuple[Any, int]]) -> None:
    """Set the number of threads of libraries, in a thread of its own.

    threadpoolctl lets one thread change such numbers, the first that does, while it lives: a lane could not put back
    what another lane has set. Where the program around is at it, its numbers stay.
    """
    if not numbers:
        return

    def work() -> None:
        for library, threads in numbers:
            library.set_num_threads(threads)

    setting = threading.Thread(target=work, name="zsad-blas")
    setting.start()
    setting.join()


@cache
def _libraries() -> tuple[Any, ...]:
    """Return the libraries behind numpy's matrix products, of any kind, that are loaded in this process."""
    from threadpoolctl import ThreadpoolController  # not where one image is looked at alone

    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


_held = _Held()
