"""Amounts in the texts, parsed as the descriptions of the peers say."""

import re

import numpy as np
import pandas as pd

VALUE = re.compile(r"^Value:\s*(\d+(?:\.\d+)?)", re.MULTILINE)
UNIT = re.compile(r"^Unit:\s*(\S.*?)\s*$", re.MULTILINE)
PACK = re.compile(r"\b(?:pack|case|set|box) of (\d{1,4})\b|\b(\d{1,4})[ -]?(?:pack|pk|count|ct)\b")
AMOUNT = re.compile(
    r"(?<![\w.])(\d+(?:\.\d+)?)[ -]?(kg|g|grams?|lbs?|pounds?|fl\.? ?oz|fluid ounces?|oz|ounces?"
    r"|ml|l|liters?)\b"
)
TITLE = re.compile(r"^Item Name:\s*(.*)$", re.MULTILINE)
# Grams or millilitres in one of each unit.
GRAMS = {"kg": 1000.0, "g": 1.0, "gram": 1.0, "lb": 453.592, "pound": 453.592}
GRAMS |= {"oz": 28.3495, "ounce": 28.3495}
MILLILITRES = {"ml": 1.0, "l": 1000.0, "liter": 1000.0, "floz": 29.5735, "fluidounce": 29.5735}


def title(text: str) -> str:
    """Return the product's name, or the first line of a text without one."""
    match = TITLE.search(text)
    return match[1] if match else text.partition("\n")[0]


def unit(text: str) -> str:
    """Return the text of the line Unit in lower case; empty if there is none."""
    match = UNIT.search(text)
    return match[1].lower() if match else ""


def value(text: str, missing: float) -> float:
    """Return the number in the line Value, or `missing` if there is none."""
    match = VALUE.search(text)
    return float(match[1]) if match else missing


def packs(text: str) -> float:
    """Return the number of packs that the title states; 1 where it states none."""
    match = PACK.search(title(text).lower())
    return float(match[1] or match[2]) if match else 1.0


def contents(text: str) -> tuple[float, float]:
    """Return the first grams and the first millilitres that the title states; 0 for none."""
    grams = millilitres = 0.0
    for number, name in AMOUNT.findall(title(text).lower()):
        plain = re.sub(r"[. ]", "", name).removesuffix("s")
        grams = grams or float(number) * GRAMS.get(plain, 0.0)
        millilitres = millilitres or float(number) * MILLILITRES.get(plain, 0.0)
    return grams, millilitres


def numbers(texts: list[str]) -> pd.DataFrame:
    """Return the logarithms of amounts and lengths, one row per text."""
    rows = []
    for text in texts:
        stated, count = value(text, 0.0), packs(text)
        grams, millilitres = contents(text)
        amounts = (stated, count, stated * count, grams, millilitres)
        totals = (grams * count, millilitres * count, len(text), len(text.split()))
        rows.append((*amounts, *totals, len(re.findall(r"\d", text))))
    names = ["value", "packs", "value_packs", "grams", "millilitres", "total_grams"]
    names += ["total_millilitres", "characters", "words", "digits"]
    return pd.DataFrame(np.log1p(np.array(rows, dtype=np.float64)), columns=names)
