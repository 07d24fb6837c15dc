"""Print what a station shows over OPC UA: python read_opcua.py opc.tcp://127.0.0.1:4840/zsad [--json]."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

NAMES = (
    *("LastPart/Id", "LastPart/Verdict", "LastPart/Score", "LastPart/Time", "Alarms", "Heartbeat"),
    *("Counters/Total", "Counters/Ok", "Counters/Reject", "Counters/Unjudged"),
)


async def read(address: str) -> dict[str, Any]:
    """Return the value of each node, by its path below Station."""
    from asyncua import Client

    async with Client(address) as client:
        index = await client.get_namespace_index("urn:zsad:station")
        return {name: await client.get_node(f"ns={index};s=Station/{name}").read_value() for name in NAMES}


def main(arguments: Sequence[str]) -> int:
    """Print them, one a line, or as JSON."""
    found = asyncio.run(read(arguments[0]))
    if "--json" in arguments:
        print(json.dumps(found, default=str))  # noqa: T201
    else:
        for name, value in found.items():
            print(f"{name:<20} {value}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
