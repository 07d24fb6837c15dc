"""Makes the scripts of ``benchmarks/`` importable: ``naive`` is the reference of several tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
