"""What systemd is told: that the station is ready, that it lives, that it stops; nothing where nobody asks."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Say something to the service manager, such as ``READY=1`` or ``WATCHDOG=1``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
