"""Fit one model in each fold and to all train rows: python -m stages.train NAME."""

import sys
from functools import partial

from amlc import layout, params
from amlc.errors import ParamsError, run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.files import replacing_folder
from amlc.models.crossfit import crossfit
from amlc.models.fusion.processes import launch, rank
from amlc.models.inputs import read_inputs
from amlc.models.predictions import PREDICTIONS
from amlc.models.registry import MODELS, regressor
from amlc.models.timings import record


def main() -> None:
    """Write the predictions and the fitted model; print the out-of-fold score."""
    name = _name(sys.argv[1:])
    model = regressor(name)
    settings = params.load(model.settings_type, f"train.{name}")
    executor = params.load(ExecutorSettings, "executor")
    config = getattr(settings, "accelerate", None)
    if config is not None and launch(config, executor.kind, "stages.train", name):
        return
    products, blocks = read_inputs(settings.blocks, with_content=model.needs_content)
    make, numbers = partial(model, settings), {"seed": params.seed(), "threads": params.threads()}
    with open_backend(executor) as backend:
        result = crossfit(make, blocks, products, backend=backend, **numbers)
    if rank() > 0:
        return
    with replacing_folder(layout.MODELS / name) as folder:
        result.save(folder, products)
    folds = " ".join(f"{score:.2f}" for score in result.fold_smape)
    record(layout.MODELS / name / PREDICTIONS, result.timing)
    print(f"train: {name}: SMAPE {result.smape:.2f} (folds {folds}), {result.timing.seconds:.0f} s")
    if result.constant:
        fits = len(result.fold_smape) + 1
        print(
            f"train: {name}: {result.constant} of {fits} fits predict one price for all products: "
            "there are too few rows to tell prices apart, or columns or prices do not vary"
        )


def _name(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise ParamsError(f"expected one model's name; models: {', '.join(MODELS)}")
    return arguments[0]


if __name__ == "__main__":
    run(main)
