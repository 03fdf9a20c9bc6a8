"""The scores of the last run as text, for the command line and the README."""

from pathlib import Path

from amlc import layout, params
from amlc.evaluation.metrics_files import DataCounts, Details, ImageCounts, Scores, read_metrics


def results(root: Path = layout.ROOT) -> str:
    """Return the table of models, the counts of rows and images, and the path of the submission.

    Parameters
    ----------
    root : Path
        The repository's root.

    Raises
    ------
    DataError
        A metrics file is missing, is not JSON, or lacks a key.
    ParamsError
        params.yaml is missing or lacks the coverage of the interval.
    """
    blend = read_metrics(Scores, root / layout.SCORES)
    details = read_metrics(Details, root / layout.SCORE_DETAILS)
    images = read_metrics(ImageCounts, root / layout.IMAGE_METRICS)
    data = read_metrics(DataCounts, root / layout.DATA_METRICS)
    lines = [f"{'model':<12}{'SMAPE':>8}{'+- se':>8}{'weight':>9}"]
    for name, score in reversed(details.ranked()):
        lines.append(f"{name:<12}{score.smape:>8.2f}{score.smape_se:>8.2f}{score.weight:>9.3f}")
    rows = f"{data.train.kept} train ({data.train.rejected} rejected), {data.test.rows} test"
    links = f"{images.links} links: {images.ok} good, {images.placeholders} placeholders"
    lines += [
        f"{'blend':<12}{blend.smape:>8.2f}{blend.smape_se:>8.2f}   {interval(blend, root)}",
        "",
        f"rows        {rows} ({data.test.flagged} flagged)",
        f"images      {links} ({layout.FAILED_IMAGES})",
        f"submission  {layout.SUBMISSION}",
    ]
    return "\n".join(lines)


def interval(scores: Scores, root: Path = layout.ROOT) -> str:
    """Return the interval of the blend's SMAPE in words, with its coverage from params.yaml."""
    level = params.value("evaluate.bootstrap_level", root / params.PATH)
    return f"{100 * level:g} % interval {scores.smape_low:.2f} to {scores.smape_high:.2f}"
