"""An image store that fails."""

import sqlite3
from contextlib import closing
from pathlib import Path

from amlc.images.settings import ImageSettings
from amlc.images.store import Store

SETTINGS = ImageSettings(
    size=64, quality=90, max_bytes=1_000_000, max_pixels=1_000_000, max_side=65_535, min_side=8
)


def create_unwritable_store(path: Path) -> None:
    """Create an empty store whose database refuses every new row."""
    with Store(path, SETTINGS):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON image "
            "BEGIN SELECT RAISE(ABORT, 'a row is refused'); END"
        )
