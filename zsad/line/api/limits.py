"""Who may ask, and how much: token, host, rate, size and how many at a time."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zsad.errors import UsageError
from zsad.line.settings import LOOPBACK
from zsad.outside import printable

TOKEN = "ZSAD_TOKEN"
SHORTEST = 16
LARGEST_IMAGE, AT_A_TIME = 32 << 20, 2
"""Bytes of an image, and predictions at a time."""
RATE, BURST, READ_S = 20.0, 40, 15.0
"""Predictions a second and client, those that it may save up, and seconds in which an image must have arrived."""
HEADER_S, LARGEST_TEXT = 10.0, 65_536
"""Seconds in which a request's headers must have arrived, and bytes of a body that is no image."""
_CLIENTS = 4096


@dataclass(frozen=True)
class Access:
    """Where the page listens, and who may see it.

    Attributes:
        host: address.
        port: port.
        token: what a client must say, as ``Authorization: Bearer`` or as the password of a login; ``""`` for nobody.
        certificate: file of the TLS certificate, or None.
        key: file of its key, or None.
    """

    host: str = "127.0.0.1"
    port: int = 8710
    token: str = ""
    certificate: Path | None = None
    key: Path | None = None

    def allows(self, header: str | None) -> bool:
        """Whether an ``Authorization`` header has the token."""
        return not self.token or hmac.compare_digest(_said(header or "").encode(), self.token.encode())

    def knows(self, host: str | None) -> bool:
        """Whether a ``Host`` header names this machine; without a token, other names are tricks of other pages."""
        if self.token:
            return True
        try:
            return urlsplit(f"//{host or ''}").hostname in LOOPBACK
        except ValueError:
            return False


def access_of(address: str, certificate: Path | None, key: Path | None) -> Access:
    """Read ``--ui-address`` and what goes with it; the token is that of the environment.

    Raises:
        UsageError: no address, or one beyond this machine without token and TLS.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        raise UsageError(f"--ui-address {printable(address)}: give HOST:PORT, such as 127.0.0.1:8710")
    token = os.environ.get(TOKEN, "")
    if token and len(token) < SHORTEST:
        raise UsageError(f"{TOKEN} is too short; give at least {SHORTEST} characters")
    if (certificate is None) != (key is None):
        raise UsageError("--tls-cert and --tls-key go together; give both")
    if host not in LOOPBACK and (not token or certificate is None):
        raise UsageError(
            f"--ui-address {printable(address)} is seen beyond this machine: it needs a token ({TOKEN} in the "
            "environment), --tls-cert and --tls-key"
        )
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise UsageError(f"{printable(file)}: no such file")
    return Access(host, int(port), token, certificate, key)


class Rates:
    """How fast each client asks; of very many clients, those that were quiet longest are forgotten."""

    def __init__(self, rate: float = RATE, burst: int = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Whether a client may ask now."""
        moment = time.monotonic()
        left, since = self._left.pop(client, (float(self._burst), moment))
        left = min(self._burst, left + (moment - since) * self._rate)
        self._left[client] = (left - 1.0 if left >= 1.0 else left, moment)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        return left >= 1.0


def _said(header: str) -> str:
    kind, _, rest = header.partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return ""
    return ""
