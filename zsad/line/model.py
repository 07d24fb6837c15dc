"""The model of a station: loaded once, named by a hash in every row, and watched for being exchanged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from zsad.detector.base import Detector
from zsad.detector.bundle import CARD, MEMORY, is_bundle
from zsad.detector.loading import load
from zsad.errors import UsageError
from zsad.files import is_file
from zsad.line.settings import Line
from zsad.outside import printable
from zsad.stream.item import stamp_of
from zsad.thresholds import ThresholdsFile, check_model, read_file
from zsad.types import Thresholds


@dataclass(frozen=True)
class Loaded:
    """A model that is in memory.

    Attributes:
        detector: any detector.
        hash: 16 hex digits of its weights and its card, which names a bundle's memory by its hash.
        file: of thresholds, if one is given.
        stamps: of its files when it was loaded.
    """

    detector: Detector
    hash: str
    file: ThresholdsFile | None = None
    stamps: tuple[tuple[Path, str], ...] = ()

    @property
    def thresholds(self) -> Thresholds:
        """Those of the file over those of the card."""
        own = self.detector.thresholds
        return own if self.file is None else self.file.thresholds.over(own)

    def changed(self) -> bool:
        """Whether a file of the model is another one now; one that is gone for the moment is not."""
        return any((now := stamp_of(path)) and now != stamp for path, stamp in self.stamps)


def load_model(line: Line, detector: Detector | None = None) -> Loaded:
    """Load what a configuration asks for.

    Args:
        line: the configuration.
        detector: in place of the one that it names.

    Raises:
        ZsadError: no such model, thresholds that can't be read, or thresholds of another model.
    """
    stamps = tuple((path, stamp_of(path)) for path in _files(line.model))
    found = detector if detector is not None else load(line.model, device=line.device)
    file = None
    if line.thresholds is not None:
        file = read_file(line.thresholds)
        check_model(file, found.card, line.thresholds)
        _check_look(file, found, line.thresholds)
    return Loaded(found, _hash(found), file, stamps)


def _check_look(file: ThresholdsFile, detector: Detector, place: Path) -> None:
    if file.look not in (None, detector.look):
        raise UsageError(
            f"{printable(place)}: these thresholds were measured {file.look.told()}, and a station looks "
            f"{detector.look.told()}; measure them anew without --tile and --bits"
        )


def _files(model: str | None) -> list[Path]:
    if model is not None and is_bundle(model):
        return [Path(model) / CARD, Path(model) / MEMORY]
    return [Path(model)] if model is not None and is_file(model) else []


def _hash(detector: Detector) -> str:
    return hashlib.sha256(f"{detector.fingerprint}\n{detector.card.to_json()}".encode()).hexdigest()[:16]
