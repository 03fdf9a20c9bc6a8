"""Serve the page and the API that price products.

``python -m amlc.serve --bundle data/bundle --host 127.0.0.1 --port 8000``
"""

import argparse
import socket
from pathlib import Path
from typing import Any, get_origin

import stages  # noqa: F401 - before NumPy: the same arithmetic as in the pipeline

# isort: split
from amlc.errors import AmlcError, MissingExtraError, run
from amlc.params import check
from amlc.serving.http.limits import Limits


def main() -> None:
    """Serve until SIGTERM or an interrupt, then finish what is under way."""
    arguments = _arguments()
    try:
        from amlc.serving.http.server import serve  # noqa: PLC0415 - may not be installed
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("amlc"):
            raise
        raise MissingExtraError("the service", "serve") from None
    limits = _limits(arguments)
    with _listener(arguments.host, arguments.port) as listener:
        serve(arguments.bundle, listener, limits)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m amlc.serve",
        description="Serve a page and an API that price products.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=Path("data/bundle"), help="the model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any")
    group = parser.add_argument_group("limits")
    for name, field in Limits.model_fields.items():
        group.add_argument(
            _option(name), help=field.description, **_kind(field.annotation, field.default)
        )
    return parser.parse_args()


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _kind(annotation: Any, default: Any) -> dict[str, Any]:
    if get_origin(annotation) is list:
        return {"nargs": "*", "default": default, "metavar": "HOST"}
    return {"type": annotation, "default": default, "metavar": "N"}


def _limits(arguments: argparse.Namespace) -> Limits:
    given = {name: getattr(arguments, name) for name in Limits.model_fields}
    return check(Limits, given, "limits", Path("command line"))


def _listener(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise AmlcError(f"cannot listen on {host}:{port}: a port is a number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise AmlcError(f"cannot listen on {host}:{port}: {error.strerror}") from None


if __name__ == "__main__":
    run(main)
