"""What to try next, with the command, as far as the results tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from amlc.report.findings import Findings

# A curve still falls if its last fifth lowers the score by more points than this ...
STILL_FALLING = 0.03
# ... and has risen again if its end is that much above its lowest point.
RISEN = 0.05
# The setting of the number of rounds. Epochs are left out: the learning rate falls over all of
# them, so a network's curve says nothing about another number.
ROUNDS = "n_estimators"


@dataclass(frozen=True)
class Suggestion:
    """Something to try.

    Parameters
    ----------
    reason : str
        What the results show.
    command : str
        The experiment that tries it.
    """

    reason: str
    command: str


def suggestions(
    findings: Findings, train: Mapping[str, Mapping[str, Any]]
) -> tuple[Suggestion, ...]:
    """Return what the results call for: rounds, models without weight, a block to leave out.

    Parameters
    ----------
    findings : Findings
        The results of the run.
    train : mapping of str to mapping
        The settings of each model: section ``train`` of params.yaml.
    """
    weights = {name: score.weight for name, score in findings.details.models.items()}
    made = [
        _rounds(str(model), curve, train[str(model)])
        for model, curve in findings.curves.groupby("model", sort=False)
        if model in train
    ]
    made += [_idle(weights), _ablation(findings.importance, weights, train)]
    return tuple(suggestion for suggestion in made if suggestion)


def _rounds(model: str, curve: pd.DataFrame, settings: Mapping[str, Any]) -> Suggestion | None:
    if ROUNDS not in settings or len(curve) < 5:
        return None
    rounds, smape = curve["round"].to_numpy(), curve["smape"].to_numpy(float)
    gained = smape[int(0.8 * len(smape)) - 1] - smape[-1]
    best = int(smape.argmin())
    if smape[-1] - smape[best] > RISEN:
        reason = f"{model} was best after {rounds[best]} of {rounds[-1]} rounds"
        return Suggestion(reason, _experiment(f"train.{model}.{ROUNDS}={rounds[best]}"))
    if gained > STILL_FALLING:
        reason = f"{model} gained {gained:.2f} points in its last fifth of rounds"
        return Suggestion(reason, _experiment(f"train.{model}.{ROUNDS}={int(1.5 * rounds[-1])}"))
    return None


def _idle(weights: Mapping[str, float]) -> Suggestion | None:
    idle = [name for name, weight in weights.items() if weight == 0]
    used = [name for name in weights if name not in idle]
    if not idle or not used:
        return None
    reason = f"without {_listed(idle)}, which have no weight, a run takes less time"
    if len(idle) == 1:
        reason = f"without {idle[0]}, which has no weight, a run takes less time"
    return Suggestion(reason, _experiment(f"'models=[{','.join(used)}]'"))


def _ablation(
    importance: pd.DataFrame, weights: Mapping[str, float], train: Mapping[str, Mapping[str, Any]]
) -> Suggestion | None:
    """Return the ablation of the block that the model with the largest weight relies on least."""
    known = [name for name in importance["model"].unique() if weights.get(name) and name in train]
    if not known:
        return None
    model = max(known, key=lambda name: weights[name])
    of_model = importance[importance["model"] == model]
    shares = of_model.groupby(of_model["feature"].str.partition(":")[0])["share"].sum()
    blocks = [str(block) for block in train[model]["blocks"]]
    candidates = [block for block in blocks if block in shares.index]
    if len(blocks) < 2 or not candidates:
        return None
    least = min(candidates, key=lambda block: shares[block])
    kept = ",".join(block for block in blocks if block != least)
    reason = f"{least} has {100 * shares[least]:.0f} % of {model}'s importance; without it"
    return Suggestion(reason, _experiment(f"'train.{model}.blocks=[{kept}]'"))


def _experiment(override: str) -> str:
    return f"dvc exp run -S {override}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
