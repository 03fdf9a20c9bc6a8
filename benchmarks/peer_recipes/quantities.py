"""Amounts that the texts state, as the peers' descriptions say that they read them."""

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
    """Return the product's name, or the first line where the text names none."""
    found = TITLE.search(text)
    return found[1] if found else text.partition("\n")[0]


def unit(text: str) -> str:
    """Return what the line Unit says, in lower case; empty where there is none."""
    found = UNIT.search(text)
    return found[1].lower() if found else ""


def value(text: str, missing: float) -> float:
    """Return what the line Value says."""
    found = VALUE.search(text)
    return float(found[1]) if found else missing


def packs(text: str) -> float:
    """Return the number of packs that the title states; 1 where it states none."""
    found = PACK.search(title(text).lower())
    return float(found[1] or found[2]) if found else 1.0


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
