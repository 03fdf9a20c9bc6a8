"""Published recipes, written from their descriptions, each a module with a `RECIPE`.

None imports amlc: a peer uses only its own code and public libraries.
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
