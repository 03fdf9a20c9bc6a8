"""Numbers, prices and dates by the format that `data.read` declares."""

import re
from datetime import UTC, date, datetime

from amlc.catalog.columns import ReadSettings

MAX_LENGTH = 64  # characters of a number or a date
# A currency's sign or code, in front of or behind a number.
_CODE = r"[A-Z]{3}|usd|eur|gbp|inr|Rs\.?|kr\.?|z\u0142|K\u010d|Ft|lei"
_SIGN = rf"(?:[A-Z]{{1,3}})?[\u0024\u00a3\u00a5\u20a0-\u20c0\u0e3f]|{_CODE}"
_WITH_SIGN = re.compile(
    rf"(?P<before>{_SIGN})?\s*(?P<number>[+-]?[\d.,'\s]*\d)\s*(?P<after>{_SIGN})?"
)
# Spaces that stand between thousands: the usual one, and those that do not break a line.
_SPACES = " \u00a0\u202f\u2009"


def without_sign(text: str) -> tuple[str, str]:
    """Split an amount into its number and its currency.

    Parameters
    ----------
    text : str
        An amount; a sign or a code may stand on one side of the number.

    Returns
    -------
    number, sign : str
        The text as it is, and no sign, if it is not such an amount.

    Examples
    --------
    >>> without_sign("$1,299.00"), without_sign("1,97 EUR"), without_sign("about 5 dollars")
    (('1,299.00', '$'), ('1,97', 'EUR'), ('about 5 dollars', ''))
    """
    stripped = text.strip()
    match = _WITH_SIGN.fullmatch(stripped) if len(stripped) <= MAX_LENGTH else None
    if match is None or (match["before"] and match["after"]):
        return text, ""
    return match["number"], match["before"] or match["after"] or ""


def plain_number(text: str, read: ReadSettings) -> str:
    """Return a number as Python writes it; a text that is not in the declared format, as it is.

    Thousands have to be grouped by three, so that ``12,50`` is not read as 1250.

    Parameters
    ----------
    text : str
        A number without a currency.
    read : ReadSettings
        The marks.

    Examples
    --------
    >>> from amlc.catalog.columns import PLAIN
    >>> comma = PLAIN.model_copy(update={"decimal": ",", "thousands": "."})
    >>> [plain_number(text, comma) for text in ("12,50", "1.299,00", "12.50")]
    ['12.50', '1299.00', "12.50: not with decimal ','"]
    """
    number = text.strip()
    if read.decimal == "." and read.thousands is None:
        return text
    if len(number) > MAX_LENGTH:
        return text
    whole, mark, fraction = number.partition(read.decimal)
    if read.thousands is not None:
        mark_of_thousands = f"[{_SPACES}]" if read.thousands == " " else re.escape(read.thousands)
        if re.fullmatch(rf"[+-]?\d{{1,3}}(?:{mark_of_thousands}\d{{3}})+", whole, re.ASCII):
            whole = re.sub(mark_of_thousands, "", whole)
    if read.decimal == "," and "." in whole + fraction:
        # It must not pass for a number with a point.
        return f"{number}: not with decimal ','"
    return f"{whole}.{fraction}" if mark else whole


def number_cell(number: float, read: ReadSettings) -> str:
    """Return a number as a cell in the declared format.

    Examples
    --------
    >>> from amlc.catalog.columns import PLAIN
    >>> number_cell(1299.5, PLAIN.model_copy(update={"decimal": ",", "thousands": "."}))
    '1299,5'
    """
    return repr(number).replace(".", read.decimal)


def parse_date(text: str, date_format: str) -> date | None:
    """Return the day that a text names, in UTC if it has a time zone; None if it names none.

    Parameters
    ----------
    text : str
        A date, with or without a time.
    date_format : str
        ``iso``, or a format of `datetime.strptime`.

    Examples
    --------
    >>> parse_date("2024-02-29T23:30:00-05:00", "iso"), parse_date("29.02.2023", "%d.%m.%Y")
    (datetime.date(2024, 3, 1), None)
    """
    text = text.strip()
    if not text or len(text) > MAX_LENGTH:
        return None
    try:
        if date_format == "iso":
            moment = datetime.fromisoformat(text)
        else:
            moment = datetime.strptime(text, date_format)  # noqa: DTZ007 - most dates have no zone
        return (moment.astimezone(UTC) if moment.tzinfo is not None else moment).date()
    except (ValueError, OverflowError):
        return None
