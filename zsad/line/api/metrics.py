"""What Prometheus reads of a station."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zsad.line.station import Station


class _Collector:
    """Reads the station when it is asked, so that nothing is counted twice."""

    def __init__(self, station: Station) -> None:
        self._station = station

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        health = self._station.health
        parts = CounterMetricFamily("zsad_parts", "Parts that are recorded, by verdict", labels=["verdict"])
        for verdict, count in health.counts.items():
            parts.add_metric([verdict], count)
        yield parts
        yield CounterMetricFamily("zsad_dropped", "Frames and triggers that nobody had time for", value=health.dropped)
        yield CounterMetricFamily("zsad_late", "Parts over the latency budget", value=health.misses)
        latency = GaugeMetricFamily(
            "zsad_latency_seconds", "From source to record, of the last 1,000 parts", labels=["quantile"]
        )
        for name, value in health.latency().items():
            latency.add_metric([f"0.{name[1:]}"], value / 1e3)
        yield latency
        yield GaugeMetricFamily("zsad_rate", "Parts a second over the last minute", value=health.rate)
        yield GaugeMetricFamily("zsad_up", "1 while the station works", value=float(health.alive))
        alarms = GaugeMetricFamily("zsad_alarm", "Alarms that stand", labels=["kind"])
        for alarm in health.alarms.standing:
            alarms.add_metric([alarm.kind], 1.0)
        yield alarms
        outbox = GaugeMetricFamily("zsad_outbox", "Entries that are still to be told", labels=["sink"])
        for sink, count in self._station.database.backlog().items():
            outbox.add_metric([sink], count)
        yield outbox


def metrics_of(station: Station) -> Any:
    """Return a function that gives the metrics as bytes, and their content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(station))
    return lambda: generate_latest(registry), CONTENT_TYPE_LATEST
