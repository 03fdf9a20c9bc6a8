"""Monitoring for the operator of the service: its log as JSON lines, its metrics for Prometheus."""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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

LOGGER = "amlc.service"
# Frames of a traceback that are logged: the innermost ones.
_FRAMES = 8
# Upper bounds of the histogram's buckets.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 60.0)

# The creation times of counters would only double the number of lines of /metrics.
disable_created_metrics()  # type: ignore[no-untyped-call]  # its package ships no type for it


class JsonLines(logging.Formatter):
    """Formats a log record as one line of JSON: time, level, event, and the record's own fields.

    Of an exception it writes the type and the places in the code, but not the message, which may
    quote what a user sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and (error := record.exc_info[1]):
            frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
            line["error"] = type(error).__name__
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging() -> None:
    """Send the log of the service, of decoding and of uvicorn to stderr, as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (LOGGER, "amlc.images", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    # Below warnings, uvicorn reports starts and stops, which the service logs itself.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def log(
    event: str, level: int = logging.INFO, error: Exception | None = None, **fields: Any
) -> None:
    """Log an event with its fields, and the error that it reports."""
    logging.getLogger(LOGGER).log(level, event, exc_info=error, extra={"fields": fields})


class Metrics:
    """Counters of one application, in a registry of its own.

    Parameters
    ----------
    version : str
        Version of the model.
    waiting : callable
        Returns the number of products in the queue.
    """

    def __init__(self, version: str, waiting: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        labels = ("method", "path", "status")
        self._requests = Counter("amlc_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "amlc_request_seconds",
            "Seconds from the headers of a request to the end of its response.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.products = Counter("amlc_products", "Products priced.", ("path",), registry=registry)
        self.in_flight = Gauge(
            "amlc_requests_in_flight", "Requests being answered.", registry=registry
        )
        queue = Gauge("amlc_products_waiting", "Products in the queue.", registry=registry)
        queue.set_function(waiting)
        model = Info("amlc_model", "The model that prices.", registry=registry)
        model.info({"version": version})

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; `path` is that of its route, never what the client wrote."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        """Return all counters in the format of Prometheus."""
        return generate_latest(self._registry)
