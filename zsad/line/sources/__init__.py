"""Where parts come from; each source yields parts until it is drained or told to stop."""

from zsad.line.sources.source import Source, source_of

__all__ = ["Source", "source_of"]
