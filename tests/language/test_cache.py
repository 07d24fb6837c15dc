"""The cache: threads share one wait for the disk, each knows how its own answer fared, many are looked up at once."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from zsad.errors import OutputError
from zsad.language.cache import Cache, Stored


def stored(i: int) -> Stored:
    return Stored(f"key {i}", "step", str(i), 0, "m", "p 1", f"answer {i}", "stop", 1, 1, 0.1)


class Slow:
    """A connection whose writes wait until they may go on, and are counted."""

    def __init__(self, real, fault: Exception | None = None):
        self.real, self.fault, self.writes, self.begun, self.go = real, fault, [], threading.Event(), threading.Event()

    def executemany(self, line, rows):
        self.begun.set()
        assert self.go.wait(10)
        self.writes.append(len(rows))
        if self.fault and len(self.writes) > 1:
            raise self.fault
        return self.real.executemany(line, rows)

    def __getattr__(self, name):
        return getattr(self.real, name)


def write_together(cache, slow, count=6):
    """Let one thread write, and the others come while it does; return what each of them met."""
    cache._file = slow
    with ThreadPoolExecutor(count) as pool:
        first = pool.submit(cache.put, stored(0))
        assert slow.begun.wait(10)
        others = [pool.submit(cache.put, stored(i)) for i in range(1, count)]
        while len(cache._batch.rows) < count - 1:
            pass
        assert cache.get("key 1") is None  # nobody waits to look something up, and nothing is there too early
        slow.go.set()
        return [first.exception(), *(one.exception() for one in others)]


def test_threads_that_come_while_one_writes_are_written_together(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    slow = Slow(cache._file)
    assert write_together(cache, slow) == [None] * 6 and slow.writes == [1, 5]
    other = Cache(tmp_path / "c.sqlite")
    assert [other.get(f"key {i}") for i in range(6)] == [stored(i) for i in range(6)]


def test_each_thread_is_told_that_its_answer_was_not_kept(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    slow = Slow(cache._file, sqlite3.OperationalError("database or disk is full"))
    first, *others = write_together(cache, slow)
    assert first is None and all(isinstance(one, OutputError) and "disk is full" in str(one) for one in others)
    cache._file = slow.real
    cache.put(stored(9))
    assert [cache.get(f"key {i}") is not None for i in (0, 1, 9)] == [True, False, True]


@pytest.mark.parametrize("place", ["c.sqlite", None])
def test_many_are_looked_up_at_once(tmp_path, place):
    cache = Cache(place and tmp_path / place)
    cache.put(*map(stored, range(0, 1200, 2)))
    found = cache.get_all([f"key {i}" for i in range(1200)])
    assert found == {f"key {i}": stored(i) for i in range(0, 1200, 2)} and cache.get_all([]) == {}
