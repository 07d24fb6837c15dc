"""Names in one option: ``--classes normal,fighting``."""

from __future__ import annotations


def names_of(text: str) -> tuple[str, ...]:
    """Split names at commas; an empty text has none.

    >>> names_of("normal, car accident")
    ('normal', 'car accident')
    """
    return tuple(name.strip() for name in text.split(",")) if text.strip() else ()
