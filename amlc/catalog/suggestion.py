"""A map of columns suggested for a file, with examples and doubts: ``amlc columns``."""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import yaml

from amlc.catalog.amounts import parse_date, plain_number, without_sign
from amlc.catalog.columns import PLAIN, ColumnMap, ReadSettings
from amlc.catalog.content import is_missing
from amlc.catalog.layouts import find_layout
from amlc.catalog.opening import open_bytes
from amlc.catalog.reading import cell_limit
from amlc.catalog.tables import open_table
from amlc.catalog.validation import price_error
from amlc.errors import DataError

SAMPLE_ROWS = 2000
_MAX_BYTES = 10**9  # once decompressed
_START_BYTES = 2**18  # by which encoding and separator are guessed
_EXAMPLES, _SHOWN = 3, 40
_SEPARATORS = ",;\t|"
_PICTURE = re.compile(r"\S.{0,2000}\.(?:jpe?g|png|webp|gif|jfif)(?:\?\S*)?", re.IGNORECASE)
_PICTURE_LIST = re.compile(
    r"(?:(?<=\.jpg)|(?<=\.png)|(?<=\.jpeg)|(?<=\.webp))\s?[,;| ]\s?(?=\S)", re.IGNORECASE
)
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
# Words in the names of columns.
_IDS = re.compile(r"(?:^|[\s_-])(?:id|sku|asin|ean|gtin|upc|code|handle)$|^id\b", re.IGNORECASE)
_PRICES = re.compile(r"price|prix|preis|precio|mrp|cost\b|amount", re.IGNORECASE)
_PICTURES = re.compile(r"image|img|picture|photo|thumb", re.IGNORECASE)
_TITLES = re.compile(r"^(?:title|name|.*(?:product|item)[\s_]?(?:title|name))$", re.IGNORECASE)
_LONG = re.compile(r"description|body|feature|detail|about|spec|ingredient", re.IGNORECASE)
_QUANTITIES = re.compile(r"^(?:quantity|net[\s_]?weight|pack[\s_]?size|size|qty)$", re.IGNORECASE)
_CATEGORIES = re.compile(r"brand|vendor|manufacturer|maker|categor|type|department", re.IGNORECASE)
_LATER = re.compile(r"rating|review|discount|\bsold\b", re.IGNORECASE)
_OWN_KINDS = ("categories", "numbers", "dates")
_AMOUNT = re.compile(r"\d[\d.,]*\s*[a-zA-Z][a-zA-Z. ]{0,15}")
# A category repeats itself: it has at most this share of distinct values, or few.
_SHARE_OF_VALUES, _FEW_VALUES = 0.2, 20
_WORDS = 12  # mean length of a text, in characters
_MOST = 0.9  # share of the filled cells that has to fit


@dataclass(frozen=True)
class Suggestion:
    """What a file seems to be.

    Parameters
    ----------
    path : Path
    layout : str
        The name of a known layout; empty if it is none.
    columns : ColumnMap or None
        None without a column that could be the price or a text.
    read : ReadSettings
    examples : dict of str to tuple of str
        A few filled cells of each column.
    doubts : tuple of str
        What to look at before using the map.
    rows : int
        The number of rows that were looked at.
    """

    path: Path
    layout: str
    columns: ColumnMap | None
    read: ReadSettings
    examples: dict[str, tuple[str, ...]]
    doubts: tuple[str, ...]
    rows: int


def suggest(path: Path) -> Suggestion:
    """Look at the first rows of a file, and suggest a map of its columns.

    Parameters
    ----------
    path : Path
        A file in any of the formats that `amlc.catalog.tables.open_table` reads.

    Raises
    ------
    DataError
        The file cannot be read, or is no table.
    """
    doubts: list[str] = []
    try:
        read = _guess_reading(path, doubts)
        with (
            path.open("rb") as file,
            open_table(file, str(path), read, _MAX_BYTES, strict=False) as table,
        ):
            header = table.header
            rows = [cells for _, cells, _ in islice(table.records, SAMPLE_ROWS)]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if not rows:
        raise DataError(f"{path}: has no rows below its header")
    ragged = sum(len(cells) != len(header) for cells in rows)
    if ragged:
        doubts.append(f"{ragged:,} of {len(rows):,} rows have another number of cells")
    if len(set(header)) < len(header):
        doubts.append("some columns have the same name")
    columns = {
        name: [cells[index].strip() if index < len(cells) else "" for cells in rows]
        for index, name in enumerate(header)
    }
    layout = find_layout(header)
    if layout is not None:
        chosen: ColumnMap | None = layout.map(header)
        doubts += layout.notes
        read = read.model_copy(update=layout.read)
    else:
        chosen, read = _guess_map(columns, read, doubts)
    if chosen is not None and chosen.price in columns:
        read = _guess_prices(chosen.price, columns[chosen.price], read, doubts)
    examples = {name: _examples(cells) for name, cells in columns.items()}
    name = "" if layout is None else layout.name
    return Suggestion(path, name, chosen, read, examples, tuple(doubts), len(rows))


# How the file is written.


def _guess_reading(path: Path, doubts: list[str]) -> ReadSettings:
    """Return the encoding and the separator that a text file seems to have."""
    with path.open("rb") as file:
        if file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            return _with_separator(path, PLAIN.model_copy(update={"encoding": "utf-16"}))
        file.seek(0)
        with open_bytes(file, str(path), PLAIN, _MAX_BYTES, strict=False) as (kind, content):
            if kind != "text":
                return PLAIN
            start = content.read(_START_BYTES)
    read = PLAIN
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        read = PLAIN.model_copy(update={"encoding": "windows-1252"})
        doubts.append("the encoding: it is not UTF-8, so that windows-1252 is a guess")
    return _with_separator(path, read)


def _with_separator(path: Path, read: ReadSettings) -> ReadSettings:
    with (
        path.open("rb") as file,
        open_bytes(file, str(path), read, _MAX_BYTES, strict=False) as (_, content),
    ):
        text = content.read(_START_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")
    if text.startswith("sep=") and text[4:5] in _SEPARATORS:
        return read.model_copy(update={"separator": text[4]})
    widths = {mark: _width(text, mark) for mark in _SEPARATORS}
    best = max(widths, key=lambda mark: widths[mark])
    return read.model_copy(update={"separator": best if widths[best] > 1 else ","})


def _width(text: str, separator: str) -> int:
    """Return the number of columns with this separator, 0 if the first rows do not agree on it."""
    lines = text.splitlines(keepends=True)[:200]
    try:
        with cell_limit:
            rows = list(islice(csv.reader(lines, delimiter=separator), 20))
    except csv.Error:
        return 0
    filled = [len(row) for row in rows[:-1] or rows if row]
    if not filled or filled[0] != max(set(filled), key=filled.count):
        return 0
    return filled[0]


def _guess_prices(
    name: str, cells: Sequence[str], read: ReadSettings, doubts: list[str]
) -> ReadSettings:
    """Return the settings with which most prices can be read."""
    filled = [cell for cell in cells if not is_missing(cell)]
    if len(filled) < len(cells):
        doubts.append(
            f"{name}: {len(cells) - len(filled):,} of {len(cells):,} rows have no price: they are "
            "left out of training, and priced"
        )
    choices = [
        read.model_copy(update={"decimal": mark, "thousands": group, "currency_signs": signs})
        for signs in (False, True)
        for mark, group in ((".", None), (",", None), (".", ","), (",", "."), (",", " "))
    ]
    best = max(choices, key=lambda choice: sum(_is_price(cell, choice) for cell in filled))
    wrong = [cell for cell in filled if not _is_price(cell, best)]
    if wrong:
        doubts.append(
            f"{name}: {len(wrong):,} of {len(filled):,} are not prices, for example "
            f"{wrong[0][:_SHOWN]!r}: data.on_invalid: drop leaves such rows out"
        )
    return best


def _is_price(cell: str, read: ReadSettings) -> bool:
    number = without_sign(cell)[0] if read.currency_signs else cell
    return not price_error(plain_number(number, read))


# What the columns are.


class _Columns:
    """The columns whose use is not found yet.

    Parameters
    ----------
    columns : dict of str to list of str
        The cells of each column.
    doubts : list of str
        Gets a sentence wherever several columns would do.
    """

    def __init__(self, columns: dict[str, list[str]], doubts: list[str]) -> None:
        self.left = dict(columns)
        self._doubts = doubts

    def take(self, what: str, is_it: Callable[[str, list[str]], bool]) -> str | None:
        """Return the first column that passes a test, which is then no longer among those left."""
        found = [name for name, cells in self.left.items() if is_it(name, cells)]
        if len(found) > 1:
            others = ", ".join(map(repr, found[1:4]))
            self._doubts.append(f"{what}: {found[0]!r}, but it could be {others}")
        if found:
            del self.left[found[0]]
        return found[0] if found else None


def _guess_map(
    columns: dict[str, list[str]], read: ReadSettings, doubts: list[str]
) -> tuple[ColumnMap | None, ReadSettings]:
    """Return a map by the names of columns and by their cells; None without price or text."""
    search = _Columns(columns, doubts)
    found = {
        "price": search.take("the price", _is_price_column),
        "id": search.take("the id", _is_id),
        "image": search.take("the picture", _is_picture),
        "currency": search.take("the currency", lambda name, _: name.casefold() == "currency"),
        "quantity": search.take("the quantity", _is_quantity),
    }
    title = search.take("the title", lambda name, _: bool(_TITLES.match(name)))
    kinds: dict[str, list[str]] = {kind: [] for kind in ("text", *_OWN_KINDS)}
    for name, cells in search.left.items():
        if kind := _kind(name, cells):
            kinds[kind].append(name)
    if title is not None:
        kinds["text"].insert(0, title)
    needed = {"price": found["price"], "text": kinds["text"]}
    missing = [kind for kind, columns_found in needed.items() if not columns_found]
    if missing:
        doubts += [f"no column looks like a {kind}" for kind in missing]
        return None, read
    if title is None:
        doubts.append(f"the title: no column is named so; {kinds['text'][0]!r} is taken")
    if found["id"] is None:
        doubts.append("no column has an id of its own in every row: rows are numbered")
    if (image := found["image"]) is not None:
        read = _guess_pictures(image, columns[image], read, doubts)
    if (currency := found["currency"]) is not None and len(set(columns[currency]) - {""}) < 2:
        found["currency"] = None
    later = "is known only after the price"
    doubts += [f"{name}: leave it out if it {later}" for name in kinds["numbers"]]
    doubts += [f"{name}: left out, as it {later}" for name in search.left if _LATER.search(name)]
    return ColumnMap.model_validate({"product": [], **found, **kinds}), read


def _is_price_column(name: str, cells: list[str]) -> bool:
    return bool(_PRICES.search(name)) and _has_numbers(cells)


def _is_quantity(name: str, cells: list[str]) -> bool:
    return bool(_QUANTITIES.match(name)) and _most(cells, _AMOUNT.fullmatch)


def _kind(name: str, cells: list[str]) -> str:
    """Return the key of the map for a column; empty if it seems to be of no use."""
    filled = [cell for cell in cells if not is_missing(cell)]
    distinct = set(filled)
    if len(distinct) < 2 or _LATER.search(name) or _most(filled, _LINK.match):
        return ""
    if _has_numbers(filled):
        return "numbers" if len(distinct) > _FEW_VALUES else "categories"
    if _most(filled, lambda cell: parse_date(cell, "iso")):
        return "dates"
    if _is_category(name, filled, distinct):
        return "categories"
    return "text" if _LONG.search(name) or sum(map(len, filled)) >= _WORDS * len(filled) else ""


def _is_category(name: str, filled: list[str], distinct: set[str]) -> bool:
    if _CATEGORIES.search(name):
        return len(distinct) <= len(filled) / 2
    few = max(_FEW_VALUES, _SHARE_OF_VALUES * len(filled))
    return len(distinct) <= few and max(map(len, distinct)) <= 100 and not _LONG.search(name)


def _is_id(name: str, cells: list[str]) -> bool:
    filled = {cell for cell in cells if cell}
    return bool(_IDS.search(name)) and len(filled) >= 0.99 * len(cells)


def _is_picture(name: str, cells: list[str]) -> bool:
    filled = [cell for cell in cells if not is_missing(cell)]
    if not filled:
        return False
    if _PICTURES.search(name):
        return _most(filled, _LINK.match) or _most(filled, _PICTURE.match)
    return _most(filled, lambda cell: _PICTURE.fullmatch(cell) and " " not in cell)


def _guess_pictures(
    name: str, cells: list[str], read: ReadSettings, doubts: list[str]
) -> ReadSettings:
    filled = [cell for cell in cells if not is_missing(cell)]
    update: dict[str, str] = {}
    if not _most(filled, _LINK.match):
        update["images"] = "paths"
        doubts.append(f"{name}: set images.mirror to the folder in which these paths begin")
    for mark in (", ", ",", ";", "|", " "):
        if any(len(_PICTURE_LIST.split(cell)) > 1 and mark in cell for cell in filled[:100]):
            update["image_separator"] = mark
            break
    return read.model_copy(update=update)


def _has_numbers(cells: Sequence[str]) -> bool:
    return _most(cells, lambda cell: re.search(r"\d", cell) and _is_number(cell))


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[\d.,'\s]+", without_sign(cell)[0]))


def _most(cells: Sequence[str], test: Callable[[str], object]) -> bool:
    filled = [cell for cell in cells if not is_missing(cell)]
    return bool(filled) and sum(bool(test(cell)) for cell in filled) >= _MOST * len(filled)


# What is printed.


def _examples(cells: Sequence[str]) -> tuple[str, ...]:
    filled = dict.fromkeys(cell[:_SHOWN] for cell in cells if cell)
    return tuple(islice(filled, _EXAMPLES))


def describe(suggestion: Suggestion) -> str:
    """Return the columns with examples, the doubts, and the map as YAML, ready to be pasted.

    Parameters
    ----------
    suggestion : Suggestion
        What `suggest` returned.
    """
    lines = list(_comments(suggestion))
    if suggestion.columns is None:
        return "\n".join(lines)
    data = {
        "dir": str(suggestion.path.parent),
        "train": suggestion.path.name,
        "test": None,
        "columns": suggestion.columns.model_dump(),
        "read": suggestion.read.model_dump(),
    }
    text = yaml.safe_dump({"data": data}, sort_keys=False, allow_unicode=True, width=100)
    return "\n".join([*lines, text.rstrip()])


def _comments(suggestion: Suggestion) -> Iterator[str]:
    layout = f", {suggestion.layout}" if suggestion.layout else ""
    yield f"# {suggestion.path}{layout}: the first {suggestion.rows:,} rows were looked at"
    uses = {} if suggestion.columns is None else _uses(suggestion.columns)
    width = min(max(map(len, suggestion.examples), default=0), _SHOWN)
    for name, examples in suggestion.examples.items():
        shown = ", ".join(map(repr, examples)) or "(empty)"
        use = ", ".join(uses.get(name, ())) or "not used"
        yield f"#   {name[:_SHOWN]:{width}}  {use}: {shown}"
    if suggestion.doubts:
        yield "# Look at this first:"
        yield from (f"#   {doubt}" for doubt in suggestion.doubts)
    if suggestion.columns is not None:
        yield "# Paste these keys over those of the same names in params.yaml:"


def _uses(columns: ColumnMap) -> dict[str, list[str]]:
    uses: dict[str, list[str]] = {}
    for kind, named in columns.model_dump().items():
        for name in [named] if isinstance(named, str) else named or []:
            uses.setdefault(name, []).append(kind)
    return uses
