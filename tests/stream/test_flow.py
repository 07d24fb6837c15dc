"""The loop by itself: order, failures of single items, stamps, memory."""

from __future__ import annotations

import os
import threading
import time
from itertools import count, islice

import numpy as np
import pytest
from PIL import Image

from tests.contrast import Contrast
from tests.part_images import part, write_parts
from zsad.errors import InputError
from zsad.images.preprocess import Decoded
from zsad.stream import Item, Options, detect, find_images, flow, from_iterable, inspect, memory, read_rows
from zsad.stream.ahead import open_ahead
from zsad.stream.inspect import needed_bytes
from zsad.stream.item import stamp_of
from zsad.stream.memory import Budget, check_fits, image_bytes, machine_memory, opening_bytes


def numbers(items, work, **options):
    """Flow over items whose ids are numbers; opened, they are those numbers."""
    options = {"size": lambda opened: 0, "need": lambda opened: 1} | options
    return flow(items, lambda item: int(item.id), work, **options)


def named(n):
    return (Item(str(i), str(i)) for i in (range(n) if n is not None else count()))


def test_values_in_order_from_an_endless_source():
    asked = []

    def source():
        for item in named(None):
            asked.append(item.id)
            yield item

    stream = numbers(source(), lambda chunk: [-x for x in chunk], lanes=3, batch_size=4, readers=2)
    assert [outcome.value for outcome in islice(stream, 50)] == [-i for i in range(50)]
    stream.close()
    assert len(asked) < 50 + 4 * (3 + 1) + (2 * 3 * 4 + 2) + 2  # no further than what is under way
    before = len(asked)
    time.sleep(0.1)
    assert len(asked) == before


def test_batches_are_as_large_as_asked_for():
    sizes = []

    def work(chunk):
        sizes.append(len(chunk))
        return list(chunk)

    assert len(list(numbers(named(600), work, batch_size=256))) == 600
    assert sizes == [256, 256, 88]


def test_one_item_of_a_batch_fails_alone():
    def work(chunk):
        if 3 in chunk:
            raise ZeroDivisionError("three")
        return [InputError("five") if x == 5 else x for x in chunk]

    found = list(numbers(named(8), work, batch_size=4))
    assert [outcome.value for outcome in found] == [0, 1, 2, None, 4, None, 6, 7]
    assert found[3].error == "3: unexpected ZeroDivisionError: three" and found[5].error == "five"


def test_an_item_that_can_not_be_opened_fails_alone():
    def broken():
        raise ConnectionError("camera is off")

    images = [np.zeros((20, 20), np.uint8), broken, np.zeros((20, 20), np.float32) * np.nan, Image.new("RGB", (30, 9))]
    found = list(inspect(Contrast(), list(from_iterable(images))))
    assert [outcome.item.id for outcome in found] == ["000000", "000001", "000002", "000003"]
    assert [outcome.value is not None for outcome in found] == [True, False, False, True]
    assert found[1].error == "000001: unexpected ConnectionError: camera is off"
    assert found[0].value.name == "000000" and found[3].value.map.shape == (9, 30)


def test_an_interruption_in_a_lane_is_no_failure_of_an_item():
    def work(chunk):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(numbers(named(3), work))


def test_a_file_that_changes_meanwhile_is_an_error_not_a_result_under_a_new_stamp(tmp_path):
    parts = write_parts(tmp_path, 3)
    stamps = {item.id: stamp_of(item.id) for item in find_images([parts])}

    class Slow(Contrast):
        def batch(self, images, **options):
            if any("p1" in image.name for image in images):
                part(parts / "p1.png", spot=99, size=(50, 40))
            return super().batch(images, **options)

    found = list(inspect(Slow(), find_images([parts]), batch_size=1, readers=1))
    assert [bool(outcome.value) for outcome in found] == [True, False, True]
    assert found[1].error == f"{parts / 'p1.png'}: changed while it was read; run again"
    assert [outcome.stamp for outcome in found] == list(stamps.values())
    again = list(inspect(Contrast(), find_images([parts])))
    assert again[1].value.map.shape == (40, 50) and again[1].stamp == stamp_of(parts / "p1.png")


def test_a_file_that_is_removed_meanwhile_is_an_error(tmp_path):
    path = part(tmp_path / "x.png")

    class Removing(Contrast):
        def batch(self, images, **options):
            path.unlink(missing_ok=True)
            return super().batch(images, **options)

    (outcome,) = inspect(Removing(), find_images([path]))
    assert "changed while it was read" in outcome.error


# ---- memory


def test_bytes_under_way_stay_within_the_budget():
    held, most, lock = [0], [0], threading.Lock()

    def work(chunk):
        with lock:
            held[0] += sum(chunk)
            most[0] = max(most[0], held[0])
        time.sleep(0.002)
        return list(chunk)

    sizes = [10, 10, 35, 10, 120, 10, 90, 10, 10, 10] * 4  # 120 is above the budget: it goes alone
    items = [Item(str(size), str(i)) for i, size in enumerate(sizes)]
    budget = Budget(100)
    seen = []
    for outcome in flow(items, lambda item: int(item.id), work, lanes=3, batch_size=4, size=lambda x: x,
                        need=lambda x: x, budget=budget):  # fmt: skip
        seen.append(outcome.value)
        assert outcome.bytes == outcome.value
        with lock:
            held[0] -= outcome.value
        budget.give(outcome.bytes)
    assert seen == sizes and most[0] <= 120
    assert budget.take(100), "everything was given back"


def test_who_holds_outcomes_in_threads_gives_their_bytes_back():
    """The flow waits for them, and goes on as soon as they are there."""
    budget, waiting = Budget(10), []

    def give_later(outcome):
        time.sleep(0.02)
        budget.give(outcome.bytes)

    for outcome in numbers(named(12), list, lanes=2, need=lambda opened: 6, budget=budget):
        thread = threading.Thread(target=give_later, args=(outcome,))
        thread.start()
        waiting.append(thread)
        assert sum(thread.is_alive() for thread in waiting) <= 1
    for thread in waiting:
        thread.join()
    assert len(waiting) == 12


def test_what_can_never_fit_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 1000)
    check_fits("x.png", 750)
    with pytest.raises(InputError, match=r"^x\.png: needs 0\.0 GB of memory, 0\.0 GB can be used here; cut it up"):
        check_fits("x.png", 751)
    found = list(numbers(named(3), list, need=lambda opened: 800 if opened == 1 else 2))
    assert [outcome.value for outcome in found] == [0, None, 2]
    assert found[1].error.startswith("1: needs 0.0 GB of memory")


def test_what_opening_takes_is_accounted_before_it_is_opened():
    opening, most, lock = [0], [0], threading.Lock()

    def open_item(item):
        with lock:
            opening[0] += 40
            most[0] = max(most[0], opening[0])
        time.sleep(0.002)
        with lock:
            opening[0] -= 40
        return int(item.id)

    found = list(open_ahead(named(30), open_item, readers=4, ahead=20, waiting=100, weigh=lambda item: 40))
    assert [ready.opened for ready in found] == list(range(30))
    assert most[0] <= 120  # two fit, and the next in order is always let in
    found = list(open_ahead(named(9), open_item, readers=3, ahead=20, waiting=10, weigh=lambda item: 40))
    assert [ready.opened for ready in found] == list(range(9))


def test_what_can_not_be_weighed_fails_alone():
    def weigh(item):
        if item.id == "3":
            raise InputError("3: needs more than there is")
        return 5

    found = list(open_ahead(named(6), lambda item: item.id, readers=2, ahead=4, waiting=100, weigh=weigh))
    assert [ready.opened for ready in found] == ["0", "1", "2", None, "4", "5"]
    assert str(found[3].failure).startswith("3: needs")


def test_a_huge_image_is_refused_from_its_header(tmp_path, monkeypatch):
    """What needs more than the machine has is not even decoded, and the run goes on."""
    Image.new("1", (4000, 4000)).save(tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size < 5000
    for name in "ac":
        part(tmp_path / f"{name}.png")
    monkeypatch.setattr(memory, "machine_memory", lambda: 500_000_000)
    decoded = []

    class Watching(Contrast):
        def decode(self, image):
            decoded.append(image)
            return super().decode(image)

    out = tmp_path / "out"
    progress = detect(Watching(), find_images([tmp_path]), Options(out))
    assert (progress.done, progress.failed) == (3, 1) and not any("b.png" in str(one) for one in decoded)
    (row,) = [row for row in read_rows(out / "results.jsonl") if row.error]
    assert row.error.startswith(f"{tmp_path / 'b.png'}: needs 0.5 GB of memory, 0.4 GB can be used here; cut it up")
    again = detect(Contrast(), find_images([tmp_path]), Options(out, resume=True))
    assert (again.done, again.skipped, again.failed) == (3, 2, 1)
    assert opening_bytes(tmp_path / "a.png") == 20 * 40 * 30
    assert opening_bytes(tmp_path / "absent") == 0 == opening_bytes(tmp_path)


def test_bytes_of_images():
    assert image_bytes(Image.new("L", (30, 20))) == 600
    assert image_bytes(Image.new("RGB", (30, 20))) == 2400
    assert needed_bytes(Decoded(Image.new("RGB", (30, 20)))) == 2400 + 30 * 600
    assert 2**27 < machine_memory() <= 1 << 60


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="needs POSIX")
def test_what_is_accounted_is_what_is_taken(tmp_path):
    """An image is decoded, inspected and drawn in no more memory than was accounted for it."""
    psutil = pytest.importorskip("psutil")
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (150, 200, 3), dtype=np.uint8))
    small.resize((4000, 3000)).save(tmp_path / "x.png", compress_level=1)
    detect(Contrast(), find_images([part(tmp_path / "small.png")]), Options(out=tmp_path / "out"))  # imports
    process, most, stop = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch():
        while not stop.wait(0.002):
            most[0] = max(most[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    detect(Contrast(), find_images([tmp_path / "x.png"]), Options(out=tmp_path / "out"))
    stop.set()
    watcher.join()
    accounted = needed_bytes(Decoded(Image.new("RGB", (4000, 3000))))
    assert 0.3 * accounted < most[0] < 1.15 * accounted
