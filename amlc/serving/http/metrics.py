"""What /metrics tells, in the format of Prometheus."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

# The times at which counters began only double the lines.
disable_created_metrics()  # type: ignore[no-untyped-call]  # its package ships no type for it
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """Counters of one application, in a registry of its own.

    Parameters
    ----------
    version : str
        The model's.
    waiting : callable
        Returns how many products wait for a thread.
    """

    def __init__(self, version: str, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "amlc_requests",
            "Requests answered.",
            ("method", "path", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "amlc_request_seconds",
            "Seconds from a request's headers to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._products = Counter(
            "amlc_products", "Products priced.", ("path",), registry=self.registry
        )
        self.in_flight = Gauge(
            "amlc_requests_in_flight", "Requests under way.", registry=self.registry
        )
        Gauge(
            "amlc_products_waiting", "Products that wait for a thread.", registry=self.registry
        ).set_function(waiting)
        Info("amlc_model", "The model that prices.", registry=self.registry).info(
            {"version": version}
        )

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; `path` is its route's, never what the client wrote."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def priced(self, path: str, products: int) -> None:
        """Count products."""
        self._products.labels(path).inc(products)

    def text(self) -> bytes:
        """Return everything as /metrics gives it."""
        return generate_latest(self.registry)
