"""The page, with a form of the catalogue's columns."""

from dataclasses import dataclass, field
from pathlib import Path

from amlc.catalog.product_fields import ProductField
from amlc.pricing.estimates import Pricer
from amlc.service.limits import Limits
from amlc.service.map_schemas import ProductModels
from amlc.templates import template_environment

# More values of a category are not offered as choices.
_MAX_CHOICES = 200
_ROWS = {"text": 2, "description": 4}


@dataclass(frozen=True)
class _Input:
    """A field of the form."""

    id: str
    column: str
    kind: str
    label: str
    type: str = "text"
    rows: int = 0
    hint: str = ""
    choices: list[str] = field(default_factory=list)


def render_page(pricer: Pricer, models: ProductModels | None, limits: Limits) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    pricer : Pricer
        Its catalogue has the columns.
    models : ProductModels or None
        None for the columns of the competition, whose form has the fields of a catalogue text.
    limits : Limits
    """
    catalog = pricer.catalog
    columns = catalog.columns
    separators = {",": "CSV", ";": "CSV with semicolons", "\t": "text with tabs"}
    encoding = "" if catalog.read.encoding == "utf-8" else f" in {catalog.read.encoding}"
    kind = separators.get(catalog.read.separator, f"text separated by {catalog.read.separator}")
    environment = template_environment(Path(__file__).parent)
    return environment.get_template("index.html.j2").render(
        fields=None if models is None else _inputs(pricer, models),
        pictures=columns.image is not None,
        picture_name=None if models is None else models.picture_name,
        link_column=columns.image if catalog.has_links else None,
        max_pictures=f"{limits.csv_pictures:,}",
        columns=[name for name in columns.inputs if name != columns.image],
        file=kind + encoding,
        decimal=catalog.read.decimal,
        id_column=columns.id,
        title_column=columns.texts[0],
    )


def _inputs(pricer: Pricer, models: ProductModels) -> list[_Input]:
    return [
        _input(f"field-{number}", each, pricer, models)
        for number, each in enumerate(models.fields.fields())
    ]


def _input(name: str, each: ProductField, pricer: Pricer, models: ProductModels) -> _Input:
    date_format = models.fields.read.date_format
    is_date = each.kind == "date"
    choices = pricer.category_values.get(each.name, ())
    if each.kind == "currency":
        choices = tuple(models.fields.rates)
    return _Input(
        id=name,
        column=each.name,
        kind=each.kind,
        label=each.name.replace("_", " ").strip() or each.name,
        type="date" if is_date and date_format == "iso" else "text",
        rows=_ROWS.get(each.kind, 0),
        hint=date_format if is_date and date_format != "iso" else "",
        choices=list(choices) if len(choices) <= _MAX_CHOICES else [],
    )
