"""The scores of the last run as text, for the command line and the README."""

from pathlib import Path
from typing import Any

from amlc import layout
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
    """
    scores = read_json(root / layout.SCORES)
    models = read_json(root / layout.SCORE_DETAILS)["models"]
    images = read_json(root / layout.IMAGE_METRICS)
    data = read_json(root / layout.DATA_METRICS)
    return "\n".join(
        [
            *_model_lines(scores, models),
            "",
            _rows_line(data),
            _images_line(images),
            f"submission  {layout.SUBMISSION}",
        ]
    )


def _model_lines(scores: dict[str, Any], models: dict[str, Any]) -> list[str]:
    lines = [f"{'model':<12}{'SMAPE':>8}{'+- se':>8}{'weight':>9}"]
    members = sorted(models.items(), key=lambda item: -item[1]["smape"])
    lines += [
        f"{name:<12}{score['smape']:>8.2f}{score['smape_se']:>8.2f}{score['weight']:>9.3f}"
        for name, score in members
    ]
    interval = f"95 % interval {scores['smape_low']:.2f} to {scores['smape_high']:.2f}"
    lines.append(f"{'blend':<12}{scores['smape']:>8.2f}{scores['smape_se']:>8.2f}   {interval}")
    return lines


def _rows_line(data: dict[str, Any]) -> str:
    train, test = data["train"], data["test"]
    counts = f"{train['kept']} train ({train['rejected']} rejected), {test['rows']} test"
    return f"rows        {counts} ({test['flagged']} flagged)"


def _images_line(images: dict[str, Any]) -> str:
    counts = f"{images['links']} links: {images['ok']} good, {images['placeholders']} placeholders"
    return f"images      {counts} ({layout.FAILED_IMAGES})"
