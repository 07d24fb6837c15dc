"""``line.yaml``: what a station looks at, how it judges, and whom it tells; an unknown key is an error.

Secrets are no part of it. They come from the environment: ``ZSAD_MQTT_PASSWORD``, ``ZSAD_WEBHOOK_SECRET``,
``ZSAD_CAMERA_USER`` and ``ZSAD_CAMERA_PASSWORD``, ``ZSAD_TOKEN`` for the page.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from zsad.config import from_mapping, knob
from zsad.documents import Entries, read_yaml
from zsad.errors import ConfigError, UsageError
from zsad.files import is_there
from zsad.line.sinks.settings import SINKS, Sink, no_password
from zsad.outside import printable
from zsad.roi import Roi

KEYS = ("source", "model", "device", "thresholds", "decision", "sinks", "database", "keep_days")
"""What ``line.yaml`` may have."""
DATABASE = "station.sqlite"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Folder:
    """A folder that files of images are put into; each is a part once it is whole.

    Attributes:
        path: the folder.
        recursive: whether sub-folders count.
        settle_ms: a file is whole when it has not changed for so long.
        poll_ms: pause between two looks.
        after: what becomes of a file whose verdict is recorded: ``keep`` or ``delete``; one that was late, or that
            nobody could look at, stays in any case.
    """

    path: Path
    recursive: bool = False
    settle_ms: float = knob(200.0, "unchanged for so long", low=0, high=3_600_000, unit="ms")
    poll_ms: float = knob(50.0, "pause between two looks", low=1, high=3_600_000, unit="ms")
    after: Literal["keep", "delete"] = "keep"


@dataclass(frozen=True)
class Frames:
    """Numbered images of one folder, in natural order, once."""

    path: Path


@dataclass(frozen=True)
class Video:
    """A video file, once.

    Attributes:
        path: the file.
        every: each so many frames one is a part.
    """

    path: Path
    every: int = knob(1, "one part in so many frames", low=1, high=1_000_000)


@dataclass(frozen=True)
class Camera:
    """A camera or a stream: its frames are parts, at most once, and what was missed is a row.

    Attributes:
        address: number of a camera (``0``), or an address such as ``rtsp://10.0.0.5/stream``.
        every: each so many frames one is a part.
    """

    address: str
    every: int = knob(1, "one part in so many frames", low=1, high=1_000_000)


@dataclass(frozen=True)
class Trigger:
    """A TCP port on which a PLC says, one JSON object a line with ``part`` and ``path``, what to look at.

    Attributes:
        root: the folder that paths lie below; the folder of ``line.yaml`` by default.
        host: address to listen at.
        port: port to listen at; 0 for any.
        repeat_s: an id that comes again is answered with its row for so long; later it is taken for another part
            under a used id, and is ``unjudged``.
    """

    root: Path = Path()
    host: str = "127.0.0.1"
    port: int = knob(7710, "port", low=0, high=65535)
    repeat_s: float = knob(300.0, "an id may be asked again for so long", low=0, high=1e9, unit="s")


@dataclass(frozen=True)
class Decision:
    """How a part is judged, beside the thresholds.

    Attributes:
        roi: polygons that count, corners ``[x, y]`` in fractions of width and height; over those of the thresholds.
        min_area: smallest region that counts, as a fraction of the image; over that of the thresholds.
        hysteresis: after a part that fired, the next one fires at thresholds lower by this.
        k: a part is rejected if at least so many ...
        n: ... of the last so many parts fired, itself included.
        budget_ms: a part that takes longer is late, and ``unjudged``; 0 for no budget.
        unjudged: how a part without a verdict goes out: ``reject`` or ``ok``.
        model_changed: what happens when the model's file is exchanged under the station: ``go_on`` with the one that
            is loaded, or ``stop``.
    """

    roi: tuple[tuple[tuple[float, float], ...], ...] = ()
    min_area: float | None = knob(None, "smallest region", low=0, high=1)
    hysteresis: float = knob(0.0, "lower by this after a part that fired", low=0, high=1)
    k: int = knob(1, "rejected at so many that fired", low=1, high=1000)
    n: int = knob(1, "of so many", low=1, high=1000)
    budget_ms: float = knob(0.0, "latency budget", low=0, high=86_400_000, unit="ms")
    unjudged: Literal["reject", "ok"] = "reject"
    model_changed: Literal["go_on", "stop"] = "go_on"

    def __post_init__(self) -> None:
        if self.k > self.n:
            raise ValueError(f"k is {self.k} of n {self.n}: give a k of at most n")


Source: TypeAlias = Folder | Frames | Video | Camera | Trigger
SOURCES: dict[str, type[Source]] = {
    "folder": Folder, "frames": Frames, "video": Video, "camera": Camera, "trigger": Trigger
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What a station's file says, with paths as they are opened.

    Attributes:
        source: where parts come from.
        model: what :func:`zsad.load` takes; None for the bundled model.
        device: ``cpu``, ``cuda``, ``tensorrt``, or an execution provider by its name; never another one instead.
        thresholds: a file of thresholds; None for those of the model's card, if it has any.
        decision: how parts are judged.
        sinks: who is told.
        database: the SQLite file.
        keep_days: older rows are removed; 0 keeps all.
        name: of the station: that of its file.
        place: the file, for messages.
    """

    source: Source
    model: str | None = None
    device: str = "cpu"
    thresholds: Path | None = None
    decision: Decision = field(default_factory=Decision)
    sinks: tuple[Sink, ...] = ()
    database: Path = Path(DATABASE)
    keep_days: float = 0.0
    name: str = "line"
    place: str = "line.yaml"


def read_line(path: str | Path) -> Line:
    """Read a station's file; paths in it are relative to its folder.

    Raises:
        ConfigError: it can't be read, has an unknown key, a wrong type, or a value out of range.
    """
    path = Path(path)
    data = read_yaml(path)
    return line_of({} if data is None else data, path)


def line_of(data: Any, path: str | Path) -> Line:
    """Take what a station's file says; as :func:`read_line`."""
    place, base = printable(path), Path(path).resolve().parent
    said = Entries.of(data, place).only(*KEYS)
    sinks = said.data.get("sinks") or []
    if not isinstance(sinks, list):
        raise ConfigError(
            f"{place}: sinks must be a list of mappings with a kind, such as [{{kind: csv, path: a.csv}}]"
        )
    if said.data.get("source") is None:
        raise ConfigError(f"{place}: source is missing; add it, such as source: {{kind: folder, path: parts}}")
    source = _kind(SOURCES, said.data["source"], f"{place}: source")
    decision = from_mapping(Decision, said.data.get("decision"), f"{place}: decision")
    _checked_roi(decision, place)
    given = tuple(_kind(SINKS, one, f"{place}: sinks[{n}]") for n, one in enumerate(sinks))
    return Line(
        source=_below(source, base),
        model=_model(said, base),
        device="cpu" if said.data.get("device") is None else said.text("device", 100),
        thresholds=_path(said, "thresholds", base),
        decision=decision,
        sinks=tuple(_below(sink, base) for sink in given),
        database=_path(said, "database", base) or base / DATABASE,
        keep_days=_keep_days(said, source),
        name=Path(path).stem or "line",
        place=place,
    )


def _kind(kinds: dict[str, type[Any]], data: Any, where: str) -> Any:
    """Return the setting that ``kind`` names, made of the other keys."""
    rest = dict(Entries.of(data, where).data)
    kind = rest.pop("kind", None)
    if not isinstance(kind, str) or kind not in kinds:
        raise ConfigError(f"{where}: kind must be one of {', '.join(kinds)}")
    made = from_mapping(kinds[kind], rest, where)
    if isinstance(made, Camera):
        no_password(made.address, where)
    return made


def _below(setting: Any, base: Path) -> Any:
    """Make the paths of a setting absolute."""
    found = {name: base / value for name in ("path", "root") if isinstance(value := getattr(setting, name, None), Path)}
    return replace(setting, **found) if found else setting


def _path(said: Entries, key: str, base: Path) -> Path | None:
    if said.data.get(key) is None:
        return None
    return base / said.text(key, 4096)


def _keep_days(said: Entries, source: Source) -> float:
    days = said.number("keep_days", 0, 36_500, 0.0)
    stays = source.after == "keep" if isinstance(source, Folder) else isinstance(source, Frames | Video)
    if days and stays:
        raise ConfigError(
            f"{said.where}: keep_days would forget parts whose files are still there, so that a restart judges them "
            "again; let the folder have after: delete, or leave keep_days out"
        )
    return days


def _model(said: Entries, base: Path) -> str | None:
    if said.data.get("model") is None:
        return None
    name = said.text("model", 4096)
    return str(base / name) if is_there(base / name) else name


def _checked_roi(decision: Decision, place: str) -> None:
    try:
        roi_of_decision(decision)
    except UsageError as error:
        raise ConfigError(f"{place}: decision: roi: {error}") from None


def roi_of_decision(decision: Decision) -> Roi | None:
    """Return the regions of interest of a decision, if it names any."""
    return Roi(decision.roi) if decision.roi else None
