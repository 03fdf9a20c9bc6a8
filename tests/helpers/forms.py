"""Other forms in which a catalogue text may come."""

import re
from collections.abc import Callable


def escaped(text: str) -> str:
    """Return a text whose line breaks were written as a backslash and a letter."""
    return text.replace("\n", "\\n")


def escaped_as_on_windows(text: str) -> str:
    """Return a text whose Windows line breaks were written as backslashes and letters."""
    return text.replace("\n", "\\r\\n")


def indented(text: str) -> str:
    """Return a text with spaces before each line."""
    return "".join(f"   {line}" for line in text.splitlines(keepends=True))


def in_lower_case_labels(text: str) -> str:
    """Return a text whose labels are in lower case."""
    return re.sub(r"(?m)^[\w ]+:", lambda match: match[0].lower(), text)


def in_upper_case_labels(text: str) -> str:
    """Return a text whose labels are in capital letters."""
    return re.sub(r"(?m)^[\w ]+:", lambda match: match[0].upper(), text)


def in_one_line(text: str) -> str:
    """Return a text with a space for each line break."""
    return text.replace("\n", " ")


FORMS: list[Callable[[str], str]] = [
    escaped,
    escaped_as_on_windows,
    indented,
    in_lower_case_labels,
    in_upper_case_labels,
    in_one_line,
]
