"""Logs as JSON lines on stderr; no line holds the text of a product."""

import json
import logging
import sys
import time
import traceback
from typing import Any

LOGGER = "amlc.serve"


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON: time, level, event, and the record's own fields.

    Of an exception it tells the type and the places in the code, but not the message, which may
    quote what a user sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= _told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def log(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields."""
    logging.getLogger(LOGGER).log(level, event, extra={"fields": fields})


def log_error(event: str, error: BaseException, **fields: Any) -> None:
    """Log an error that nobody expected."""
    logging.getLogger(LOGGER).error(event, exc_info=error, extra={"fields": fields})


def set_up() -> None:
    """Send what the service and uvicorn log to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (LOGGER, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    # Its lines tell of every start and stop what the service's own lines tell.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _told(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }
