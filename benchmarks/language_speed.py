"""What the gateway costs: above a server's own time, of a kept answer, and of scoring again from what is kept.

    python benchmarks/language_speed.py [--windows 69500] [--calls 480] [--json FILE]

A scripted server in a process of its own answers text after 500 ms; 16 questions are under way at once. Then videos of
240 windows each, as many windows as UCF-Crime's test set has, are scored with invented answers (this is preparation,
without waiting for the disk), and scored again by a new process's means: no video can be opened then, nothing is
encoded again, and there is no endpoint. Figures with ``cpu`` in their names count the processors' time of this process
alone, whatever else the machine does. Exit code 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from zsad.language import footage
from zsad.language.asking import Ask, Message
from zsad.language.cache import Cache
from zsad.language.endpoint import Endpoint, Said
from zsad.language.gateway import Gateway
from zsad.language.parse import last_line
from zsad.language.scorers import AskScorer, LanguageScorer, LavadScorer, Setting, VeraScorer
from zsad.suites import record

HERE = Path(__file__).resolve().parent
DELAY, AT_ONCE, PER_VIDEO, DIMENSION = 0.5, 16, 240, 64
LIMITS = {"overhead_ms": 20.0, "cache_hit_ms": 0.5, "ask_s": 60.0, "vera_s": 60.0, "lavad_s": 300.0}
"""Largest figures; the seconds are for 69,500 windows."""
WINDOWS = 69_500


def question(i: int) -> Ask:
    return Ask("speed.text", str(i), (Message("user", (f"How odd is scene {i}? " + "word " * 150,)),))


def overhead(calls: int, folder: Path) -> dict[str, float]:
    """Return how much longer a fresh call takes than the server, and what a kept answer takes, in ms."""
    script = folder / "script.json"
    script.write_text(json.dumps({"rules": [{"reply": {"text": "[0.2]"}, "behaviour": {"delay": DELAY}}]}))
    command = [sys.executable, "-m", "tests.servers.scripted", str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as server:
        assert server.stdout is not None and server.stdin is not None
        url = server.stdout.readline().strip()
        gateway = Gateway(Endpoint(url, "scripted-vlm"), Cache(folder / "c.sqlite"), concurrency=AT_ONCE)
        gateway.ask(question(-1))

        def timed(i: int) -> float:
            begin = time.perf_counter()
            gateway.ask(question(i))
            return time.perf_counter() - begin

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(timed, range(calls, calls + AT_ONCE)))  # connections are made
            used = time.process_time()
            times = list(pool.map(timed, range(calls)))
            used = time.process_time() - used
        server.stdin.close()
        server.wait()
    begin = time.perf_counter()
    reads = gateway.read_all([question(i) for i in range(calls)], last_line)
    hit = (time.perf_counter() - begin) / len(reads)
    over = np.array(times) - DELAY
    return {
        "overhead_ms": round(1000 * float(over.mean()), 2),
        "overhead_ms_median": round(1000 * float(np.median(over)), 2),
        "call_cpu_ms": round(1000 * used / calls, 2),
        "overhead_ms_p95": round(1000 * float(np.quantile(over, 0.95)), 2),
        "cache_hit_ms": round(1000 * hit, 4),
    }


class Invented:
    """An endpoint that answers at once."""

    def name(self) -> str:
        """Return its model."""
        return "invented"

    def chat(self, ask: Ask) -> Said:
        """Answer by the step that asks."""
        text = str(ask.messages[-1].parts[0])
        if ask.step == "vera.learner":
            return Said(f"Answers: x.\nOutput:\n{hash(ask.item) % 2}", "stop", 100, 10)
        if ask.step == "lavad.caption":
            return Said(f"a scene with number {hash(ask.item) % 40}", "stop", 100, 10)
        if ask.step == "lavad.summary":
            return Said(f"Much of {hash(text) % 100} is seen", "stop", 100, 10)
        return Said(f"[0.{hash(text + ask.item) % 10}]", "stop", 100, 10)


class Vectors:
    """An encoder that invents."""

    name, has_texts = "invented", True

    def images(self, images: Any) -> Any:
        """Return vectors of pictures."""
        return np.stack([np.random.default_rng(image.getpixel((0, 0))).normal(size=DIMENSION) for image in images])

    def texts(self, texts: Any) -> Any:
        """Return vectors of texts."""
        return np.stack([np.random.default_rng(abs(hash(text)) % 2**32).normal(size=DIMENSION) for text in texts])


class Kept(Vectors):
    """The same encoder, that must not be asked again."""

    def images(self, images: Any) -> Any:
        """Refuse."""
        raise AssertionError("a picture was encoded again")

    def texts(self, texts: Any) -> Any:
        """Refuse."""
        raise AssertionError("a text was encoded again")


class Drawn:
    """A video of one grey level per frame."""

    fps, fault = 30.0, ""

    def __init__(self, frames: int) -> None:
        self.n_frames = frames

    def __enter__(self) -> Drawn:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def frames(self) -> Iterator[Any]:
        """Yield its frames."""
        for i in range(self.n_frames):
            image = Image.new("RGB", (8, 8), (i % 251, i % 241, i % 239))
            yield SimpleNamespace(index=i, timestamp=i / 30, image=image)


def rescoring(windows: int, folder: Path) -> dict[str, float]:
    """Return the seconds that scoring again takes, by method, scaled to 69,500 windows."""
    count = max(1, windows // PER_VIDEO)
    videos = [folder / f"v{i:04d}.mp4" for i in range(count)]
    for i, path in enumerate(videos):
        path.write_bytes(f"video {i}".encode())
    module: Any = footage
    real = module.open_video
    found: dict[str, float] = {}
    for name, kind, embedder, kept in (("ask", AskScorer, None, None), ("vera", VeraScorer, Vectors(), Kept()),
                                       ("lavad", LavadScorer, Vectors(), Kept())):  # fmt: skip
        setting = Setting(embedder=embedder)
        place = folder / f"{name}.sqlite"
        cache = Cache(place)
        cache._file.execute("PRAGMA synchronous=OFF")  # preparation only
        endpoint: Any = Invented()
        module.open_video = lambda *_, **__: Drawn(PER_VIDEO * 16)
        scorer: LanguageScorer = kind(Gateway(endpoint, cache, concurrency=2), setting)
        first = [scorer.score(path).values for path in videos]
        cache.close()
        module.open_video = _never
        begin, used = time.perf_counter(), time.process_time()
        again = kind(Gateway(None, Cache(place), model="invented"), Setting(embedder=kept))
        second = [again.score(path).values for path in videos]
        seconds, used = time.perf_counter() - begin, time.process_time() - used
        assert all((a == b).all() for a, b in zip(first, second, strict=True)), name
        whole = WINDOWS / (count * PER_VIDEO)
        found |= {f"{name}_s": round(seconds * whole, 1), f"{name}_cpu_s": round(used * whole, 1)}
    module.open_video = real
    return found


def _never(*_: object, **__: object) -> Any:
    raise AssertionError("a video was opened")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--windows", type=int, default=WINDOWS)
    parser.add_argument("--calls", type=int, default=480)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "language_speed.json")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        figures = overhead(options.calls, Path(name)) | rescoring(options.windows, Path(name))
    broken = [key for key, limit in LIMITS.items() if figures[key] > limit]
    for key, value in figures.items():
        print(f"{key:<18} {value:>10}   {'at most ' + format(LIMITS[key], 'g') if key in LIMITS else ''}")
    data = {
        "benchmark": "language_speed", "passed": not broken, "figures": figures, "limits": LIMITS,
        "windows": options.windows, "calls": options.calls, "at_once": AT_ONCE, "server_ms": DELAY * 1000,
        "commit": record.commit(HERE), "versions": record.versions(), "hardware": record.hardware(),
    }  # fmt: skip
    options.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    print("limits kept" if not broken else f"limit exceeded: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
