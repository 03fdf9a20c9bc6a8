"""Precision and recall of the quantities that are read from real titles.

`AMLC_COMPETITION=FOLDER python benchmarks/quantities.py` compares `parse_quantity` with
`quantities.csv`, which says what a person reads in some titles of the competition's train.csv: ids
and quantities alone, because the titles may not be passed on.

- `mass` and `volume` are the amount in one pack, as written (`oz` is a mass even of a liquid);
  without a number of packs, the whole amount. Nutrients and doses are no amounts.
- `packs` is the number of those packs: boxes, bottles, jars and cans as well.
- `pieces` is the number of pieces in one pack. Servings are no pieces.
- An empty cell: the title does not say. A question mark: it can be read in several ways; such a
  cell is not counted.

The titles of the sample `random` were drawn at random, those of `hard` from titles with a number
before another, a fraction, `(Pack of N)`, a count, dimensions, a range, two units or a case. The
samples `later` were drawn in the same way and labelled after the parser was written. Those of
`last` are random ones with a digit, labelled before the parser was tried on them, and so are those
of `unseen`; in those of `unseen counts` a number stands before a word in the plural. Of these 40,
19 of 20 packs and 15 of 16 pieces were read right at first, and of 40 further ones of that kind,
`unseen again`, 21 of 23 packs and 27 of 28 pieces; the faults were mended then.
"""

import argparse
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import checkout  # noqa: F401 - makes amlc importable

from amlc.catalog.content import title_of
from amlc.catalog.products import ID, TEXT
from amlc.catalog.quantities import Quantity, parse_quantity
from amlc.catalog.title_tokens import CUP, CUPS
from amlc.catalog.units import find_unit
from amlc.errors import DataError, run

LABELS = Path(__file__).with_name("quantities.csv")
FIELDS = ("packs", "pieces", "amount", "unit kind")
_NAMES = ("mass", "volume", "pieces", "packs")
_AMBIGUOUS = "?"
# Amounts in two units are often rounded.
_TOLERANCE = 0.03


@dataclass(frozen=True)
class Label:
    """What a person reads in one title.

    Parameters
    ----------
    sample : str
        How the title was chosen.
    quantities : dict of str to float
        By attribute of `Quantity`; 0 if the title does not state it. Ambiguous ones are left out.
    """

    sample: str
    quantities: dict[str, float]


@dataclass
class Counts:
    """How many quantities are stated, were read, and were read right."""

    stated: int = 0
    read: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        """The share of right quantities among those that were read."""
        return self.right / self.read if self.read else 1.0

    @property
    def recall(self) -> float:
        """The share of quantities that were read right among those that are stated."""
        return self.right / self.stated if self.stated else 1.0


def read_labels(path: Path = LABELS) -> dict[str, Label]:
    """Return the labels by sample_id."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {
            row[ID]: Label(
                row["sample"],
                {name: _number(row[name]) for name in _NAMES if row[name] != _AMBIGUOUS},
            )
            for row in csv.DictReader(stream)
        }


def _number(cell: str) -> float:
    number, _, unit = cell.partition(" ")
    return float(number or 0) * (CUP if unit in CUPS else find_unit(unit)).factor


def read_titles(path: Path, ids: set[str]) -> dict[str, str]:
    """Return the titles of some products of a train.csv by sample_id.

    Raises
    ------
    DataError
        The file lacks some of them.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        titles = {row[ID]: title_of(row[TEXT]) for row in rows if row[ID] in ids}
    if missing := ids - titles.keys():
        raise DataError(f"{path}: {len(missing)} of {len(ids)} labelled products are missing")
    return titles


def compare(label: Label, quantity: Quantity) -> Iterator[tuple[str, float, float]]:
    """Yield each field with its labelled and its read quantity.

    Mass and volume are both amounts. The unit kind is 1 if a quantity of the kind occurs.
    """
    for name, labelled in label.quantities.items():
        found = float(getattr(quantity, name))
        yield "amount" if name in {"mass", "volume"} else name, labelled, found
        if name != "packs":
            yield "unit kind", float(labelled > 0), float(found > 0)


def is_right(labelled: float, found: float) -> bool:
    """Return whether a stated quantity was read right."""
    return labelled > 0 and abs(found - labelled) <= _TOLERANCE * labelled


def score(labels: dict[str, Label], titles: dict[str, str]) -> dict[str, Counts]:
    """Return the counts of each field."""
    scores = {field: Counts() for field in FIELDS}
    for sample_id, label in labels.items():
        for field, labelled, found in compare(label, parse_quantity(titles[sample_id])):
            scores[field].stated += labelled > 0
            scores[field].read += found > 0
            scores[field].right += is_right(labelled, found)
    return scores


def table(labels: dict[str, Label], titles: dict[str, str]) -> str:
    """Return the scores of each sample and of all as a Markdown table."""
    header = ("titles", "field", "stated", "precision", "recall")
    text = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for sample in [*dict.fromkeys(label.sample for label in labels.values()), "all"]:
        chosen = {key: label for key, label in labels.items() if sample in {"all", label.sample}}
        for field, counts in score(chosen, titles).items():
            text.append(
                f"| {sample} ({len(chosen)}) | {field} | {counts.stated} "
                f"| {counts.precision:.1%} | {counts.recall:.1%} |"
            )
    return "\n".join(text)


def differences(labels: dict[str, Label], titles: dict[str, str]) -> Iterator[str]:
    """Yield each title that is read otherwise than by a person, with what differs."""
    for sample_id, label in labels.items():
        wrong = [
            f"{field} {found:g}, not {labelled:g}"
            for field, labelled, found in compare(label, parse_quantity(titles[sample_id]))
            if (labelled or found) and not is_right(labelled, found)
        ]
        if wrong:
            yield f"{sample_id}: {'; '.join(wrong)}\n    {titles[sample_id]}"


def main() -> None:
    """Print the table, and on request every difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--differences", action="store_true", help="list what is read wrong")
    arguments = parser.parse_args()
    folder = os.environ.get("AMLC_COMPETITION")
    if not folder:
        raise DataError("AMLC_COMPETITION names no folder with the competition's train.csv")
    labels = read_labels()
    titles = read_titles(Path(folder) / "train.csv", set(labels))
    print(table(labels, titles))
    ambiguous = sum(len(_NAMES) - len(label.quantities) for label in labels.values())
    print(f"\n{ambiguous} ambiguous quantities are not counted")
    if arguments.differences:
        print("\n".join(differences(labels, titles)))


if __name__ == "__main__":
    run(main)
