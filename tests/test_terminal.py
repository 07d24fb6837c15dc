"""A program's end: what the system asked for is its exit code, whatever a library made of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASKED = """
import os, signal
from zsad.terminal import run

def main():
    try:
        {signal}
    except KeyboardInterrupt:  # as an extension module that is just loading does
        raise SystemExit({code})
    return 0

raise SystemExit(run(main))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("signal", "code", "ends"),
    [("os.kill(os.getpid(), signal.SIGTERM)", 1, 143), ("os.kill(os.getpid(), signal.SIGTERM)", 2, 2),
     ("raise KeyboardInterrupt", 1, 1)],
)  # fmt: skip
def test_an_end_that_became_an_error_is_an_end(signal, code, ends):
    program = ASKED.format(signal=signal, code=code)
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == ends
