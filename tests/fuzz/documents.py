"""Damaged documents, cards, prompts, lists, rows and models: each is read, or refused in one line by a named error.

``python -m tests.fuzz.documents --count 20000 --seed 7`` writes its counts beside those of ``fuzz.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

import zsad
from tests.fuzz.fuzz import ROOT, mutate
from zsad.card import CARD_KEY, ModelCard
from zsad.data.files import Report
from zsad.data.lists import meta_json, table
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import ZsadError
from zsad.prompt.bank import load_bank
from zsad.prompt.store import load_prompt
from zsad.stream.sinks.rows import from_line
from zsad.suites.suite import load_suite
from zsad.thresholds import read_thresholds

SMALL = ROOT / "tests" / "detector" / "small.onnx"
LONGEST = 600
"""Characters of a refusal without the file's own path, at most."""

_EYE = np.eye(2, 8, dtype=np.float32)
_CARD = ModelCard.of(embed_dim=8, sigma=2.0, details={"seed": "3"}, prompt="p", name="n")
_ROW = {"file": "a.png", "stamp": "1", "run": "r", "model": "m", "score": 0.5, "verdict": None, "fired": [],
        "peak": 0.5, "width": 9, "height": 9,
        "regions": [{"box": [0, 0, 2, 2], "area": 4, "score": 0.5, "centroid": [1.0, 1.0]}],
        "region_count": 1, "area": 0.1,
        "thresholds": {"image": 0.5, "pixel": None, "min_area": None, "rule": "either",
        "source": "x"}, "outline": None, "notes": ["n"], "ms": 1.0, "files": {"overlay": "overlay/a.png"}}  # fmt: skip
_META = {"train": {}, "test": {"nut": [{"img_path": "a.png", "mask_path": "", "cls_name": "nut", "specie_name": "good",
                                        "anomaly": 0}]}}  # fmt: skip
_SUITE = "name: s\nresolution: 32\nseed: 3\nruns:\n  - name: r\n    datasets: [visa]\n    detector: {tile: 512}\n"
_BANK = "kind: bank\nnoun: part\nnormal: ['{}', 'good {}']\nanomalous: ['bad {}']\ntemplates: ['a {}.']\n"
_LIST = "image,label,mask,class,defect,split\na.png,0,,nut,good,test\nb.png,1,m.png,nut,cut,test\n"
_LIMITS = {"image": 0.5, "pixel": 0.6, "min_area": 0.001, "rule": "either", "source": "x"}

Reader = Callable[[Path], object]
KINDS: dict[str, tuple[str, bytes, Reader]] = {
    "card": ("card.json", _CARD.to_json().encode(),
             lambda path: ModelCard.from_json(path.read_bytes().decode(errors="replace"), str(path))),
    "suite": ("s.yaml", _SUITE.encode(), load_suite),
    "bank": ("b.yaml", _BANK.encode(), lambda path: load_bank(str(path))),
    "thresholds": ("t.json", json.dumps(_LIMITS).encode(), read_thresholds),
    "row": ("r.jsonl", json.dumps(_ROW).encode() + b"\n", lambda path: from_line(path.read_bytes())),
    "meta list": ("meta.json", json.dumps(_META).encode(), lambda path: meta_json(path, Report())),
    "csv list": ("l.csv", _LIST.encode(), lambda path: table(path, Report())),
    "prompt": ("p.safetensors", save({"vectors.image": _EYE, "vectors.pixel": _EYE[None]},
                                     metadata={CARD_KEY: _CARD.to_json()}), load_prompt),
    "model": ("m.onnx", SMALL.read_bytes(), lambda path: OnnxDetector(path, threads=1)),
}  # fmt: skip
_ODD = ["1" + "0" * 400, "9" * 5000, "1e999", "NaN", "-Infinity", ".inf", "[" * 400, "&a [*a]", "*b", "<<: 1",
        "!!python/none x", "null", '"\\ud800"', '"\\u0000"', "{}", "[]", "true", '""', "-1", "1e21", "\x1b[31m", "0.5",
        "'" + "x" * 5000 + "'"]  # fmt: skip


def damaged(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Damage a document: as any file, or by an odd value in the place of a token."""
    if rng.random() < 0.4:
        return mutate(data, rng, others)
    text = data.decode("latin-1")
    for _ in range(rng.randint(1, 2)):
        marks = [i for i, sign in enumerate(text) if sign in ":,[{ \n"] or [0]
        start = rng.choice(marks) + 1
        end = min((i for i in marks if i > start), default=len(text)) if rng.random() < 0.8 else start
        text = text[:start] + rng.choice(_ODD) + text[end:]
    return text.encode("latin-1", "replace")


def outcome(read: Reader, path: Path) -> str:
    """Return ``read``, ``refused``, or what is wrong."""
    try:
        read(path)
    except ZsadError as error:
        message = str(error).replace(str(path), "").replace(str(path.parent), "")
        if "\n" in message or len(message) > LONGEST:
            return f"a message of {len(message)} characters: {message[:120]!r}"
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "read"


def run(count: int, seed: int, kinds: dict[str, tuple[str, bytes, Reader]] = KINDS) -> tuple[dict[str, Any], list[str]]:
    """Read so many damaged documents; returns counts by kind and outcome, and what went wrong."""
    rng, wrong = random.Random(seed), list[str]()
    others = [data for _, data, _ in KINDS.values()]
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            kind = rng.choices(list(kinds), [1 if kind == "model" else 20 for kind in kinds])[0]
            name, data, read = kinds[kind]
            path = Path(folder) / name
            path.write_bytes(damaged(data, rng, others))
            found = outcome(read, path)
            counts[kind][found if found in ("read", "refused") else "wrong"] += 1
            wrong += [f"{i} {kind}: {found}"] if found not in ("read", "refused") else []
    return {kind: dict(found) for kind, found in counts.items()}, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "fuzz_documents.json")
    args = parser.parse_args()
    counts, wrong = run(args.count, args.seed)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    record = {
        "total": args.count, "seed": args.seed, "kinds": counts, "wrong": len(wrong), "examples_of_wrong": wrong[:20],
        "run": {"commit": commit.stdout.strip(), "zsad": zsad.__version__, "python": platform.python_version(),
                "numpy": np.__version__, "system": platform.system()},
    }  # fmt: skip
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
