"""Compare the language systems with fixtures of them: every numeric step and every parser, quantity by quantity.

    python benchmarks/parity_language.py FIXTURE_DIR [--json FILE] [--quiet]

Prints one line per quantity with its error and its tolerance; of texts, labels and parsers the error is the number of
rows that differ. The last line is the verdict; exits with 1 if anything is above its tolerance, with 2 if there is
nothing to compare. No endpoint is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.language_parity import alignment, lavad, mcanet, numbers, replies, texts, vera
from benchmarks.language_parity.fixtures import Fixtures, System, guarded
from benchmarks.parity_checks import Check, Skip

SYSTEMS: list[tuple[str, tuple[str, ...], System]] = [
    ("lavad", ("lavad.json",), replies.lavad),
    ("lavad", ("lavad.json", "lavad.npz"), lavad.checks),
    ("mcanet", ("mcanet.json", "mcanet.npz", "lavad.json", "lavad.npz"), mcanet.checks),
    ("vera", ("vera_loop.json",), replies.vera),
    ("vera", ("vera.json", "vera.npz"), vera.checks),
    ("vera_loop", ("vera_loop.json",), vera.loop),
    ("holmes", ("holmes.json",), replies.holmes),
    ("vadllama", ("vadllama.json",), replies.vadllama),
    ("hawk", ("hawk.json",), replies.hawk),
    ("cuva", ("cuva.json",), replies.cuva),
    ("ecva", ("ecva.json",), replies.ecva),
    ("vane", ("vane.json",), replies.vane),
    ("holmes", ("holmes.json", "holmes.npz"), numbers.holmes),
    ("vadllama", ("vadllama.json", "vadllama.npz"), numbers.vadllama),
    ("hawk", ("hawk.json", "hawk.npz"), numbers.hawk),
    ("cuva", ("cuva.json", "cuva.npz"), numbers.cuva),
    ("ecva", ("ecva.json",), numbers.ecva),
    ("vane", ("vane.json",), numbers.vane),
    ("alignment", ("alignment.json",), alignment.checks),
    ("texts", ("textmetrics.json",), texts.invented),
    ("texts", ("textmetrics.json", "cuva_pairs.npz"), texts.pairs),
]
"""What is compared: where it belongs, the files that it needs, and the function that yields its checks."""


def run(folder: Path) -> list[Check | Skip]:
    """Compare everything that a folder has."""
    files = Fixtures(folder)
    return [found for name, needs, system in SYSTEMS for found in guarded(name, needs, system, files)]


def line(item: Check | Skip) -> str:
    """Return the line that is printed for one result."""
    if isinstance(item, Skip):
        return f"skip  {item.where:<10} {item.file} is not in this folder"
    state = "ok  " if item.passed else "FAIL"
    note = f"  {item.note}" if item.note else ""
    return f"{state}  {item.where:<10} {item.quantity:<56} {item.error:9.2e}  tolerance {item.tolerance:.0e}{note}"


def verdict(found: list[Check | Skip]) -> str:
    """Return the last line."""
    checks = [item for item in found if isinstance(item, Check)]
    skipped = len({item.file for item in found if isinstance(item, Skip)})
    failed = sum(not check.passed for check in checks)
    state = (
        f"FAIL: {failed} of {len(checks)} quantities above tolerance" if failed else f"PASS: {len(checks)} quantities"
    )
    return f"parity {state}" + (f", {skipped} files skipped" if skipped else "")


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, metavar="FIXTURE_DIR")
    parser.add_argument("--json", type=Path, help="write the quantities here")
    parser.add_argument("--quiet", action="store_true", help="print only what fails, and the verdict")
    options = parser.parse_args(arguments)
    found = run(options.folder) if options.folder.is_dir() else []
    checks = [item for item in found if isinstance(item, Check)]
    if not checks:
        print(f"parity FAIL: nothing to compare in {options.folder}; give a folder of fixtures")
        return 2
    for item in found:
        if not options.quiet or (isinstance(item, Check) and not item.passed):
            print(line(item))
    if options.json:
        rows = [
            {"where": c.where, "quantity": c.quantity, "passed": c.passed, "tolerance": c.tolerance,
             "error": c.error if c.error < float("inf") else None}
            for c in checks
        ]  # fmt: skip
        options.json.write_text(json.dumps({"benchmark": "parity_language", "quantities": rows}, indent=1) + "\n")
    print(verdict(found))
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
