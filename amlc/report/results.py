"""The scores of the last run as text, for the command line and the README."""

from pathlib import Path

from amlc import layout, params
from amlc.evaluation.metrics_files import DataCounts, Details, ImageCounts, Scores, read_metrics
from amlc.models.predictions import PREDICTIONS
from amlc.models.timings import Timing, recorded_of


def results(root: Path = layout.ROOT, *, timed: bool = True) -> str:
    """Return the table of models, the counts of rows and images, and the path of the submission.

    Parameters
    ----------
    root : Path
        The repository's root.
    timed : bool
        Whether to say what the fits took, where this machine has made them.

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
    columns = f"{'held out':>9}{'fit s':>9}{'predict s':>11}{'MB':>7}"
    lines = [f"{'model':<12}{'SMAPE':>8}{'+- se':>8}{'weight':>9}{columns}"]
    for name, score in reversed(details.ranked()):
        timing = recorded_of(root / layout.MODELS / name / PREDICTIONS) if timed else None
        lines.append(
            f"{name:<12}{score.smape:>8.2f}{score.smape_se:>8.2f}{score.weight:>9.3f}"
            + _held_out(score.smape_held_out)
            + _timing(timing)
        )
    rows = f"{data.train.kept} train ({data.train.rejected} rejected), {data.test.rows} test"
    links = f"{images.links} links: {images.ok} good, {images.placeholders} placeholders"
    lines += [
        f"{'blend':<12}{blend.smape:>8.2f}{blend.smape_se:>8.2f}{'':>9}"
        + _held_out(details.held_out.smape if details.held_out else None),
        f"{'':<12}{interval(blend, root)}",
        "",
        f"rows        {rows} ({data.test.flagged} flagged)",
        f"images      {links} ({layout.FAILED_IMAGES})",
        f"submission  {layout.SUBMISSION}",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _held_out(smape: float | None) -> str:
    """Return the cell with the score of the test rows whose price is known."""
    return f"{'-' if smape is None else format(smape, '.2f'):>9}"


def _timing(timing: Timing | None) -> str:
    """Return the cells with the durations and memory, dashes if the model was fitted elsewhere."""
    if timing is None:
        return f"{'-':>9}{'-':>11}{'-':>7}"
    megabytes = timing.peak_bytes / 1e6
    return f"{timing.fit_seconds:>9.1f}{timing.predict_seconds:>11.1f}{megabytes:>7.0f}"


def interval(scores: Scores, root: Path = layout.ROOT) -> str:
    """Return the interval of the blend's SMAPE in words, with its coverage from params.yaml."""
    level = params.value("evaluate.bootstrap_level", root / params.PATH)
    return f"{100 * level:g} % interval {scores.smape_low:.2f} to {scores.smape_high:.2f}"
