"""The quantities that a title states: mass and volume, the number of pieces and of packs."""

import math
from dataclasses import dataclass

from amlc.catalog.quantity_words import (
    BEFORE_OF,
    CASES,
    COUNTS,
    HOLDERS,
    MAKES,
    NOT_DESCRIBING,
    NUMBERED,
    NUTRIENTS,
    SHARES,
    UNITS,
    WRAPPED,
)
from amlc.catalog.title_tokens import (
    CUP,
    CUPS,
    LENGTHS,
    NUMBER_WORDS,
    PACKS,
    Role,
    Title,
)
from amlc.catalog.units import find_unit

# Upper limits: a larger number is most likely an article number.
_MAX_PACKS = 2_000
_MAX_PIECES = 100_000
_MAX_AMOUNT = 1_000_000
# A number alone in parentheses, as in "8 oz (2)", counts packs up to this.
_MAX_LONE = 144
# A number before "natural wood sticks", likewise.
_MAX_DESCRIBED = 1_000
# Grams of a nutrient, up to which they are those in a serving.
_MAX_NUTRIENT = 60.0
# A shorter word is a misspelt unit: "180z bottles".
_MIN_WORD = 2
# An amount in two units is often rounded.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Quantity:
    """The quantities that a title states; 0 for those that it does not state.

    Parameters
    ----------
    mass : float
        Grams in one pack: the largest stated amount that is not the total of all packs.
    volume : float
        Millilitres in one pack, likewise.
    pieces : float
        Pieces in one pack: the largest stated number that is not the total of all packs.
    packs : float
        The product of the distinct stated pack counts, at most 2,000; boxes, bottles and the like
        count as packs where nothing else does.
    """

    mass: float
    volume: float
    pieces: float
    packs: float


def parse_quantity(title: str) -> Quantity:
    """Read amounts, pieces and packs from a title.

    Parameters
    ----------
    title : str
        As written; only its first 2,000 characters are read.

    Examples
    --------
    >>> parse_quantity("Lemon Soda, 12 Fl Oz Cans, Pack of 6").packs
    6.0
    >>> round(parse_quantity("Lemon Soda, 12 Fl Oz Cans, Pack of 6").volume)
    355
    >>> parse_quantity("Pantry Salt, 3 x 100 g")
    Quantity(mass=100.0, volume=0.0, pieces=0.0, packs=3.0)
    """
    reader = _Reader(Title(title))
    reader.read()
    return reader.quantity()


class _Reader:
    """Read a title from left to right, one number after the other."""

    def __init__(self, title: Title) -> None:
        self.title = title
        self.texts = title.texts
        # Grams or millilitres; with pieces, a flag for the total of all packs.
        self.amounts: dict[str, list[tuple[float, bool]]] = {"mass": [], "volume": []}
        self.pieces: list[tuple[float, bool]] = []
        self.packs: list[float] = []
        self.sets: list[float] = []
        self.containers: list[float] = []
        self.amount_end = -1

    def read(self) -> None:
        """Collect what the title states."""
        end = 0
        for position, (text, value) in enumerate(zip(self.texts, self.title.values, strict=True)):
            if position >= end:
                if value:
                    end = self._read_number(position)
                elif text in BEFORE_OF:
                    end = self._read_after_pack(position)

    # Looking around.

    def _is_total(self, position: int, end: int) -> bool:
        before = {self.texts[position - 1], self.texts[position - 2]}
        return "total" in before or self.texts[end] == "total"

    def _is_made(self, position: int) -> bool:
        for before in range(position - 1, position - 4, -1):
            if self.texts[before] in MAKES:
                return True
            if not self.texts[before].isalnum():
                break
        return False

    def _is_content(self, position: int) -> bool:
        """Return whether a position has "20 bag" or "5 lb poly bags"."""
        if not self.title.values[position]:
            return False
        role = self.title.role(position + 1)
        ends = (role.end, role.end + 1) if role.name == "amount" else (position + 1,)
        return any(self.title.role(end).name in {"piece", "container"} for end in ends)

    # Reading what begins at a position. Each method returns the position after it, or 0 if the
    # title does not have this form there.

    def _read_after_pack(self, position: int) -> int:
        """Read "Pack of 6", "Box of 20 Tea Bags" or "(Pack 6)"."""
        word = self.texts[position]
        if self.texts[position + 1] == "of":
            start = self.title.skip(position + 2, ":", "(", "approx", ".")
        elif word == "pack" and self.texts[position + 2] in {")", ""}:
            start = position + 1
        else:
            return position + 1
        count, role = self.title.count(start), self.title.role(start + 1)
        if not count or role.name == "amount" or self.texts[start + 1] in {"x", "/"}:
            return start
        if role.name == "piece" and (word not in PACKS or role.words not in WRAPPED):
            self.pieces.append((count, False))
        else:
            (self.sets if word.startswith("set") else self.packs).append(count)
        return role.end if role.name in {"piece", "container"} else start + 1

    def _read_number(self, position: int) -> int:
        if end := (
            self._read_product(position) or self._read_ratio(position) or self._read_range(position)
        ):
            return end
        after = self._after_restated(position)
        role = self.title.role(after)
        if role.name == "amount":
            return self._read_amount(position, role)
        count = self.title.count(position)
        if not count or role.name == "length":
            return max(role.end, after)
        return (
            self._read_share(count, role)
            or self._read_counted(position, count, role)
            or self._read_lone(position, count, after)
            or self._read_described(position, count, after)
            or after
        )

    def _after_restated(self, position: int) -> int:
        """Return the position after "6", "Six(6)" or "8 (eight)"."""
        is_restated = (
            self.texts[position + 1] == "("
            and self.texts[position + 3] == ")"
            and self.title.values[position + 2] == self.title.values[position]
        )
        return position + (4 if is_restated else 1)

    def _read_product(self, position: int) -> int:
        """Read "3 x 100 g", "6x18 ct" or a size: "9 x 13", "8 in x 10 in"."""
        factors, is_size = [position], False
        end = position + 1
        while True:
            mark = self.title.skip(end, "-", *LENGTHS, *(("l",) if is_size else ()))
            if self.texts[mark] != "x" or not self.title.values[mark + 1]:
                break
            is_size = is_size or mark > end
            factors.append(mark + 1)
            end = mark + 2
        if len(factors) == 1:
            return 0
        role = self.title.role(end)
        *counts, last = factors
        packs = math.prod(self.title.count(factor) for factor in counts)
        if is_size or not packs or role.name in {"length", ""}:
            return last if role.name == "amount" and not is_size else end
        if role.name in {"amount", "piece"}:
            self.packs.append(packs)
            return self._read_number(last)
        self.packs.append(packs * self.title.count(last))
        return role.end

    def _read_ratio(self, position: int) -> int:
        """Read "16/4 oz" or "6/3 ct": packs, and the amount or the pieces of each."""
        is_ratio = self.texts[position + 1] == "/" and self.title.joined[position + 1]
        if not is_ratio or not self.title.values[position + 2] or self.texts[position - 1] == "/":
            return 0
        count, role = self.title.count(position), self.title.role(position + 3)
        if count and role.name in {"amount", "piece", "pack"}:
            self.packs.append(count)
            if role.name == "pack":
                self.pieces.append((self.title.values[position + 2], False))
                return role.end
        return position + 2

    def _read_range(self, position: int) -> int:
        """Read "12 - 8 oz", which is 12 packs, or "2 to 3 oz", of which the last counts."""
        joint = self.texts[position + 1]
        count, amount = self.title.count(position), self.title.values[position + 2]
        role = self.title.role(position + 3)
        if joint not in {"-", "to"} or not count or not amount or role.name != "amount":
            return 0
        is_contained = self.title.role(role.end).name in HOLDERS
        if joint == "-" and (count > amount or is_contained or amount >= 4 * count):
            self.packs.append(count)
        return position + 2

    def _read_amount(self, position: int, role: Role) -> int:
        """Read "12 oz", "12 oz x 6"."""
        value = self.title.values[position]
        unit = CUP if role.words in CUPS else find_unit(role.words)
        following = [self.texts[role.end + step] for step in range(3)]
        is_in_serving = (
            unit.name == "gram" and value <= _MAX_NUTRIENT and NUTRIENTS.intersection(following)
        ) or following[:2] == ["per", "serving"]
        if not is_in_serving and not self._is_made(position) and value <= _MAX_AMOUNT:
            total = self._is_total(position, role.end)
            self.amounts[unit.kind].append((value * unit.factor, total))
            self.amount_end = role.end
        factor = self.title.skip(role.end, ".", ")") + 1
        if self.texts[factor - 1] == "x" and (count := self.title.count(factor)):
            counted = self.title.role(factor + 1)
            if counted.name not in {"amount", "length"}:
                self.packs.append(count)
                return max(counted.end, factor + 1)
        return role.end

    def _read_share(self, count: float, role: Role) -> int:
        """Read "12 per case", "20/box", "24 in a pack", "15 mints per package", "4 ct / 5 lb"."""
        end = role.end
        if self.texts[end] == "/" and role.words in UNITS and self._is_content(end + 1):
            self.packs.append(count)
            return end + 1
        is_plural = self.texts[end].isalpha() and self.texts[end][-1] == "s"
        if not role.name and is_plural and self.texts[end] not in SHARES:
            end += self.texts[end + 1] == "per"
        if self.texts[end] == "in" and self.texts[end + 1] == "a":
            end += 1
        elif self.texts[end] not in {"per", "/"}:
            return 0
        whole = self.texts[end + 1]
        if whole in CASES:
            self.packs.append(count)
        elif whole in BEFORE_OF and role.name != "pack":
            self.pieces.append((count, False))
        else:
            return 0
        return end + 2

    def _read_counted(self, position: int, count: float, role: Role) -> int:
        """Read "6 pack", "5 boxes of 20", "20 tea bags", "2 dozen"."""
        is_plural_name = self.texts[position] in {"single", "twin"} and role.words.endswith("s")
        if not role.name or is_plural_name:
            if self.texts[role.end] != "dozen":
                return 0
            count, role = 12 * count, Role("piece", role.end + 1)
        if role.name == "piece":
            self.pieces.append((count, self._is_total(position, role.end)))
            return role.end
        (self.packs if role.name == "pack" else self.containers).append(count)
        inner = role.end + 1
        if self.texts[role.end] != "of" or not self.title.count(inner):
            return role.end
        content = self.title.role(inner + 1)
        if content.name == "amount":
            return inner
        self.pieces.append((self.title.count(inner), False))
        return content.end

    def _read_lone(self, position: int, count: float, after: int) -> int:
        """Read the packs in "Six 22 oz jars", "(1) 6 oz bag", "8.8 oz (2)", "1x jar"."""
        opened = self.texts[position - 1] in {"(", "["} and self.texts[after] in {")", "]"}
        following = self.title.skip(after, ")", "]", "-") if opened else after
        is_number = self.texts[position] in NUMBER_WORDS or opened
        if self.title.values[following]:
            role = self.title.role(following + 1)
            is_pack = is_number and role.name in {"amount", "piece"} and not self._is_made(position)
        elif opened:
            is_last = following >= self.title.end or self.amount_end == position - 1
            is_pack = is_last or self.title.role(following).name in HOLDERS
        else:
            is_pack = self.texts[after] == "x" and self.title.role(after + 1).name in HOLDERS
            following = after + 2
        if not is_pack or count > _MAX_LONE:
            return 0
        self.packs.append(count)
        return following

    def _read_described(self, position: int, count: float, after: int) -> int:
        """Read "100 red roses", "12 snack packs": up to three words before what is counted."""
        is_name = self.texts[position] in NUMBER_WORDS or self.texts[position - 1] in NUMBERED
        if is_name or not 2 <= count <= _MAX_DESCRIBED:
            return 0
        for gap in range(1, 4):
            word, described = self.texts[after + gap - 1], self.texts[after + gap]
            if len(word) < _MIN_WORD or not word.isalpha() or word in NOT_DESCRIBING:
                return 0
            role = self.title.role(after + gap)
            if described == "cups" or (word == "wrapped" and not role.name):
                # "24 single serve cups", "6 individually wrapped pies".
                role = Role("piece", after + gap + 1, described)
            if not role.words.endswith("s") or role.words in COUNTS:
                continue
            if role.name == "piece":
                total = word == "total" or self._is_total(position, role.end)
                self.pieces.append((count, total))
                return role.end
            if role.name in {"pack", "container"} and word != "total":
                (self.packs if role.name == "pack" else self.containers).append(count)
                return role.end
        return 0

    # The result.

    def quantity(self) -> Quantity:
        """Return what was read, without totals and repetitions."""
        packs, counts = self._all_packs()
        pieces = self.pieces
        if self.packs or self.sets:
            pieces = pieces + [
                (count, False) for count in self.containers if count not in counts | {1}
            ]
        factors = {packs, *counts} - {0.0, 1.0}
        return Quantity(
            mass=_in_one_pack(self.amounts["mass"], factors, packs),
            volume=_in_one_pack(self.amounts["volume"], factors, packs),
            pieces=min(_in_one_pack(pieces, {packs} - {0.0, 1.0}, packs), _MAX_PIECES),
            packs=packs,
        )

    def _all_packs(self) -> tuple[float, set[float]]:
        """Return the number of packs, and the distinct counts of which it is the product."""
        stated = self.packs or ([] if self.sets else [max(self.containers, default=0.0)])
        # The same count is often stated twice: "6 Pack (Pack of 6)".
        counts = {count for count in stated if 0 < count <= _MAX_PACKS}
        largest = max(counts, default=0.0)
        if len(counts) > 2 and math.prod(counts - {largest}) == largest:
            counts.remove(largest)
        # "6 boxes with 6 twin packs (36 twin packs)": the last is the total.
        if len(counts) == 2 and largest in {min(counts) * count for count in self.containers}:
            counts = {largest}
        # A set of packs is a level of its own: "(Pack of 2) - Set of 2".
        every = [*counts, *{count for count in self.sets if count <= _MAX_PACKS}]
        return (min(math.prod(every), _MAX_PACKS) if every else 0.0), counts


def _in_one_pack(values: list[tuple[float, bool]], factors: set[float], packs: float) -> float:
    """Return the largest value that is not the total of all packs.

    Parameters
    ----------
    values : list of (float, bool)
        Each with a flag that says whether the title calls it a total.
    factors : set of float
        Numbers of packs by which a total may exceed another value.
    packs : float
        The number of all packs.
    """
    single = [value for value, is_total in values if not is_total or packs <= 1]
    if not single:
        return max((value / packs for value, _ in values), default=0.0)
    totals = [value * factor for value in single for factor in factors]
    return max(
        (
            value
            for value in single
            if not any(abs(value - total) <= _TOLERANCE * total for total in totals)
        ),
        default=0.0,
    )
