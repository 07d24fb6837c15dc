"""A webhook: each part as a POST, signed, with its id as the key by which a receiver knows one that comes twice."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from zsad.errors import OutputError, UsageError
from zsad.line.database import Message
from zsad.line.sinks.settings import Webhook
from zsad.line.sinks.sink import Post
from zsad.outside import printable

SECRET = "ZSAD_WEBHOOK_SECRET"
SIGNATURE, TIMESTAMP, KEY, TOPIC = "X-Zsad-Signature", "X-Zsad-Time", "Idempotency-Key", "X-Zsad-Topic"
"""Headers: ``sha256=`` and the HMAC of time, a full stop and body; seconds since 1970; the part's id in percent
encoding; ``parts`` or ``alarms``."""


class WebhookPost(Post):
    """Posts to one address; an answer of 2xx is an arrival, and no redirect is followed.

    Args:
        settings: of the configuration.
        station: name of the station.

    Raises:
        UsageError: no secret in the environment.
    """

    name = "webhook"

    def __init__(self, settings: Webhook, station: str) -> None:
        secret = os.environ.get(SECRET, "")
        if not secret:
            raise UsageError(f"a sink of kind webhook needs its secret in the environment: set {SECRET}")
        self._said, self._secret, self._station = settings, secret.encode(), station

    def deliver(self, messages: Sequence[Message]) -> int:
        """Post each; the first that does not arrive ends it."""
        for count, message in enumerate(messages):
            try:
                self._post(message)
            except (OSError, http.client.HTTPException, OutputError):
                if count:
                    return count
                raise
        return len(messages)

    def _post(self, message: Message) -> None:
        parts, body, moment = urlsplit(self._said.url), message.payload.encode(), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: signature(self._secret, moment, body),
            TIMESTAMP: moment,
            KEY: _encoded(message.id),
            TOPIC: message.topic,
            "X-Zsad-Station": _encoded(self._station),
        }
        connection = self._connection(parts.scheme, str(parts.hostname), parts.port)
        try:
            connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else "") or "/", body, headers)
            answer = connection.getresponse()
            answer.read(1 << 16)
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise OutputError(f"{printable(parts.hostname)}: answers {answer.status}; look there")

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(
                host, port, timeout=self._said.timeout_s, context=ssl.create_default_context()
            )
        return http.client.HTTPConnection(host, port, timeout=self._said.timeout_s)


def signature(secret: bytes, moment: str, body: bytes) -> str:
    """Return what the header says, and a receiver works out: HMAC-SHA256 of time, a full stop and body.

    >>> signature(b"key", "1700000000", b"{}")[:15]
    'sha256=9d713ed4'
    """
    return "sha256=" + hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _encoded(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="/|#:@ ")
