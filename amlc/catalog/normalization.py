"""Unicode normalisation in linear time."""

import re
import unicodedata

# Unicode's Stream-Safe Text Format (UAX 15, section 13): no language needs more in a row.
_MAX_MARKS = 30
# A run that may have more. All marks but two are neither ASCII nor letters nor digits.
_SUSPECT = re.compile(rf"(?:[^\x00-\x7f\w]|[\uff9e\uff9f]){{{_MAX_MARKS + 1},}}")


def nfkc(text: str) -> str:
    """Return a text in Unicode's form NFKC, without the marks after the 30th on one letter.

    Parameters
    ----------
    text : str
        Any text. Putting the marks on a letter into their order takes time that grows with the
        square of their number.

    Examples
    --------
    >>> nfkc("2\N{SUPERSCRIPT TWO}"), len(nfkc("a" + 99 * "\N{COMBINING TILDE BELOW}"))
    ('22', 31)
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _SUSPECT.sub(_without_excess, text))


def _without_excess(match: re.Match[str]) -> str:
    kept, marks = [], 0
    for character in match[0]:
        is_mark = unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
        marks = marks + 1 if is_mark else 0
        if marks <= _MAX_MARKS:
            kept.append(character)
    return "".join(kept)
