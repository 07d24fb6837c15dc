"""Weakly supervised video models: a temporal block, a context block and heads, put together by ``presets``.

Blocks are in ``windows``, ``distance``, ``graphs``, ``memories``, ``phrases``, ``tokens`` and ``banks``; ``model``
assembles them, ``losses`` says what they are trained for. What is left of a reference's quirks stands behind
``compat``; everywhere else a video is scored as if it were alone and not padded.
"""
