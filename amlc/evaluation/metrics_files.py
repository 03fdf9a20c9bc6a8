"""The files that the stages write under ``metrics``, as typed models; a file may have more keys."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from amlc.errors import DataError
from amlc.files import read_json, write_json

DECIMALS = 4


class Metrics(BaseModel):
    """Base of all models in this module."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    def write(self, path: Path) -> None:
        """Write the file, numbers rounded to `DECIMALS`."""
        write_json(path, _rounded(self.model_dump()))


def _rounded(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _rounded(value) for key, value in node.items()}
    # Python rounds correctly; NumPy's floats are rounded by a faster method.
    return round(float(node), DECIMALS) if isinstance(node, float) else node


class Scores(Metrics):
    """``metrics.json``: SMAPE in percent, its standard error over folds and its interval.

    `models` is the SMAPE of each member of the blend.
    """

    smape: float
    smape_se: float
    smape_low: float
    smape_high: float
    # Records of earlier runs have the blend's scores alone.
    models: dict[str, float] = {}


class ModelScore(Metrics):
    """Score and weight of a member of the blend.

    `smape_held_out` is that of the test rows with a known price, if there are any.
    """

    smape: float
    smape_se: float
    weight: float
    smape_held_out: float | None = None


class SliceScore(Metrics):
    """Score of a slice of the train rows."""

    rows: int
    smape: float


class Slices(Metrics):
    """Scores by price decile (``"01"``: the cheapest), by picture, by kind of unit and by category.

    `categories` has the most frequent values of the guessed brand, of the title's first word and of
    each category of the user's own.
    """

    price_decile: dict[str, SliceScore]
    image: dict[str, SliceScore]
    unit_kind: dict[str, SliceScore]
    categories: dict[str, dict[str, SliceScore]] = {}


class Interval(Metrics):
    """Share of the prices inside their interval, in percent, and the median of high / low."""

    coverage: float
    coverage_by_predicted_decile: dict[str, float]
    coverage_by_price_decile: dict[str, float]
    median_ratio: float


class HeldOut(Metrics):
    """Test rows with a known price; `gap` is their SMAPE minus that of the train rows.

    The standard error of the gap assumes that rows are independent.
    """

    rows: int
    smape: float
    smape_se: float
    gap: float
    gap_se: float
    coverage: float

    @property
    def agrees(self) -> bool:
        """Whether `gap` is at most four standard errors, so that chance explains it."""
        return abs(self.gap) <= 4 * self.gap_se


class Details(Metrics):
    """``details.json``: scores by model and slice, and the coverage of the intervals."""

    rows: int
    models: dict[str, ModelScore]
    slices: Slices
    interval: Interval
    held_out: HeldOut | None

    def ranked(self) -> list[tuple[str, ModelScore]]:
        """Return the models, the best first."""
        return sorted(self.models.items(), key=lambda item: item[1].smape)


class Permutation(Metrics):
    """Out-of-fold SMAPE of a model fitted to permuted prices, and of their other folds' median.

    `gap_se` is the standard error of the difference. With a key called `error`, DVC would report
    that it failed to load the file.
    """

    smape: float
    constant: float
    gap_se: float


class Leak(Metrics):
    """The column that explains most of the variance of log price, and its partner or "nothing"."""

    feature: str
    partner: str
    share: float


class Drift(Metrics):
    """AUC of a classifier of train against test rows, 0.5 if they do not differ.

    Out of fold on all columns, and on each of the single columns that differ most.
    """

    auc: float
    columns: dict[str, float]


class Guards(Metrics):
    """``guards.json``: the checks that the pipeline passed."""

    permutation: Permutation
    leak: Leak
    # Null without test rows.
    drift: Drift | None

    def __str__(self) -> str:
        return (
            f"permuted prices: SMAPE {self.permutation.smape:.2f} "
            f"(constant {self.permutation.constant:.2f}); "
            f"{self.leak.feature!r} explains {self.leak.share:.0%} of log price; "
            + (
                f"train and test rows are separated with AUC {self.drift.auc:.3f}"
                if self.drift
                else "no test rows"
            )
        )


class KeptRows(Metrics):
    """How many rows of train.csv were read, kept and rejected, and how many lack a text or link."""

    read: int
    kept: int
    rejected: int
    rejected_by_reason: dict[str, int]
    without_text: int
    without_link: int
    without_price: int = 0
    held_out: int = 0


class FlaggedRows(Metrics):
    """How many rows of test.csv there are, have an error, and lack a text or a link."""

    rows: int
    flagged: int
    flagged_by_reason: dict[str, int]
    without_text: int
    without_link: int


class DuplicateGroups(Metrics):
    """How many rows have a duplicate, and how many groups lie in both splits."""

    rows_in_them: int
    in_both_splits: int


class PriceSummary(Metrics):
    """Quantiles of the train prices."""

    min: float
    q25: float
    median: float
    q75: float
    max: float


class DataCounts(Metrics):
    """``data.json``: rows, duplicates and prices of the catalogue.

    `placeholder_links` has the rows of each link that most likely leads to no picture of a product.
    """

    train: KeptRows
    test: FlaggedRows
    placeholder_links: dict[str, int]
    groups: DuplicateGroups
    price: PriceSummary
    further_rows: int = 0

    @property
    def has_links(self) -> bool:
        """Whether any product has a picture's link."""
        total = self.train.kept + self.test.rows
        return self.train.without_link + self.test.without_link < total


class ImageCounts(Metrics):
    """``images.json``: distinct links, those with a picture and those without, by reason."""

    links: int
    ok: int
    placeholders: int
    failures: dict[str, int]


MetricsT = TypeVar("MetricsT", bound=Metrics)


def read_metrics(kind: type[MetricsT], path: Path) -> MetricsT:
    """Read one file.

    Parameters
    ----------
    kind : type of Metrics
        The model of the file's content.
    path : Path
        A JSON file.

    Raises
    ------
    DataError
        The file is missing, is not JSON, or lacks a key.
    """
    content = read_json(path)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{path}: {where}: {first['msg'].lower()}; run dvc repro"
        raise DataError(message) from None
