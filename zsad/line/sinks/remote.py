"""Sinks that speak to others over a network; what each needs is imported when it is asked for."""

from __future__ import annotations

from importlib.util import find_spec

from zsad.errors import MissingExtraError
from zsad.line.sinks.settings import Modbus, Mqtt, Opcua, Webhook
from zsad.line.sinks.sink import Teller

_NEEDS = {Mqtt: "paho", Opcua: "asyncua", Modbus: "pymodbus"}


def remote_sink(said: Mqtt | Opcua | Modbus | Webhook, station: str) -> Teller:
    """Return the sink of a configuration.

    Args:
        said: the configuration.
        station: name of the station.

    Raises:
        MissingExtraError: what it needs is not installed.
        UsageError: a secret is missing in the environment.
    """
    package = _NEEDS.get(type(said))
    if package is not None and find_spec(package) is None:
        raise MissingExtraError(f"a sink of kind {type(said).__name__.lower()}", "line")
    if isinstance(said, Mqtt):
        from zsad.line.sinks.mqtt import MqttPost

        return MqttPost(said, said.station or station)
    if isinstance(said, Opcua):
        from zsad.line.sinks.opcua import OpcuaServer

        return OpcuaServer(said, station)
    if isinstance(said, Modbus):
        from zsad.line.sinks.modbus import ModbusServer

        return ModbusServer(said)
    from zsad.line.sinks.webhook import WebhookPost

    return WebhookPost(said, station)
