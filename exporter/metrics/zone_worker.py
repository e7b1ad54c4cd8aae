"""The metrics of `worker`: each family with HELP, as docs/zones.md lists them."""

import platform
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest

from exporter import __version__

FAMILIES: Mapping[str, str] = {
    "tls_posture_worker_build_info": "Version of the worker",
    "tls_posture_worker_broker_connected": "Whether the worker is connected to the broker",
    "tls_posture_worker_batches_running": "Batches of targets that are being scanned",
    "tls_posture_worker_scans_total": "Scans by outcome",
    "tls_posture_worker_batches_lost_total": "Batches whose process crashed, or was killed because it took too long",
    "tls_posture_worker_tasks_refused_total": "Tasks that were refused: malformed, not signed for the zone, late, "
    "repeated, or not possible",
}


class WorkerMetrics:
    """Counts what a worker does."""

    def __init__(self, zone: str, connected: Callable[[], bool], refusals: tuple[str, ...]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def text(name: str) -> str:
            return FAMILIES[f"tls_posture_worker_{name}"]

        build = Gauge(
            "tls_posture_worker_build_info", text("build_info"), ["version", "python", "zone"], registry=registry
        )
        build.labels(__version__, platform.python_version(), zone).set(1)
        broker = Gauge("tls_posture_worker_broker_connected", text("broker_connected"), registry=registry)
        broker.set_function(connected)
        self._running = Gauge("tls_posture_worker_batches_running", text("batches_running"), registry=registry)
        self._scans = Counter("tls_posture_worker_scans", text("scans_total"), ["outcome"], registry=registry)
        self._lost = Counter("tls_posture_worker_batches_lost", text("batches_lost_total"), registry=registry)
        self._refused = Counter(
            "tls_posture_worker_tasks_refused", text("tasks_refused_total"), ["cause"], registry=registry
        )
        for outcome in ("success", "failure"):
            self._scans.labels(outcome)
        for cause in refusals:
            self._refused.labels(cause)
        self._refusals = frozenset(refusals)

    def began(self) -> None:
        """A process has begun a batch."""
        self._running.inc()

    def ended(self, counts: Mapping[str, int]) -> None:
        """The batch is done; `counts` says what happened to its targets."""
        self._running.dec()
        for outcome, number in counts.items():
            if outcome in self._refusals:
                self._refused.labels(outcome).inc(number)
            elif outcome in {"success", "failure"}:
                self._scans.labels(outcome).inc(number)

    def lost(self) -> None:
        """The process crashed or was killed."""
        self._running.dec()
        self._lost.inc()

    def refused(self, cause: str) -> None:
        """A message was refused."""
        self._refused.labels(cause).inc()

    def render(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)
