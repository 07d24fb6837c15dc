"""Files and texts that become documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zsad.documents.bounds import DIGITS, SMALL, Limits, RefusedError, check, once, too_deep, too_long
from zsad.errors import ConfigError, ZsadError
from zsad.outside import terminal

_WHY = 100

Refusal = type[ZsadError]


def read_json(path: str | Path, refuse: Refusal = ConfigError, limits: Limits = SMALL) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        refuse: class of the error.
        limits: what it may cost.

    Raises:
        ZsadError: ``refuse``, where the file can't be read, is no JSON, or is beyond the limits.
    """
    return parse_json(read_bytes(path, refuse, limits), path, refuse, limits)


def read_yaml(path: str | Path, refuse: Refusal = ConfigError, limits: Limits = SMALL) -> Any:
    """Read a YAML file; as :func:`read_json`."""
    return parse_yaml(read_bytes(path, refuse, limits), path, refuse, limits)


def parse_json(data: str | bytes, where: object, refuse: Refusal = ConfigError, limits: Limits = SMALL) -> Any:
    """Read JSON; ``where`` names it in errors.

    Raises:
        ZsadError: ``refuse``, where it is no JSON or beyond the limits.

    >>> parse_json('{"a": [1, 2.5]}', "x.json")
    {'a': [1, 2.5]}
    >>> parse_json('{"a": 1, "a": 2}', "x.json")
    Traceback (most recent call last):
    zsad.errors.ConfigError: x.json: key 'a' is given twice; give it once
    """
    try:
        text = _decoded(data, limits)
        try:
            value = json.loads(text, object_pairs_hook=once)
        except RecursionError:
            raise RefusedError(too_deep(limits)) from None
        except ValueError as error:
            raise RefusedError(_no_json(error)) from None
        check(value, limits)
    except RefusedError as error:
        raise refuse(f"{where}: {error}") from None
    return value


def parse_yaml(data: str | bytes, where: object, refuse: Refusal = ConfigError, limits: Limits = SMALL) -> Any:
    r"""Read YAML: mappings with text for keys, lists and plain scalars; ``where`` names it in errors.

    Numbers are as in JSON and YAML 1.2 (``1e-3`` is one, ``010`` and ``1:30`` are text), words for true and false as
    in YAML 1.1, and dates are text.

    Raises:
        ZsadError: ``refuse``, where it is no YAML or beyond the limits.

    >>> parse_yaml("lr: 1e-3\nlayers: [6, 9]", "x.yaml")
    {'lr': 0.001, 'layers': [6, 9]}
    >>> parse_yaml("a: &x [1]\nb: *x", "x.yaml")
    Traceback (most recent call last):
    zsad.errors.ConfigError: x.yaml: line 2: aliases (*x) are not read; write the value out
    """
    from zsad.documents.yaml_nodes import plain_yaml  # an ONNX detector runs without PyYAML

    try:
        value = plain_yaml(_decoded(data, limits), limits)
        check(value, limits)
    except RefusedError as error:
        raise refuse(f"{where}: {error}") from None
    return value


def read_bytes(path: str | Path, refuse: Refusal = ConfigError, limits: Limits = SMALL) -> bytes:
    """Read a file that is not longer than the limits say; of a longer one, no more than that is read.

    Raises:
        ZsadError: ``refuse``, where it can't be read or is too long.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(limits.size + 1)
    except FileNotFoundError:
        raise refuse(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # a NUL in a name is a ValueError
        why = terminal(getattr(error, "strerror", None) or error, _WHY)
        raise refuse(f"{terminal(path)}: can't be read ({why}); give the path of a file") from None
    if len(data) > limits.size:
        raise refuse(f"{path}: {too_long(limits)}")
    return data


def _decoded(data: str | bytes, limits: Limits) -> str:
    if len(data) > limits.size:
        raise RefusedError(too_long(limits))
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return bytes(data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError(f"not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _no_json(error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):  # Python's own bound on the digits of an integer
        return f"a number of more than {DIGITS} digits; give a smaller one"
    return f"not valid JSON (line {error.lineno}: {terminal(error.msg, _WHY)}); mend or replace it"
