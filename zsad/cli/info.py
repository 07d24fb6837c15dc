"""``zsad info``."""


def info() -> None:
    """What this machine has."""
