"""A detector is a value that threads share: once it is made, a misspelt or late setting is refused with its remedy."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any, Self

_CALL = {
    **dict.fromkeys(("threshold", "thresholds", "image_threshold"), "with_thresholds(zsad.Thresholds(image=...))"),
    "pixel_threshold": "with_thresholds(zsad.Thresholds(pixel=...))",
    "min_area": "with_thresholds(zsad.Thresholds(min_area=...))",
    "rule": "with_thresholds(zsad.Thresholds(rule=...))",
    **{name: f"with_options({name}=...)" for name in ("tile", "bits", "orient")},
    "scorer": "with_scorer(scorer)",
    "card": "with_scorer(scorer)",
}
"""What to call in place of setting an attribute."""
_ANY = "with_options(...) or detector.with_thresholds(zsad.Thresholds(...))"


class _Made(ABCMeta):
    """Marks an object as made once its ``__init__``, and that of its subclass, is through."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        made._made = True
        return made


class Unchanging(metaclass=_Made):
    """Refuses public attributes that it did not have when it was made, and those that have a method of their own."""

    def __copy__(self) -> Self:
        # Without this, copying would go through what pickling needs, which opens the model again.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __setattr__(self, name: str, value: object) -> None:
        refused = not name.startswith("_") and self.__dict__.get("_made") and (name in _CALL or not hasattr(self, name))
        if refused:
            raise AttributeError(
                f"{type(self).__name__}.{name} can't be set, since a detector does not change: "
                f"use other = detector.{_CALL.get(name, _ANY)}"
            )
        super().__setattr__(name, value)
