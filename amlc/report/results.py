"""The scores of the last run as text, for the command line and the README."""

from collections.abc import Mapping
from pathlib import Path

from amlc import layout, params
from amlc.files import read_json


def results(root: Path = layout.ROOT) -> str:
    """Return the table of models, the counts of rows and images, and the path of the submission.

    Parameters
    ----------
    root : Path
        The repository's root.

    Raises
    ------
    DataError
        A metrics file is missing or is not JSON.
    ParamsError
        params.yaml is missing or lacks the coverage of the interval.
    """
    blend = read_json(root / layout.SCORES)
    models = read_json(root / layout.SCORE_DETAILS)["models"]
    images = read_json(root / layout.IMAGE_METRICS)
    data = read_json(root / layout.DATA_METRICS)
    train, test = data["train"], data["test"]
    lines = [f"{'model':<12}{'SMAPE':>8}{'+- se':>8}{'weight':>9}"]
    for name, score in sorted(models.items(), key=lambda item: -item[1]["smape"]):
        numbers = f"{score['smape']:>8.2f}{score['smape_se']:>8.2f}{score['weight']:>9.3f}"
        lines.append(f"{name:<12}{numbers}")
    numbers = f"{blend['smape']:>8.2f}{blend['smape_se']:>8.2f}   {interval(blend, root)}"
    rows = f"{train['kept']} train ({train['rejected']} rejected), {test['rows']} test"
    links = f"{images['links']} links: {images['ok']} good, {images['placeholders']} placeholders"
    lines += [
        f"{'blend':<12}{numbers}",
        "",
        f"rows        {rows} ({test['flagged']} flagged)",
        f"images      {links} ({layout.FAILED_IMAGES})",
        f"submission  {layout.SUBMISSION}",
    ]
    return "\n".join(lines)


def interval(scores: Mapping[str, float], root: Path = layout.ROOT) -> str:
    """Return the interval of the blend's SMAPE in words, with its coverage from params.yaml."""
    level = params.value("evaluate.bootstrap_level", root / params.PATH)
    return f"{100 * level:g} % interval {scores['smape_low']:.2f} to {scores['smape_high']:.2f}"
