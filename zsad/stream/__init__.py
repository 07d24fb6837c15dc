"""One loop for images, arrays, frames and labelled samples; torch-free.

``sources`` make items, ``flow`` opens them ahead and works on them in lanes, ``run`` gives what is finished to
``sinks``; ``detect`` is the composition behind the command, ``inspect`` the loop without sinks.
"""

from zsad.images.files import SUFFIXES
from zsad.stream.detection import Options, detect
from zsad.stream.flow import Outcome, flow
from zsad.stream.inspect import Inspected, inspect
from zsad.stream.item import Item
from zsad.stream.run import Progress, run
from zsad.stream.sinks.rows import Row, read_rows
from zsad.stream.sinks.sink import Finished, Job, Sink
from zsad.stream.sources import find_images, frames, from_iterable, glob_images

__all__ = [
    "SUFFIXES",
    "Finished",
    "Inspected",
    "Item",
    "Job",
    "Options",
    "Outcome",
    "Progress",
    "Row",
    "Sink",
    "detect",
    "find_images",
    "flow",
    "frames",
    "from_iterable",
    "glob_images",
    "inspect",
    "read_rows",
    "run",
]
