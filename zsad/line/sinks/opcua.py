"""An OPC UA server that shows the last part, counters, alarms and a heartbeat, for reading.

Below ``Objects``, in the namespace ``urn:zsad:station``: ``Station/LastPart/{Id, Score, Verdict, Time}``,
``Station/Counters/{Total, Ok, Reject, Unjudged}``, ``Station/Alarms`` (one text for each that stands) and
``Station/Heartbeat``, which counts seconds while the station works. Each node's id is its path as text.
"""

from __future__ import annotations

import math
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from zsad.errors import OutputError, first_line
from zsad.line.health import Health
from zsad.line.part import Record, Seen
from zsad.line.sinks.loop import Loop
from zsad.line.sinks.settings import Opcua
from zsad.line.sinks.sink import Display
from zsad.outside import printable

NAMESPACE = "urn:zsad:station"
ROOT = "Station"
_COUNTERS = {"Ok": "ok", "Reject": "reject", "Unjudged": "unjudged"}


class OpcuaServer(Display):
    """Serves at ``opc.tcp://HOST:PORT/zsad``.

    Args:
        settings: of the configuration.
        station: name of the station, as clients see the server.
    """

    name = "opcua"

    def __init__(self, settings: Opcua, station: str) -> None:
        self._said, self._station = settings, station
        self._loop: Loop | None = None
        self._server: Any = None
        self._nodes: dict[str, Any] = {}
        self._beats = 0
        self._last: Future[Any] | None = None
        self._shown: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"opc.tcp://{self._said.host}:{self._said.port}/zsad"

    def open(self, health: Health) -> None:
        """Listen.

        Raises:
            OutputError: the port is taken.
        """
        self._loop = Loop("zsad-opcua")
        try:
            self._loop.wait(self._serve())
        except (OSError, ValueError, TimeoutError) as error:
            self._loop.close()
            self._loop = None
            raise OutputError(
                f"{self.address}: can't listen ({printable(first_line(error))}); give another port"
            ) from None
        self.tick(health)

    def show(self, record: Record, reject: bool, seen: Seen | None) -> None:
        """Show a part; of several that come at once, the last is what stays."""
        self._shown |= {
            "LastPart/Id": record.id,
            "LastPart/Score": math.nan if record.score is None else record.score,
            "LastPart/Verdict": record.verdict,
            "LastPart/Time": datetime.fromisoformat(record.time).astimezone(UTC),
        }
        self._push()

    def tick(self, health: Health) -> None:
        """Show counters and alarms; the heartbeat goes on while the station's loop does."""
        self._beats = (self._beats + health.alive) % (1 << 32)
        self._shown |= {f"Counters/{name}": health.counts[verdict] for name, verdict in _COUNTERS.items()}
        self._shown |= {"Counters/Total": health.total, "Heartbeat": self._beats}
        self._shown["Alarms"] = [f"{alarm.kind}: {alarm.text}" for alarm in health.alarms.standing]
        self._push()

    def close(self) -> None:
        """End."""
        if self._loop is None:
            return
        try:
            self._push(last=True)
            self._loop.wait(self._server.stop(), 5.0)
        except (OSError, TimeoutError, RuntimeError):
            pass
        self._loop.close()
        self._loop = None

    def _push(self, *, last: bool = False) -> None:
        """Hand what is to be shown to the loop, unless it is still at the values before: then those that follow do."""
        if self._loop is None or (self._last is not None and not self._last.done() and not last):
            return
        self._last = self._loop.start(self._write())
        if last:
            self._last.result(5.0)

    async def _write(self) -> None:
        while self._shown:
            values, self._shown = self._shown, {}
            for name, value in values.items():
                node, kind = self._nodes[name]
                await node.write_value(value, kind)

    async def _serve(self) -> None:
        from asyncua import Server, ua

        server = Server()
        await server.init()
        server.set_endpoint(self.address)
        server.set_server_name(f"zsad {self._station}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.allow_remote_admin(False)  # else a user called admin may write, whatever the password
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        index = await server.register_namespace(NAMESPACE)

        def named(path: str) -> tuple[Any, Any]:
            return ua.NodeId(f"{ROOT}{path}", index), ua.QualifiedName(f"{ROOT}{path}".rsplit("/", 1)[-1], index)

        root = await server.nodes.objects.add_object(*named(""))
        last = await root.add_object(*named("/LastPart"))
        counters = await root.add_object(*named("/Counters"))
        kinds = ua.VariantType
        start = datetime(1970, 1, 1, tzinfo=UTC)
        values = [
            (last, "LastPart/Id", "", kinds.String),
            (last, "LastPart/Score", math.nan, kinds.Double),
            (last, "LastPart/Verdict", "", kinds.String),
            (last, "LastPart/Time", start, kinds.DateTime),
            *((counters, f"Counters/{name}", 0, kinds.UInt64) for name in ("Total", *_COUNTERS)),
            (root, "Alarms", [], kinds.String),
            (root, "Heartbeat", 0, kinds.UInt32),
        ]
        for parent, name, value, kind in values:
            variant = ua.Variant(value, kind, is_array=True) if isinstance(value, list) else ua.Variant(value, kind)
            node = await parent.add_variable(*named(f"/{name}"), variant)
            self._nodes[name] = (node, kind)
        await server.start()
        self._server = server
