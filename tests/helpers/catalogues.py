"""Settings of a small synthetic catalogue, for tests of the generator and of its stage."""

from typing import Any

SMALL: dict[str, Any] = {
    "rows": 120,
    "test_rows": 40,
    "images": True,
    "missing_images": 0.2,
    "test_prices": True,
    "repeated_links": 0.1,
    "repeated_titles": 0.1,
    "noise": 0.39,
}
