"""The command line: amlc predict | serve | search | results."""

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_origin

import amlc
from amlc import layout, numerics, params  # noqa: F401 - numerics comes before NumPy
from amlc.errors import MissingExtraError, run
from amlc.models.registry import MODELS
from amlc.service.limits import Limits


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; end with one line on stderr where something is wrong.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``amlc``; None: the arguments of the process.
    """
    options = _parser().parse_args(arguments)
    run(lambda: options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="amlc", description="Predict product prices from catalogue text and pictures."
    )
    parser.add_argument("--version", action="version", version=f"amlc {amlc.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_predict(commands)
    _add_serve(commands)
    _add_search(commands)
    _add_results(commands)
    return parser


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="price the products of a CSV file",
        description="Price the products of a CSV file; every row gets a price and an interval.",
    )
    parser.set_defaults(command=_predict)
    parser.add_argument(
        "products",
        type=Path,
        help="a CSV with the columns sample_id, catalog_content and image_link",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the CSV to write")
    _add_bundle(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="take pictures from here, named by the last part of their link, and download none",
    )
    where.add_argument("--no-images", action="store_true", help="price by text alone")
    parser.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        default=os.cpu_count() or 1,
        help="processes, for files of more than 2 MB; default: one for each core",
    )


def _predict(options: argparse.Namespace) -> None:
    from amlc.pricing.batch import price_csv  # noqa: PLC0415 - seconds that no other command needs

    told = price_csv(
        options.products,
        options.output,
        options.bundle,
        images=options.images,
        no_images=options.no_images,
        workers=options.workers,
    )
    print(f"predict: {told}")


def _add_serve(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve the page and the API that price products",
        description="Serve a page and an API that price products.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(command=_serve)
    _add_bundle(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any")
    group = parser.add_argument_group("limits")
    for name, field in Limits.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, help=field.description, **_kind(field.annotation, field.default))


def _serve(options: argparse.Namespace) -> None:
    try:
        from amlc.service.server import serve  # noqa: PLC0415 - may not be installed
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("amlc"):
            raise
        raise MissingExtraError("the service", "serve") from None
    given = {name: getattr(options, name) for name in Limits.model_fields}
    limits = params.check(Limits, given, "limits", Path("command line"))
    serve(options.bundle, options.host, options.port, limits)


def _add_search(commands: Any) -> None:
    parser = commands.add_parser(
        "search",
        help="search for a model's settings on the folds",
        description="Search for a model's settings on the folds of training, within the spaces "
        "that params.yaml declares; prints the command for the experiment with the best ones.",
    )
    parser.set_defaults(command=_search)
    parser.add_argument("model", choices=MODELS, metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument(
        "--trials", type=_positive, metavar="N", help="in all, those of earlier runs included"
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", default=math.inf, help="for new trials"
    )


def _search(options: argparse.Namespace) -> None:
    from amlc.models.search import search_model  # noqa: PLC0415 - seconds, as above

    best = search_model(options.model, options.trials, options.timeout)
    counts = f"{best.trials} trials, {best.pruned} given up early, {best.failed} failed"
    print(f"search: {options.model}: {best.score()}; {counts}")
    print(best.command() if best.changes else "search: params.yaml has the best settings found")


def _add_results(commands: Any) -> None:
    parser = commands.add_parser(
        "results",
        help="print the scores of the last run",
        description="Print the scores of the last run in this repository.",
    )
    parser.set_defaults(command=_results)


def _results(options: argparse.Namespace) -> None:  # noqa: ARG001 - every command takes them
    from amlc.report.results import results  # noqa: PLC0415 - as above

    print(results())


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="FOLDER",
        default=layout.BUNDLE,
        help=f"the model; default: {layout.BUNDLE}",
    )


def _kind(annotation: Any, default: Any) -> dict[str, Any]:
    """Return how argparse reads a limit of this type."""
    if get_origin(annotation) is list:
        return {"nargs": "*", "default": default, "metavar": "HOST"}
    return {"type": annotation, "default": default, "metavar": "N"}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number
