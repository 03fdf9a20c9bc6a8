"""How the products of a bundle's catalogue are described and written."""

import json
from pathlib import Path

from pydantic import Field

from amlc.catalog.columns import ColumnMap, ReadSettings
from amlc.catalog.intake import Rate
from amlc.errors import ModelError, ParamsError, read_errors_as
from amlc.params import Settings, check
from amlc.pricing.manifest import check_format


class CatalogSettings(Settings):
    """The keys of the section `data` that reading products needs."""

    columns: ColumnMap
    max_bytes: int = Field(ge=1)
    max_text: int = Field(ge=1)
    rates: dict[str, Rate]
    read: ReadSettings

    @property
    def has_links(self) -> bool:
        """Whether a column has links to pictures."""
        return self.columns.image is not None and self.read.images == "links"


def read_catalog_settings(folder: Path) -> CatalogSettings:
    """Return how the products of a bundle's catalogue are written, without loading the bundle.

    Raises
    ------
    ModelError
        The folder is not a bundle, was made by another version, or is damaged.
    """
    check_format(folder)
    path = folder / "params.json"
    with read_errors_as(ModelError, f"{path}: cannot be read", ParamsError):
        data = json.loads(path.read_text(encoding="utf-8"))["data"]
        return check(CatalogSettings, data, "data", path)
