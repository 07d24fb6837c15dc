"""A Modbus TCP server that shows the last part; registers as in :data:`MAP`, the same as holding and input registers.

Each part is shown in order out of the outbox. With a handshake the next one is shown when the PLC has written the
number of the last one to ``Ack``; a part whose acknowledgement was lost is shown again, with the same id.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from zsad.documents import parse_json
from zsad.errors import OutputError, first_line
from zsad.line.database import Message
from zsad.line.health import Health
from zsad.line.part import ROW
from zsad.line.sinks.loop import Loop
from zsad.line.sinks.settings import Modbus
from zsad.line.sinks.sink import Post
from zsad.outside import printable

HEARTBEAT, STATUS, SEQUENCE, VERDICT, REJECT, SCORE = 0, 1, 2, 4, 5, 6
TOTAL, OK, REJECTED, UNJUDGED, ALARMS, LENGTH, ID = 8, 10, 12, 14, 16, 17, 18
ACK, SIZE = 100, 128
ID_BYTES = 128
MAP = (
    (HEARTBEAT, "Heartbeat", "uint16, counts seconds while the station works"),
    (STATUS, "Status", "uint16: 0 off or stalled, 1 running, 2 running with an alarm"),
    (SEQUENCE, "Sequence", "uint32, number of the part shown; 0 before the first"),
    (VERDICT, "Verdict", "uint16: 0 none, 1 ok, 2 reject, 3 unjudged"),
    (REJECT, "Reject", "uint16: 1 if the part goes out as reject, or the station can't judge"),
    (SCORE, "Score", "float32, NaN without one"),
    (TOTAL, "Total", "uint32, parts in all"),
    (OK, "Ok", "uint32"),
    (REJECTED, "Rejected", "uint32"),
    (UNJUDGED, "Unjudged", "uint32"),
    (ALARMS, "Alarms", "uint16, how many stand"),
    (LENGTH, "IdLength", "uint16, bytes of the id that follow, at most 128: the last ones of a longer id"),
    (ID, "Id", "64 registers of two bytes, UTF-8"),
    (ACK, "Ack", "uint32, the only one that is written: the sequence that the PLC has read"),
)
"""Address (from 0), name, and what it is; of two registers the high word comes first."""
_VERDICTS = {"ok": 1, "reject": 2, "unjudged": 3}
_LOOK_S = 0.5
"""Seconds for which one part is waited for at most, before counters and heartbeat go on."""


class ModbusServer(Post):
    """Serves the registers.

    Args:
        settings: of the configuration.
    """

    name, alarms, at_once = "modbus", False, 1

    def __init__(self, settings: Modbus) -> None:
        self._said = settings
        self._registers = [0] * SIZE
        self._lock, self._acked = threading.Lock(), threading.Event()
        self._beats = 0
        self._sequence, self._since = 0, 0.0
        self._broken = False
        self._loop: Loop | None = None
        self._server: Any = None
        self._write(REJECT, 1)
        self._write(SCORE, *_words(">f", float("nan")))

    def open(self) -> None:
        """Listen, once.

        Raises:
            OutputError: the port is taken, or not allowed.
        """
        if self._loop is not None:
            return
        loop = Loop("zsad-modbus")
        try:
            loop.wait(self._serve())
        except (OSError, RuntimeError, TimeoutError) as error:
            loop.close()
            raise OutputError(
                f"modbus {printable(self._said.host)}:{self._said.port}: can't listen "
                f"({printable(first_line(error))}); give another port"
            ) from None
        self._loop = loop

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self._server.transport.sockets[0].getsockname()[1])

    def deliver(self, messages: Sequence[Message]) -> int:
        """Show the first part; it has arrived when it is acknowledged, without a handshake when it was shown enough."""
        first = messages[0]
        self._show(first)
        if first.seq != self._sequence:
            self._sequence, self._since = first.seq, time.monotonic()
        if self._said.handshake:
            return int(self._acknowledged(first.seq & 0xFFFFFFFF))
        left = self._since + self._said.hold_ms / 1e3 - time.monotonic()
        time.sleep(min(max(0.0, left), _LOOK_S))
        return int(left <= _LOOK_S)

    def tick(self, health: Health) -> None:
        """Show counters and alarms; while the database takes nothing, everything is a reject."""
        standing = {alarm.kind for alarm in health.alarms.standing}
        self._beats = (self._beats + health.alive) & 0xFFFF
        self._write(HEARTBEAT, self._beats)
        self._write(STATUS, 0 if not health.alive else 2 if standing else 1)
        for place, count in ((TOTAL, health.total), (OK, health.counts["ok"]), (REJECTED, health.counts["reject"]),
                             (UNJUDGED, health.counts["unjudged"])):  # fmt: skip
            self._write(place, *_words(">I", count & 0xFFFFFFFF))
        self._write(ALARMS, len(standing))
        self._broken = not health.alive or bool(standing & {"database", "database-locked", "disk-full"})
        if self._broken:
            self._write(REJECT, 1)

    def close(self) -> None:
        """End."""
        if self._loop is None:
            return
        with suppress(OSError, TimeoutError, RuntimeError):
            self._loop.wait(self._server.shutdown(), 5.0)
        self._loop.close()
        self._loop = None

    def _show(self, message: Message) -> None:
        said = parse_json(message.payload, "outbox", OutputError, ROW)
        score = float("nan") if said["score"] is None else said["score"]
        text = said["id"].encode()[-ID_BYTES:]
        block = [
            *_words(">I", message.seq & 0xFFFFFFFF),
            _VERDICTS[said["verdict"]],
            int(said["reject"] or self._broken),
            *_words(">f", score),
        ]
        with self._lock:  # a read sees all of a part, or all of another
            self._registers[SEQUENCE : SEQUENCE + len(block)] = block
            self._registers[LENGTH] = len(text)
            self._registers[ID : ID + ID_BYTES // 2] = struct.unpack(f">{ID_BYTES // 2}H", text.ljust(ID_BYTES, b"\0"))

    def _acknowledged(self, sequence: int) -> bool:
        end = time.monotonic() + _LOOK_S
        while time.monotonic() < end:
            with self._lock:
                if tuple(self._registers[ACK : ACK + 2]) == _words(">I", sequence):
                    return True
                self._acked.clear()
            self._acked.wait(0.1)
        return False

    def _write(self, place: int, *values: int) -> None:
        with self._lock:
            self._registers[place : place + len(values)] = values

    async def _serve(self) -> None:
        from pymodbus.constants import ExcCodes
        from pymodbus.server import ModbusTcpServer
        from pymodbus.simulator import DataType, SimData, SimDevice

        async def access(
            code: int, start: int, address: int, count: int, current: list[int], values: list[int] | list[bool] | None
        ) -> ExcCodes | None:
            if values is not None:
                if address < ACK or address + count > ACK + 2:
                    return ExcCodes.ILLEGAL_ADDRESS
                self._write(address, *(int(value) for value in values))
                self._acked.set()
            with self._lock:
                current[:] = self._registers[start : start + len(current)]
            return None

        device = SimDevice(0, [SimData(0, count=SIZE, values=0, datatype=DataType.REGISTERS)], action=access)
        server = ModbusTcpServer(device, address=(self._said.host, self._said.port))
        await server.serve_forever(background=True)
        self._server = server


def _words(form: str, value: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(form, value))
    return high, low
