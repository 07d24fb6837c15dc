"""Words: what a person asks a model to look for, whole and checked in one place."""

from __future__ import annotations

from dataclasses import dataclass

from zsad.errors import UsageError

DEFAULT = "industrial"
"""The prompt that is meant where none is named."""


@dataclass(frozen=True)
class Words:
    """A prompt by name or file, with an object, or a pair of free texts; everything may be left out.

    Attributes:
        prompt: name or file of a bank or of a trained prompt.
        noun: what the object is, for a bank.
        normal: free text for normal, together with ``anomalous``.
        anomalous: free text for anomalous.

    Raises:
        UsageError: one text without the other, an empty one, or texts together with a prompt or object.
    """

    prompt: str | None = None
    noun: str | None = None
    normal: str | None = None
    anomalous: str | None = None

    def __post_init__(self) -> None:
        if (self.normal is None) != (self.anomalous is None):
            raise UsageError("normal and anomalous texts belong together: give both")
        if self.normal is not None and (self.prompt is not None or self.noun is not None):
            raise UsageError("normal and anomalous texts replace a prompt: leave out prompt and object")
        given = {"prompt": self.prompt, "object": self.noun, "normal text": self.normal}
        for name, value in (given | {"anomalous text": self.anomalous}).items():
            if value is not None and not value.strip():
                raise UsageError(f"the {name} is empty: give words, or leave it out")

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != Words()

    @property
    def texts(self) -> tuple[str, str] | None:
        """The free texts, normal then anomalous, or None."""
        return None if self.normal is None or self.anomalous is None else (self.normal, self.anomalous)

    def label(self, prompt: str | None = None) -> str:
        """Return how a card names these words; ``prompt`` is the bank's own name if it is known.

        >>> Words(noun="metal nut").label(), Words(normal="a clean part", anomalous="a scratch").label()
        ('industrial: metal nut', 'a clean part | a scratch')
        """
        if self.texts:
            return " | ".join(self.texts)
        name = prompt or self.prompt or DEFAULT
        return f"{name}: {self.noun}" if self.noun else name
