"""Many images: the folder loop that everything which walks images shares; torch-free.

``find_images`` lists inputs, ``inspect`` turns them into results with decoding ahead of inference, ``run``
also writes pictures, JSON lines and the report, and resumes.
"""

from zsad.stream.inspect import Inspected, inspect
from zsad.stream.run import Options, Progress, run
from zsad.stream.sinks.rows import Row, read_rows
from zsad.stream.sources import SUFFIXES, Source, find_images

__all__ = [
    "SUFFIXES",
    "Inspected",
    "Options",
    "Progress",
    "Row",
    "Source",
    "find_images",
    "inspect",
    "read_rows",
    "run",
]
