"""Refuse large files, white space at the end of lines, and text files that don't end with one line break.

    python .ci/tidy.py [FILE ...]

Without files, everything that git tracks. Exit code 1 if anything was found; each finding is one line.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 500_000
"""Bytes; a file above stays in the history of every clone for ever."""
LARGE = {
    "tests/golden/A_stages.npz",
    "tests/golden/T_clip_weights.safetensors",
    "zsad/assets/tiny.onnx",
    "zsad/assets/tiny/open_clip_model.safetensors",
}
"""Files that may be larger: the bundled model, and what the parity tests compare with."""
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".jsonl", ".txt", ".csv", ".sh", ".js", ".css", ".pbtxt"}
"""Suffixes of text files; a name without a suffix is text, too (LICENSE, .ci/run)."""

AS_IT_CAME = ("tests/golden/",)
"""Folders whose files stay byte for byte as their makers wrote them."""


def findings(path: Path, name: str) -> list[str]:
    """Return what is wrong with one file.

    Args:
        path: the file.
        name: its path below the root, with slashes.
    """
    found = []
    if path.stat().st_size > LARGEST and name not in LARGE:
        size = path.stat().st_size // 1000
        found.append(f"{name}: {size} kB, above {LARGEST // 1000} kB; make it smaller, or list it in .ci/tidy.py")
    if (path.suffix in TEXT or not path.suffix) and not name.startswith(AS_IT_CAME):
        found += [f"{name}{what}" for what in _loose_ends(path.read_bytes())]
    return found


def _loose_ends(data: bytes) -> list[str]:
    lines = data.split(b"\n")
    found = [f":{i}: white space at the end" for i, line in enumerate(lines, 1) if line != line.rstrip()]
    if data and (not data.endswith(b"\n") or data.endswith(b"\n\n")):
        found.append(": must end with one line break")
    return found


def tracked() -> list[str]:
    """Return every file of the working tree that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def main(arguments: list[str]) -> int:
    """Print every finding."""
    names = [Path(a).resolve().relative_to(ROOT).as_posix() for a in arguments] or tracked()
    found = [line for name in names for line in findings(ROOT / name, name)]
    print("\n".join(found or [f"{len(names)} files are tidy"]))  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
