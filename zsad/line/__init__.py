"""A station beside a machine: parts in, verdicts out, each exactly once, for months; torch-free.

``settings`` reads ``line.yaml``; ``sources`` give parts, ``lanes`` look at them, ``decision`` judges them, ``database``
records each before anybody is told, and ``sinks`` tell. ``station`` is the composition behind ``zsad line run``.
"""

from zsad.line.part import Part, Record
from zsad.line.settings import Line, read_line
from zsad.line.station import Station

__all__ = ["Line", "Part", "Record", "Station", "read_line"]
