"""Stations for tests: a detector without a network, small parts, and a run in this process."""

import sqlite3
import threading

import numpy as np
import yaml
from PIL import Image

from tests.fakes import BrightDetector
from zsad.line.opening import opened
from zsad.line.settings import read_line
from zsad.types import Thresholds

LIMITS = Thresholds(image=0.8)


def part(folder, name, level=100, size=(24, 32), seed=0):
    """Write an image whose red is at most ``level``: its score is level / 255. Return its path."""
    pixels = np.random.default_rng(seed).integers(0, 20, (*size, 3), dtype=np.uint8)
    pixels[4:9, 5:12, 0] = level
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{name}.part")  # whole at once: a station may be looking
    Image.fromarray(pixels).save(hidden, format=Image.registered_extensions()[path.suffix.lower()])
    hidden.rename(path)
    return path


def parts(folder, count, *, bad=(), first=0):
    for n in range(first, first + count):
        part(folder, f"{n:04d}.png", 250 if n in bad else 100, seed=n)
    return folder


def line(folder, **said):
    """Write a line.yaml and read it back."""
    data = {"source": {"kind": "folder", "path": "parts", "settle_ms": 0, "poll_ms": 5}} | said
    path = folder / "line.yaml"
    path.write_text(yaml.safe_dump(data))
    return read_line(path)


def run(configured, *, limits=LIMITS, once=True, more=(), detector=None):
    """Run until the source is drained; return the rows."""
    detector = detector or BrightDetector(thresholds=limits)
    with opened(configured, once=once, detector=detector, more=more) as station:
        station.run(threading.Event())
    return rows(configured.database)


def rows(path, sql="select id, source, score, threshold, verdict, fired, error from parts order by rowid"):
    with sqlite3.connect(path) as db:
        found = db.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]
