"""AutoGluon's TabularPredictor, the choice of a user who does not want to build a model.

It gets title, text, unit and the parsed amounts as columns, makes n-grams of the texts itself, and
fits to log price with mean absolute error for as long as it is given, with its default preset:
`best_quality` needs more than a minute on two cores before it has a first model.
Source: https://auto.gluon.ai
"""

# ruff: noqa: PLC0415 - AutoGluon lives in an environment of its own

import tempfile

import numpy as np
import pandas as pd

from peer_recipes.quantities import numbers, title, unit
from peer_recipes.recipe import Features, Floats, Options, Recipe


def features(texts: list[str], _: Options) -> Features:
    """Return the columns that AutoGluon is given."""
    columns = {
        "title": [title(text) for text in texts],
        "text": texts,
        "unit": pd.Categorical([unit(text) for text in texts]),
    }
    return Features(frame=pd.concat([pd.DataFrame(columns), numbers(texts)], axis=1))


def predict(train: Features, prices: Floats, others: Features, options: Options) -> Floats:
    """Fit for the seconds of the options."""
    from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found]  # as above

    assert train.frame is not None
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(
            "log_price", "regression", "mean_absolute_error", path=folder, verbosity=0
        )
        predictor.fit(
            train.frame.assign(log_price=np.log(prices)),
            time_limit=options.seconds,
            num_cpus=options.threads,
            # Its forests ignore the time limit: one took over 20 minutes on the text columns.
            excluded_model_types=["RF", "XT"],
        )
        return np.asarray(np.exp(predictor.predict(others.frame).to_numpy(dtype=np.float64)))


RECIPE = Recipe("AutoGluon TabularPredictor", "https://auto.gluon.ai", features, predict)
