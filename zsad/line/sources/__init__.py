"""Where parts come from; each source yields parts until it is drained or told to stop."""

from zsad.line.sources.choice import source_of
from zsad.line.sources.source import Source

__all__ = ["Source", "source_of"]
