"""Plain tables as text for a terminal and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from amlc.report.cleaning import clean

# Longest value of a parameter that a table shows, in characters.
VALUE_LENGTH = 36
NAME_LENGTH = 48


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    header : tuple of str
        Names of the columns; the first says what the rows are.
    rows : sequence of tuple of str
        The cells.
    left : bool
        Whether all columns start at the left; else all but the first end at the right.
    """

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    left: bool = False

    def text(self) -> str:
        """Return the table for a terminal."""
        lines = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(self._line(line, widths) for line in lines)

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        first, *others = zip(cells, widths, strict=True)
        aligned = [cell.ljust(width) if self.left else cell.rjust(width) for cell, width in others]
        return "  ".join([first[0].ljust(first[1]), *aligned]).rstrip()

    def markdown(self) -> str:
        """Return the table as Markdown."""
        sides = ["---", *(["---"] if self.left else ["---:"]) * (len(self.header) - 1)]
        return "\n".join(
            f"| {' | '.join(map(_escaped, cells))} |" for cells in (self.header, sides, *self.rows)
        )


def _escaped(cell: str) -> str:
    for character in "\\|<`*_":
        cell = cell.replace(character, f"\\{character}" if character != "<" else "&lt;")
    return cell


def value(content: Any) -> str:
    """Return a parameter's value in a few characters; an absent one as a dash.

    Examples
    --------
    >>> value([1.0, None, True]), value(None), value({})
    ('[1.0, null, true]', 'null', '{}')
    """
    return clean(_value(content), VALUE_LENGTH)


def _value(content: Any) -> str:
    if content is None:
        return "null"
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, list):
        return f"[{', '.join(map(_value, content[:VALUE_LENGTH]))}]"
    return str(content)


def joined(parts: Iterable[str], width: int) -> str:
    """Return as many of the parts, with commas, as fit, and the number of the others.

    Examples
    --------
    >>> joined(["seed=1", "threads=2", "data.folds=3"], 24)
    'seed=1 and 2 more'
    """
    texts = list(parts)
    for count in range(len(texts), 0, -1):
        rest = len(texts) - count
        text = ", ".join(texts[:count]) + (f" and {rest} more" if rest else "")
        if len(text) <= width:
            return text
    return clean(texts[0], width) if texts else ""
