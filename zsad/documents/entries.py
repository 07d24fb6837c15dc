"""A mapping of a document, read key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from zsad.errors import ConfigError, ZsadError
from zsad.outside import shown

_LONGEST = 300
"""Characters of a message, at most."""


@dataclass(frozen=True)
class Entries:
    """A mapping of a document, read key by key; each refusal names file, key, what stands there and what may.

    Attributes:
        data: the mapping.
        where: names it in errors.
        refuse: class of the error.
    """

    data: dict[str, Any]
    where: str
    refuse: type[ZsadError] = ConfigError

    @classmethod
    def of(cls, data: Any, where: object, refuse: type[ZsadError] = ConfigError) -> Entries:
        """Take a document that must be a mapping.

        Raises:
            ZsadError: ``refuse``, where it is none.
        """
        if not isinstance(data, dict):
            raise refuse(f"{where}: is {shown(data)}, it must be a mapping of keys to values")
        return cls(data, str(where), refuse)

    def only(self, *known: str) -> Entries:
        """Refuse any other key."""
        for key in self.data:
            if key not in known:
                raise self.refuse(f"{self.where}: unknown key {shown(key)}; known: {', '.join(known)}"[:_LONGEST])
        return self

    def number(self, key: str, low: float = -1e9, high: float = 1e9, default: float | None = None) -> float:
        """Return a number in ``[low, high]``.

        >>> Entries({"sigma": 10**400}, "x.json").number("sigma", 0, 100)
        Traceback (most recent call last):
        zsad.errors.ConfigError: x.json: sigma is a number of about 401 digits, it must be a number of 0 to 100
        """
        value = self._of(key, default)
        if not is_number(value, low, high):
            self._wrong(key, value, f"a number of {low:g} to {high:g}")
        return float(value)

    def whole(self, key: str, low: int = 0, high: int = 10**9, default: int | None = None) -> int:
        """Return a whole number in ``[low, high]``."""
        value = self._of(key, default)
        if not is_whole(value, low, high):
            self._wrong(key, value, f"a whole number of {low} to {high}")
        return int(value)

    def text(self, key: str, longest: int = 10_000, default: str | None = None) -> str:
        """Return text of at most ``longest`` characters."""
        value = self._of(key, default)
        if not isinstance(value, str) or len(value) > longest:
            self._wrong(key, value, f"text of at most {longest} characters")
        return str(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._of(key, default)
        if not isinstance(value, bool):
            self._wrong(key, value, "true or false")
        return bool(value)

    def items(self, key: str, most: int = 10_000, default: list[Any] | None = None) -> list[Any]:
        """Return a list of at most ``most`` entries."""
        value = self._of(key, default)
        if not isinstance(value, list) or len(value) > most:
            self._wrong(key, value, f"a list of at most {most} entries")
        return list(value)

    def entries(self, key: str) -> Entries:
        """Return a mapping below this one."""
        return Entries.of(self._of(key, None), f"{self.where}: {key}", self.refuse)

    def _of(self, key: str, default: Any) -> Any:
        if key in self.data:
            return self.data[key]
        if default is None:
            raise self.refuse(f"{self.where}: {key} is missing; add it")
        return default

    def _wrong(self, key: str, value: Any, must: str) -> NoReturn:
        raise self.refuse(f"{self.where}: {key} is {shown(value)}, it must be {must}")


def is_number(value: Any, low: float = -1e9, high: float = 1e9) -> bool:
    """Whether a value is a finite number in ``[low, high]``; true and false are none."""
    # The bounds come first: an integer of 400 digits has no float.
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_whole(value: Any, low: int, high: int) -> bool:
    """Whether a value is an integer in ``[low, high]``; true and false are none."""
    return type(value) is int and low <= value <= high
