"""MQTT: parts and alarms at least once (QoS 1), the status retained, with a last will."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from typing import Any

from zsad.errors import OutputError, UsageError
from zsad.line.database import Message
from zsad.line.health import Health
from zsad.line.part import now
from zsad.line.sinks.settings import Mqtt
from zsad.line.sinks.sink import Post
from zsad.outside import printable

PASSWORD = "ZSAD_MQTT_PASSWORD"
_WAIT_S = 5.0


class MqttPost(Post):
    """Publishes to a broker; a message has arrived when the broker says so.

    Args:
        settings: of the configuration.
        station: name in the topics.

    Raises:
        UsageError: a name that no topic can have, or a user without a password in the environment.
    """

    name = "mqtt"

    def __init__(self, settings: Mqtt, station: str) -> None:
        if not station or any(sign in station for sign in "+#/\0") or len(station.encode()) > 200:
            raise UsageError(f"mqtt: station {printable(station)!r:.60} is no part of a topic: leave out + # and /")
        if settings.user and not os.environ.get(PASSWORD):
            raise UsageError(
                f"mqtt: user {printable(settings.user)} needs a password in the environment: set {PASSWORD}"
            )
        self._said, self._base = settings, f"zsad/{station}"
        self._client: Any = None
        self._connected = threading.Event()
        self._refusal = ""

    def open(self) -> None:
        """Connect; a connection that breaks later is taken up again by the next call."""
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        self._drop()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="", protocol=mqtt.MQTTv311)
        if self._said.user:
            client.username_pw_set(self._said.user, os.environ.get(PASSWORD))
        if self._said.tls:
            client.tls_set()
        client.will_set(f"{self._base}/status", json.dumps({"state": "offline"}), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: self._connected.clear()
        self._connected.clear()
        self._refusal = ""
        client.connect(self._said.host, self._said.port, keepalive=20)
        client.loop_start()
        self._client = client
        if not self._connected.wait(_WAIT_S):
            self._drop()
            raise OutputError(f"{printable(self._said.host)}: {self._refusal or 'the broker does not answer'}")

    def deliver(self, messages: Sequence[Message]) -> int:
        """Publish all, then wait until the broker has them."""
        sent = [self._publish(message.topic, message.payload) for message in messages]
        for count, info in enumerate(sent):
            try:
                info.wait_for_publish(_WAIT_S)
                arrived = info.is_published()
            except (RuntimeError, ValueError):
                arrived = False
            if not arrived:
                if count:
                    return count
                raise OutputError(f"{printable(self._said.host)}: the broker does not confirm")
        return len(messages)

    def tick(self, health: Health) -> None:
        """Publish the status, retained."""
        state = {
            "state": "running" if health.alive else "stalled",
            "time": now(),
            "seconds": round(health.seconds, 1),
            "counters": dict(health.counts),
            "latency_ms": health.latency(),
            "rate": round(health.rate, 3),
            "alarms": {alarm.kind: alarm.text for alarm in health.alarms.standing},
        }
        self._publish("status", json.dumps(state), retain=True)

    def close(self) -> None:
        """Say that the station is off, and disconnect."""
        if self._client is not None and self._connected.is_set():
            try:
                info = self._publish("status", json.dumps({"state": "offline", "time": now()}), retain=True)
                info.wait_for_publish(1.0)
            except (OutputError, RuntimeError, ValueError):
                pass
        self._drop()

    def _publish(self, topic: str, payload: str, *, retain: bool = False) -> Any:
        if self._client is None or not self._connected.is_set():
            raise OutputError(f"{printable(self._said.host)}: not connected")
        return self._client.publish(f"{self._base}/{topic}", payload, qos=1, retain=retain)

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refuses ({printable(reason)})"
        else:
            self._connected.set()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None
