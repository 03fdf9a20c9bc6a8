"""The words by which a title says what a number counts."""

from amlc.catalog.title_tokens import BAGS, CONTAINERS, CUPS, PACKS, word_set

# "Box of 12": what may stand before `of` and a number of packs.
BEFORE_OF = PACKS | CONTAINERS | BAGS | {"bundle", "lot", "tray"}
# "12 per case" are packs, "12 per box" are pieces.
CASES = frozenset({"case", "cs", "order"})
COUNTS = frozenset({"count", "counts", "ct", "cts"})
UNITS = COUNTS | {"unit", "units"}
# These are not pieces: "12 servings per box".
SHARES = CUPS | word_set("servings calories cals portions times doses")
# "Pack of 24 packets" are 24 packs, "pack of 24 cookies" are 24 pieces.
WRAPPED = word_set("packet packets bar bars unit units item items roll rolls each ea")
# Amounts of these are most likely those in a serving.
NUTRIENTS = word_set(
    "protein proteins sugar sugars carb carbs carbohydrates fat fats fiber fibre caffeine sodium "
    "net collagen prebiotics"
)
HOLDERS = frozenset({"container", "pack"})
# What follows these is what one makes of the product: "Makes 2 quarts".
MAKES = frozenset({"makes", "brews", "yields"})
# Words that do not describe pieces: "100 calorie bars".
NOT_DESCRIBING = word_set(
    "in of or and by for with per x calorie calories cal percent hour hours grain year years to "
    "flavor flavors from"
)
# "Stage 2 food pouches".
NUMBERED = word_set("stage step size level type formula phase grade number")
