"""Layouts of exports that many people have, and their maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from amlc.catalog.columns import COMPETITION, ColumnMap


@dataclass(frozen=True)
class Layout:
    """The export of a shop system or a competition.

    Parameters
    ----------
    name : str
        Whose layout it is.
    needed : tuple of str
        The columns by which it is recognised.
    id, image, currency : str or None
    product, text, categories, numbers, dates : tuple of str
        Columns as in `ColumnMap`; those that a file does not have are left out of its map.
    price : str
    read : dict
        Keys of ``data.read`` that differ from the default.
    notes : tuple of str
        What its users should know.
    """

    name: str
    needed: tuple[str, ...]
    price: str
    text: tuple[str, ...]
    id: str | None = None
    image: str | None = None
    product: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    read: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def map(self, header: Sequence[str]) -> ColumnMap:
        """Return the map of a file with these columns."""

        def there(names: Sequence[str]) -> list[str]:
            return [name for name in names if name in header]

        if self.name == COMPETITION_NAME:
            return COMPETITION
        return ColumnMap(
            id=self.id,
            product=there(self.product),
            text=there(self.text),
            quantity=None,
            image=self.image if self.image in header else None,
            price=self.price,
            categories=there(self.categories),
            numbers=there(self.numbers),
            dates=there(self.dates),
            currency=None,
        )


COMPETITION_NAME = "the competition's layout"
LAYOUTS = (
    Layout(
        COMPETITION_NAME,
        COMPETITION.inputs,
        price=COMPETITION.price,
        text=COMPETITION.texts,
    ),
    Layout(
        "Mercari's layout",
        ("name", "item_condition_id", "category_name", "brand_name", "item_description"),
        price="price",
        text=("name", "brand_name", "item_description"),
        categories=("category_name", "brand_name", "item_condition_id", "shipping"),
        notes=("id is null, because the id is train_id in one file and test_id in the other",),
    ),
    Layout(
        "Shopify's layout",
        ("Handle", "Title", "Body (HTML)", "Vendor", "Variant Price"),
        id="Handle",
        product=("Handle",),
        price="Variant Price",
        text=("Title", "Vendor", "Type", "Tags", "Option1 Value", "Body (HTML)"),
        image="Image Src",
        categories=("Vendor", "Type", "Product Category"),
        numbers=("Variant Grams",),
        notes=("a product has the price of its first variant",),
    ),
    Layout(
        "WooCommerce's layout",
        ("ID", "Type", "SKU", "Name", "Regular price", "Parent"),
        id="ID",
        product=("Parent", "SKU"),
        price="Regular price",
        text=("Name", "Tags", "Short description", "Description"),
        image="Images",
        categories=("Categories", "Brands"),
        numbers=("Weight (kg)", "Weight (g)", "Weight (lbs)", "Weight (oz)"),
        read={"image_separator": ", "},
        notes=("a product with variations has the price of the first one",),
    ),
    Layout(
        "Google Merchant's layout",
        ("id", "title", "description", "link", "image_link", "price", "availability"),
        id="id",
        price="price",
        text=("title", "brand", "color", "size", "material", "description"),
        image="image_link",
        categories=("brand", "google_product_category", "product_type", "condition"),
        read={"currency_signs": True, "thousands": ","},
        notes=("the prices of sales, in sale_price, are not used",),
    ),
)


def find_layout(header: Sequence[str]) -> Layout | None:
    """Return the known layout that a file's columns have, or None."""
    return next((layout for layout in LAYOUTS if set(layout.needed) <= set(header)), None)
