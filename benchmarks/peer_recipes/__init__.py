"""Published recipes, written from their descriptions, each a module with a `RECIPE`.

None imports amlc: a peer has only what it would bring along itself.
"""

# In the order in which they run: the cheap ones first.
NAMES = (
    "constant",
    "approach_report",
    "algorisers",
    "stym01",
    "svd_boosting",
    "mercari",
    "autogluon",
)
