"""Metrics of the service for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_TOGETHER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class Metrics:
    """All metrics of one server, in its own registry: several servers in one process stay apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.started = self._counter("calls_started", "Calls that arrived", "method")
        self.attempts = self._counter("attempts", "Calls that arrived, by how often gRPC had tried them", "number")
        self.calls = self._counter("calls", "Calls that are over", "method", "status", "reason")
        self.credentials = self._counter(
            "credential_calls", "Calls that are over, by who called", "credential", "status"
        )
        self.rejected = self._counter("rejected", "Calls for which there was no room, or no time", "reason")
        self.expired = self._counter("expired_in_queue", "Calls whose deadline passed while they waited for their turn")
        self.cancelled = self._counter("cancelled", "Calls that the caller gave up")
        self.bars = self._counter("bars", "Bars made, over all takes that were delivered")
        self.takes = self._counter("takes", "Takes delivered")
        self.played = self._counter("played", "Calls that reached a player")
        self.restarts = self._counter("worker_restarts", "Workers that were replaced", "kind")
        self.stages = Histogram(
            "seq2drum_stage_seconds", "Time by stage of a call", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self.together = Histogram(
            "seq2drum_batch_size", "Calls that shared the model", buckets=_TOGETHER, registry=self.registry
        )
        self.models = Gauge("seq2drum_model_info", "Models that play", ["id", "sha256"], registry=self.registry)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is computed when it is read."""
        Gauge(f"seq2drum_{name}", text, registry=self.registry).set_function(value)

    def time(self, milliseconds: Mapping[str, float]) -> None:
        """Record the durations of a call's stages, by their names in the contract's Timing without "_ms"."""
        for stage, value in milliseconds.items():
            self.stages.labels(stage).observe(value / 1000)

    def value(self, name: str, **labels: str) -> float:
        """Return the value of a metric; 0 if it has none."""
        return self.registry.get_sample_value(f"seq2drum_{name}", labels) or 0.0

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"seq2drum_{name}", text, labels, registry=self.registry)


class MetricsServer:
    """The HTTP endpoint that Prometheus reads.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._server: Any
        self._server, self._thread = start_http_server(port, addr=host, registry=metrics.registry)
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop, and release the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
