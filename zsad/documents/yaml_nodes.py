"""YAML without what makes it dangerous: nodes that are counted while they are made, and plain values from them."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from zsad.documents.bounds import DIGITS, Limits, RefusedError, once, too_deep
from zsad.outside import terminal


def plain_yaml(text: str, limits: Limits) -> Any:
    """Return what YAML says, as dict, list and scalars.

    Raises:
        RefusedError: no YAML, beyond the limits, or with aliases, tags or keys that are no text.
    """
    try:
        node = _Loader(text, limits).get_single_node()
    except yaml.YAMLError as error:
        raise RefusedError(_no_yaml(error)) from None
    return None if node is None else _plain(node)


def _no_yaml(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or error
    line = f"line {mark.line + 1}: " if mark is not None else ""
    return f"not valid YAML ({line}{terminal(' '.join(str(problem)[:500].split()), 100)}); mend or replace it"


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    """YAML to nodes, counted while they are made; what can't stand in JSON is refused."""

    def __init__(self, text: str, limits: Limits) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._limits, self._depth, self._count = limits, 0, 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise RefusedError(f"{line}: aliases (*{terminal(event.anchor, 40)}) are not read; write the value out")
        if getattr(event, "tag", None) is not None:
            raise RefusedError(f"{line}: tags ({terminal(event.tag, 40)}) are not read; leave it out")
        self._count, self._depth = self._count + 1, self._depth + 1
        if self._count > self._limits.entries:
            raise RefusedError(f"more than {self._limits.entries:,} entries; give a shorter one")
        if self._depth > self._limits.depth + 1:
            raise RefusedError(too_deep(self._limits))
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _plain(node: Any) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return once([(_key(key), _plain(value)) for key, value in node.value])
    return node.value if node.style else _scalar(node.value)


def _key(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise RefusedError(f"line {node.start_mark.line + 1}: a mapping or a list as a key; give text")
    return str(node.value)


_HUGE = 1000
_EMPTY = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"yes|Yes|YES|true|True|TRUE|on|On|ON")
_FALSE = re.compile(r"no|No|NO|false|False|FALSE|off|Off|OFF")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def _scalar(text: str) -> Any:
    """Return what a plain scalar stands for."""
    if _EMPTY.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if _ENDLESS.fullmatch(text):
        return float(text.replace(".", ""))  # refused by its key, as in JSON
    if _WHOLE.fullmatch(text):
        if len(text) > _HUGE:
            raise RefusedError(f"a number of {len(text)} digits; {DIGITS} are the most")
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
