"""What ``line.yaml`` says of the sinks: whom a station tells, beside its database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from zsad.config import knob
from zsad.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_-]{0,40}")


@dataclass(frozen=True)
class Named:
    """What may be said of every sink.

    Attributes:
        name: of the sink, in the outbox and in alarms; by default its kind, with a number for a second of that kind.
    """

    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("name must have at most 40 letters, digits, - and _")


@dataclass(frozen=True)
class Csv(Named):
    """A CSV file that grows by a line for each part."""

    path: Path


@dataclass(frozen=True)
class Jsonl(Named):
    """A file that grows by a JSON line for each part."""

    path: Path


@dataclass(frozen=True)
class Archive(Named):
    """A folder that images are kept in.

    Attributes:
        path: the folder; a sub-folder for each day.
        keep: which parts: ``all``, or ``reject`` for those that went out as such.
        days: what is older is removed, by the clock that the station started with: one that is set forward removes
            nothing.
        gb: of more, the oldest is removed.
        overlays: whether a picture of what was found is kept beside each image.
    """

    path: Path
    keep: Literal["all", "reject"] = "all"
    days: float = knob(30.0, "kept for so long", low=0, high=36500, unit="days")
    gb: float = knob(10.0, "kept at most", low=0, high=1e6, unit="GB")
    overlays: bool = False


@dataclass(frozen=True)
class Mqtt(Named):
    """An MQTT broker; topics ``zsad/STATION/parts``, ``alarms`` and ``status``.

    Attributes:
        host: of the broker.
        port: of the broker.
        station: the name in the topics; that of the configuration by default.
        user: name to log in with; its password is ``ZSAD_MQTT_PASSWORD`` of the environment.
        tls: whether the connection is encrypted.
    """

    host: str = "127.0.0.1"
    port: int = knob(1883, "port", low=1, high=65535)
    station: str = ""
    user: str = ""
    tls: bool = False


@dataclass(frozen=True)
class Opcua(Named):
    """An OPC UA server that shows the last part, counters, alarms and a heartbeat; for reading."""

    host: str = "127.0.0.1"
    port: int = knob(4840, "port", low=0, high=65535)


@dataclass(frozen=True)
class Modbus(Named):
    """A Modbus TCP server that shows the last part; the map is in ``export/README.md``.

    Attributes:
        host: address to listen at.
        port: port to listen at; 0 for any.
        handshake: whether the next part is shown only when the PLC has written the number of the last one.
        hold_ms: without a handshake, how long each part is shown at least: longer than the PLC's pause between two
            reads, and shorter than the line's between two parts.
    """

    host: str = "127.0.0.1"
    port: int = knob(502, "port", low=0, high=65535)
    handshake: bool = False
    hold_ms: float = knob(100.0, "shown at least", low=0, high=60_000, unit="ms")


@dataclass(frozen=True)
class Webhook(Named):
    """An address that gets each part as a POST, signed with ``ZSAD_WEBHOOK_SECRET`` of the environment."""

    url: str
    timeout_s: float = knob(5.0, "an answer is waited for", low=0.1, high=300, unit="s")

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must begin with http:// or https:// and name a host")
        no_password(self.url)


Sink: TypeAlias = Csv | Jsonl | Archive | Mqtt | Opcua | Modbus | Webhook
SINKS: dict[str, type[Sink]] = {
    "csv": Csv, "jsonl": Jsonl, "archive": Archive, "mqtt": Mqtt, "opcua": Opcua, "modbus": Modbus, "webhook": Webhook
}  # fmt: skip


def no_password(address: str, where: str = "") -> None:
    """Refuse an address with a password in it.

    Args:
        address: of a camera, or to post to.
        where: names its key in the error.

    Raises:
        ConfigError: it has one, or is no address.
    """
    try:
        secret = urlsplit(address).password
    except ValueError:
        raise ConfigError(f"{where or 'url'}: not an address that can be read") from None
    if secret is not None:
        raise ConfigError(
            f"{where or 'url'}: has a password in it; leave it out, secrets come from the environment "
            "(ZSAD_CAMERA_USER and ZSAD_CAMERA_PASSWORD, ZSAD_WEBHOOK_SECRET)"
        )
