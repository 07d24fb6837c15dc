"""Knobs as frozen dataclasses, read from YAML and written back; an unknown key is an error.

A config class is a frozen dataclass whose fields are declared with :func:`knob`, which carries the unit
and the range beside the default. Nested config classes become nested mappings.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml

from zsad.documents import read_yaml
from zsad.errors import ConfigError
from zsad.outside import shown, terminal

C = TypeVar("C")

LARGEST = 2**32
"""Largest size of a number whose field says no range: any seed, and nothing that overflows."""


def knob(default: Any, what: str, *, low: float | None = None, high: float | None = None, unit: str = "") -> Any:
    """Declare one field of a config class.

    Args:
        default: its default value.
        what: its meaning, in a phrase.
        low: smallest allowed value, if it is a number; ``-LARGEST`` by default.
        high: largest allowed value, if it is a number; ``LARGEST`` by default.
        unit: its unit, such as ``"px"``.

    Returns:
        A dataclass field.
    """
    return field(default=default, metadata={"what": what, "low": low, "high": high, "unit": unit})


def from_mapping(cls: type[C], data: Any, where: str = "config") -> C:
    """Build a config from decoded YAML or JSON.

    Args:
        cls: a frozen dataclass.
        data: a mapping of its fields; absent fields keep their defaults.
        where: names the source in errors.

    Returns:
        An instance of ``cls``.

    Raises:
        ConfigError: an unknown key, a wrong type, or a value out of range.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Blur:
    ...     sigma: float = knob(4.0, "smoothing", low=0, unit="px")
    >>> from_mapping(Blur, {"sigma": 2}).sigma
    2.0
    >>> from_mapping(Blur, {"sigma": -1})
    Traceback (most recent call last):
    zsad.errors.ConfigError: config: sigma is -1, it must be at least 0 px
    """
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: must be a mapping of keys to values, got {shown(data)}")
    known = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]
    unknown = [key for key in data if key not in known]
    if unknown:
        raise ConfigError(f"{where}: unknown key {shown(unknown[0])}; known keys: {', '.join(sorted(known))}")
    hints = typing.get_type_hints(cls)
    values = {
        name: _convert(hints[name], value, f"{where}: {name}", known[name].metadata) for name, value in data.items()
    }
    missing = [
        name
        for name, f in known.items()
        if name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}: {missing[0]} is missing; add it")
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def from_yaml(cls: type[C], path: str | Path) -> C:
    """Read a config file.

    Raises:
        ConfigError: an unreadable file, or anything that :func:`from_mapping` refuses.
    """
    return from_mapping(cls, read_yaml(path), str(path))


def to_mapping(config: Any) -> dict[str, Any]:
    """Return a config as plain dicts, lists and scalars, for YAML or JSON."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    result: dict[str, Any] = plain(dataclasses.asdict(config))
    return result


def to_yaml(config: Any) -> str:
    """Return a config as YAML text that :func:`from_yaml` reads back."""
    text: str = yaml.safe_dump(to_mapping(config), sort_keys=False, allow_unicode=True)
    return text


def _convert(hint: Any, value: Any, where: str, metadata: Any) -> Any:
    """Check one value against its type hint and range; ints become floats where a float is wanted."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        inner = [argument for argument in arguments if argument is not type(None)]
        words = [word for argument in inner[1:] if get_origin(argument) is Literal for word in get_args(argument)]
        return value if value in words else _convert(inner[0], value, where, metadata)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where} is {shown(value)}, it must be one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        return _convert_tuple(arguments, value, where, metadata)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a mapping, got {shown(value)}")
        return {
            str(key): _convert(arguments[1], item, f"{where}.{terminal(key, 40)}", metadata)
            for key, item in value.items()
        }
    if isinstance(hint, type) and is_dataclass(hint):
        return from_mapping(hint, value, where)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        _check_range(value, where, metadata)
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise ConfigError(f"{where} is {shown(value)}, it must be {_TYPE_NAMES.get(hint, hint.__name__)}")
    _check_range(value, where, metadata)
    return value


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "a path"}


def _convert_tuple(arguments: tuple[Any, ...], value: Any, where: str, metadata: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where} must be a list, got {shown(value)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(arguments[0], item, where, metadata) for item in value)
    if len(value) != len(arguments):
        raise ConfigError(f"{where} must be a list of {len(arguments)}, got {len(value)}")
    return tuple(_convert(hint, item, where, metadata) for hint, item in zip(arguments, value, strict=True))


def _check_range(value: Any, where: str, metadata: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    low, high, unit = metadata.get("low"), metadata.get("high"), metadata.get("unit")
    low, high = -LARGEST if low is None else low, LARGEST if high is None else high
    unit = f" {unit}" if unit else ""
    if value != value:
        raise ConfigError(f"{where} is NaN, give a number")
    # As they stand: an integer of 400 digits has no float.
    if value < low:
        raise ConfigError(f"{where} is {shown(value)}, it must be at least {low:g}{unit}")
    if value > high:
        raise ConfigError(f"{where} is {shown(value)}, it must be at most {high:g}{unit}")
