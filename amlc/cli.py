"""The command line: amlc columns | predict | serve | search | results | experiments | compare."""

import argparse
import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, get_origin

from pydantic import ValidationError

import amlc
from amlc import layout, numerics  # noqa: F401 - numerics comes before NumPy
from amlc.errors import MissingExtraError, ParamsError, run
from amlc.models.registry import MODELS
from amlc.service.limits import Limits


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments after ``amlc``; None: those of the process.

    Raises
    ------
    SystemExit
        With code 1 and one line on stderr after an error, with code 2 where the arguments are
        wrong, with code 130 after an interrupt.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    run(lambda: options.command(options))


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage of all options."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="amlc", description="Predict product prices from catalogue text and pictures."
    )
    parser.set_defaults(command=None)
    parser.add_argument("--version", action="version", version=f"amlc {amlc.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_columns(commands)
    _add_predict(commands)
    _add_serve(commands)
    _add_search(commands)
    _add_results(commands)
    _add_experiments(commands)
    _add_compare(commands)
    return parser


def _add_columns(commands: Any) -> None:
    parser = commands.add_parser(
        "columns",
        help="suggest a map of a file's columns",
        description="Look at a file of products, and print a map of its columns for params.yaml, "
        "with examples of each column and what to look at first. Nothing is written.",
    )
    parser.set_defaults(command=_columns)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="CSV, Parquet, JSON lines, Arrow or Excel"
    )


def _columns(options: argparse.Namespace) -> None:
    from amlc.catalog.suggestion import describe, suggest  # noqa: PLC0415 - takes time to import

    print(describe(suggest(options.file)))


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="price the products of a file",
        description="Price the products of a file in the layout of the catalogue that the model "
        "was made from. Every row gets a price and an interval, in "
        "the order of the file, and a reason if something was missing or unusable.",
    )
    parser.set_defaults(command=_predict)
    parser.add_argument(
        "products",
        type=Path,
        metavar="PRODUCTS",
        help="a file with the columns of the catalogue, the price aside; by default sample_id, "
        "catalog_content and image_link",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PRICES", required=True, help="the CSV file to write"
    )
    _add_bundle(parser)
    pictures = parser.add_mutually_exclusive_group()
    pictures.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="take pictures from this folder, where they are named by the last part of their "
        "link; default: download them",
    )
    pictures.add_argument("--no-images", action="store_true", help="price by text alone")
    parser.add_argument(
        "--spreadsheet",
        action="store_true",
        help="write ' before ids that a spreadsheet would take for a formula, such as =1+1",
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        default=os.cpu_count() or 1,
        help="processes for a file of more than 2 MB; default: one for each core",
    )


def _predict(options: argparse.Namespace) -> None:
    from amlc.pricing.batch import price_csv  # noqa: PLC0415 - takes seconds to import

    summary = price_csv(
        options.products,
        options.output,
        options.bundle,
        images=options.images,
        no_images=options.no_images,
        workers=options.workers,
        spreadsheet=options.spreadsheet,
    )
    # What is no file, such as /dev/stdout, may be where this would be printed.
    print(f"predict: {summary}", file=sys.stdout if options.output.is_file() else sys.stderr)


def _add_serve(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve the page and the API that price products",
        description="Serve the page and the API that price products, until Ctrl-C or SIGTERM.",
        usage="%(prog)s [--bundle FOLDER] [--host HOST] [--port PORT] [limits]",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(command=_serve)
    _add_bundle(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any free one")
    limits = parser.add_argument_group("limits")
    for name, field in Limits.model_fields.items():
        limits.add_argument(
            f"--{name.replace('_', '-')}",
            help=field.description,
            default=field.default,
            **_option_type(field.annotation),
        )


def _option_type(annotation: Any) -> dict[str, Any]:
    """Return the arguments of `add_argument` for a limit of this type."""
    if get_origin(annotation) is list:
        return {"nargs": "*", "metavar": "HOST"}
    return {"type": annotation, "metavar": "SECONDS" if annotation is float else "N"}


def _serve(options: argparse.Namespace) -> None:
    try:
        from amlc.service.server import serve  # noqa: PLC0415 - may not be installed
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("amlc"):
            raise
        raise MissingExtraError("the service", "serve") from None
    serve(options.bundle, options.host, options.port, _limits(options))


def _limits(options: argparse.Namespace) -> Limits:
    try:
        return Limits(**{name: getattr(options, name) for name in Limits.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{first['loc'][0]}".replace("_", "-")
        message = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise ParamsError(f"{option}: {message}, got {first['input']}") from None


def _add_search(commands: Any) -> None:
    parser = commands.add_parser(
        "search",
        help="search for better settings of a model",
        description="Search for better settings of a model, within the ranges that params.yaml "
        "declares, by its score on the folds of the train rows. Prints the command that runs the "
        "experiment with the best settings. An interrupted search resumes where it stopped.",
    )
    parser.set_defaults(command=_search)
    parser.add_argument("model", choices=MODELS, metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument(
        "--trials",
        type=_positive,
        metavar="N",
        help="number of settings to try in total, including those of earlier runs; default: "
        "search.n_trials of params.yaml, or as many as there is time for",
    )
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument(
        "--minutes",
        type=_seconds,
        metavar="MINUTES",
        default=math.inf,
        help="start no trial after this time; default: no limit",
    )
    limit.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        default=math.inf,
        help="the same in seconds",
    )


def _search(options: argparse.Namespace) -> None:
    from amlc.models.search import search_model  # noqa: PLC0415 - takes seconds to import

    best = search_model(options.model, options.trials, min(60 * options.minutes, options.timeout))
    counts = f"{best.trials} trials, {best.pruned} stopped early, {best.failed} failed"
    print(f"search: {options.model}: {best.score()}; {counts}")
    print(best.command() if best.changes else "search: params.yaml already has the best settings")


def _add_results(commands: Any) -> None:
    parser = commands.add_parser(
        "results",
        help="print the scores of the last run",
        description="Print the scores of the last run of the pipeline in the current folder, with "
        "seconds and memory of each model if it was fitted on this machine, and the difference "
        "from the last commit, paired by product.",
    )
    parser.set_defaults(command=_results)


def _results(options: argparse.Namespace) -> None:  # noqa: ARG001 - every command gets the options
    from amlc.experiments.comparison import against_last_commit  # noqa: PLC0415 - takes a second
    from amlc.experiments.repository import Repository  # noqa: PLC0415 - see above
    from amlc.report.results import results  # noqa: PLC0415 - see above

    print(results())
    print(against_last_commit(Repository()))


def _add_experiments(commands: Any) -> None:
    parser = commands.add_parser(
        "experiments",
        help="list all experiments and branches, the best first",
        description="List all experiments and branches, the best first: SMAPE, its difference from "
        "a reference, paired by product, with the standard error, and the parameters that differ "
        "from the reference's.",
    )
    parser.set_defaults(command=_experiments)
    parser.add_argument(
        "--against",
        metavar="REVISION",
        default="HEAD",
        help="the reference: a branch, an experiment or a commit; default: the last commit",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV, with all scores")
    form.add_argument("--json", action="store_true", help="print JSON, with all scores")
    form.add_argument(
        "--page", action="store_true", help="write a page with plots, and print its path"
    )


def _experiments(options: argparse.Namespace) -> None:
    from amlc.experiments.overview import overview  # noqa: PLC0415 - takes a second to import
    from amlc.experiments.repository import Repository  # noqa: PLC0415 - see above

    repository = Repository()
    table = overview(repository, options.against)
    if options.page:
        from amlc.experiments.page import write_page  # noqa: PLC0415 - see above

        print(f"experiments: {write_page(repository, table)}")
    elif options.csv or options.json:
        print(table.csv().rstrip("\n") if options.csv else table.json())
    else:
        print(table.text(shutil.get_terminal_size((80, 24)).columns))


def _add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="say whether one revision or experiment is better than another",
        description="Compare the out-of-fold predictions of two revisions or experiments, paired "
        "by product: the difference in SMAPE and its standard error, for each model and slice; "
        "parameters that differ; seconds and memory. B - A is negative where B is better.",
    )
    parser.set_defaults(command=_compare)
    revision = "a branch, an experiment, a commit, or 'workspace'; default: %(default)s"
    parser.add_argument("a", metavar="A", nargs="?", default="HEAD", help=revision)
    parser.add_argument("b", metavar="B", nargs="?", default="workspace", help=revision)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    form.add_argument("--json", action="store_true", help="print JSON")


def _compare(options: argparse.Namespace) -> None:
    from amlc.experiments.comparison import compare  # noqa: PLC0415 - takes a second to import
    from amlc.experiments.repository import Repository  # noqa: PLC0415 - see above

    repository = Repository()
    comparison = compare(
        repository, *(repository.revision(name) for name in (options.a, options.b))
    )
    if options.json:
        print(json.dumps(comparison.content(), indent=2))
    else:
        print(comparison.markdown() if options.markdown else comparison.text())


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="FOLDER",
        default=layout.BUNDLE,
        help="the model: a folder that the stage bundle wrote; default: %(default)s",
    )


def _positive(text: str) -> int:
    """Return a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    """Return a duration of 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"expected a duration of 0 or more, got {text!r}")
    return number
