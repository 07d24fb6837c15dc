"""Which frames are recorded already, and whether their file is still the one that they were recorded of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from zsad.line.health import Alarms
from zsad.line.part import Record
from zsad.outside import printable

_MARGIN_S = 2.0
"""Some file systems keep times to two seconds."""


class Earlier:
    """Looks frames up before they are read.

    Args:
        recorded: the row of a part, or None.
    """

    def __init__(self, recorded: Callable[[str], Record | None]) -> None:
        self._recorded, self._changed = recorded, 0

    def has(self, part_id: str, path: Path) -> bool:
        """Return whether a frame is recorded; takes note if its file was changed, or replaced, since."""
        record = self._recorded(part_id)
        if record is None:
            return False
        try:
            stat = path.stat()
        except OSError:  # gone: nothing new
            return True
        changed = max(stat.st_mtime, stat.st_ctime)  # a copy may bring its old time of change with it
        self._changed += changed > datetime.fromisoformat(record.time).timestamp() + _MARGIN_S
        return True

    def tell(self, place: str, alarms: Alarms) -> None:
        """Raise the alarm ``id-reused`` if frames were left out whose file is another by now."""
        if self._changed:
            alarms.rise(
                "id-reused", f"{printable(place)}: changed after its frames were recorded; {self._changed:,} are known "
                "by their names and are not looked at again; give new images a new name",
            )  # fmt: skip
