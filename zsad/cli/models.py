"""``zsad models``."""


def models() -> None:
    """What can be loaded."""
