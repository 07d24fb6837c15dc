"""Many images: the folder loop that everything which walks images shares; torch-free.

``find_images`` lists inputs, ``inspect`` turns them into results with decoding ahead of inference, ``run``
also writes pictures, JSON lines and the report, and resumes.
"""

from zsad.batch.find import SUFFIXES, Source, find_images
from zsad.batch.inspect import Inspected, inspect
from zsad.batch.record import Row, read_rows
from zsad.batch.run import Options, Progress, run

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
