"""Options that choose a method, as commands of videos share them, and what tells one choice from another."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsad.cli.video.methods import Choices


def chosen(
    *, refine: Path | None, normal: Sequence[Path] | None, more: Sequence[str] | None = None, **rest: Any
) -> Choices:
    """Return what a command line says of its method.

    Args:
        refine: file of refiners.
        normal: clips without anomalies.
        more: ``NAME=VALUE`` each.
        rest: fields of :class:`Choices`.

    Raises:
        UsageError: a stride beside a rate of frames, or an entry of ``more`` that is none.
        ConfigError: a file that is no list of refiners.
    """
    from zsad.errors import UsageError
    from zsad.outside import printable
    from zsad.video.refine import read_refiners

    if rest.get("stride") is not None and rest.get("fps") is not None:
        raise UsageError("give --stride or --fps, not both")
    if rest.get("fps") is not None and not 0 < rest["fps"] < 1e4:
        raise UsageError(f"--fps must be above 0, got {rest['fps']:g}")
    pairs = [entry.partition("=") for entry in more or ()]
    for (name, sign, _), entry in zip(pairs, more or (), strict=True):
        if not sign or not name:
            raise UsageError(f"--set {printable(entry):.60}: give NAME=VALUE")
    refiners = None if refine is None else read_refiners(refine)
    return Choices(refiners=refiners, normal=tuple(normal or ()), more={n: v for n, _, v in pairs}, **rest)


def settings_of(choices: Choices) -> dict[str, Any]:
    """Return what tells these choices from others, as plain values; files with their stamps."""
    from dataclasses import fields

    found = {field.name: getattr(choices, field.name) for field in fields(choices)}
    found["refiners"] = None if choices.refiners is None else [str(one) for one in choices.refiners]
    found["normal"] = [stamped(str(path)) for path in choices.normal]
    found["model"] = None if choices.model is None else stamped(choices.model)
    found["prompt"] = None if choices.prompt is None else stamped(choices.prompt)
    found["more"] = {name: stamped(text) for name, text in choices.more.items()}
    return found


def stamped(text: str) -> list[str]:
    """Return a value that may be a path, and the stamps of what is there: of a folder those of its files too."""
    from zsad.stream.item import stamp_of

    inside = sorted(Path(text).iterdir()) if os.path.isdir(text) else []  # noqa: PTH112 - a long text is no path
    return [text, stamp_of(text), *(f"{file.name} {stamp_of(file)}" for file in inside)]


def digest_of(name: str, choices: Choices) -> str:
    """Return what stands for a method with its choices, in hexadecimal."""
    settings = json.dumps([stamped(name), settings_of(choices)], sort_keys=True, default=str)
    return hashlib.sha256(settings.encode("utf-8", "surrogatepass")).hexdigest()
