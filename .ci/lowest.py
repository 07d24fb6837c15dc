"""Print the core's dependencies at their lowest declared versions, as constraints for pip.

    python .ci/lowest.py > lowest.txt && pip install -c lowest.txt .

Reads ``project.dependencies`` of ``pyproject.toml``. A dependency without a lower bound is an error: what is not
declared can't be tested.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<version>[0-9][0-9a-z.]*)\s*(?:,.*)?")


def lowest(requirements: list[str]) -> list[str]:
    """Turn ``name>=version`` into ``name==version``; what stands after a comma only bounds from above.

    Raises:
        ValueError: a requirement that doesn't begin with a lower bound.

    >>> lowest(["numpy>=1.26", "timm>=1.0.10,<2"])
    ['numpy==1.26', 'timm==1.0.10']
    """
    found = []
    for text in requirements:
        bound = _BOUND.fullmatch(text.strip())
        if bound is None:
            raise ValueError(f"{text!r}: give it a lower bound, as in name>=1.2")
        found.append(f"{bound['name']}=={bound['version']}")
    return found


def main() -> int:
    """Print one constraint a line."""
    declared = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    print("\n".join(lowest(declared)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
