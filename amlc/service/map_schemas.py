"""The bodies of requests and responses for a catalogue with a map of its own."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from amlc.catalog.amounts import number_cell
from amlc.catalog.own_columns import is_readable
from amlc.catalog.product_fields import ProductField, ProductFields
from amlc.catalog.products import DATE, NUMBER
from amlc.catalog.validation import REASONS
from amlc.pricing.estimates import Pricer
from amlc.service.schemas import MAX_TEXT, BaseForm, OptionalLink, PriceResponse, SimilarItem

_MAX_CELL = 1_000  # characters of a quantity, a category or a date
_PREFIXES = {"number": NUMBER, "date": DATE}
_EXAMPLES = 3


class MappedSimilarItem(SimilarItem):
    """A product that the model was trained on, with text similar to that of the request."""

    fields: Annotated[dict[str, str], BeforeValidator(dict)] = Field(
        description="Its further columns that are filled."
    )


class MappedPriceResponse(PriceResponse):
    """The price of a product, its interval, and what they are based on."""

    similar: Sequence[MappedSimilarItem] = Field(description="The most similar first.")


class ProductModels:
    """The models of a product's columns, as JSON and as a form.

    Parameters
    ----------
    pricer : Pricer
        Its catalogue's map says which columns there are.

    Attributes
    ----------
    fields : ProductFields
        What the columns make.
    json, form : type of BaseModel
        Each attribute has a column as its alias.
    link_column : str or None
        The column that takes the link of a picture.
    picture_name : str or None
        The field of the form that takes a picture as a file.
    """

    def __init__(self, pricer: Pricer) -> None:
        catalog = pricer.catalog
        columns = catalog.columns
        self.fields = ProductFields(columns, catalog.read, catalog.rates)
        self.link_column = columns.image if catalog.has_links else None
        self.picture_name = None if columns.image is None else "picture"
        while self.picture_name in columns.inputs:
            self.picture_name = f"{self.picture_name}_"
        self._names = {
            f"field_{number}": field for number, field in enumerate(self.fields.fields())
        }
        known = pricer.category_values
        self.json = self._model("Product", BaseModel, known, as_text=False)
        self.form = self._model("ProductForm", BaseForm, known, as_text=True)

    def _model(
        self, name: str, base: type[BaseModel], known: Mapping[str, Any], *, as_text: bool
    ) -> type[BaseModel]:
        definitions: dict[str, Any] = {
            attribute: self._definition(field, known, as_text=as_text)
            for attribute, field in self._names.items()
        }
        if self.link_column is not None:
            description = "Link to the picture; it is fetched from public addresses only."
            definitions["link"] = (
                OptionalLink,
                Field(
                    None, alias=self.link_column, title=self.link_column, description=description
                ),
            )
        if as_text and self.picture_name is not None:
            description = "A JPEG, PNG, WebP or GIF file, instead of a link."
            definitions["picture"] = (
                UploadFile | None,
                Field(None, alias=self.picture_name, title="picture", description=description),
            )
        title = next(iter(self._names.values())).name
        config = ConfigDict(
            strict=not as_text,
            extra="forbid",
            allow_inf_nan=False,
            json_schema_extra={"examples": [{title: "Green Tea, 20 Bags"}]},
        )
        model: type[BaseModel] = create_model(
            name, __base__=type(f"{name}Base", (base,), {"model_config": config}), **definitions
        )
        model.__doc__ = "A product by the columns of its catalogue, each of them optional."
        model.model_rebuild(force=True)
        return model

    def _definition(
        self, field: ProductField, known: Mapping[str, Any], *, as_text: bool
    ) -> tuple[Any, Any]:
        described: dict[str, Any] = {"alias": field.name, "title": field.name}
        if field.kind == "currency":
            literal: Any = Literal
            rates = literal[tuple(self.fields.rates)]
            described["description"] = "The currency of the price; null: that of rate 1."
            return rates | None, Field(None, **described)
        if field.kind == "number" and not as_text:
            number: Any = Annotated[float, AfterValidator(self._readable(field))]
            return number | None, Field(None, **described)
        text: Any = str
        if field.kind in _PREFIXES:
            text = Annotated[str, AfterValidator(self._readable(field))]
        if field.kind == "date":
            date_format = self.fields.read.date_format
            described["description"] = (
                "A date such as 2024-02-29." if date_format == "iso" else f"A date: {date_format}"
            )
        if values := known.get(field.name):
            described["examples"] = list(values[:_EXAMPLES])
        limit = MAX_TEXT if field.kind in {"text", "description"} else _MAX_CELL
        return text, Field("", max_length=limit, **described)

    def _readable(self, field: ProductField) -> Any:
        in_table = _PREFIXES[field.kind] + field.name
        message = REASONS[f"{field.kind}_unreadable"][0]

        def check(value: Any) -> Any:
            read = self.fields.read
            cell = number_cell(value, read) if isinstance(value, float) else value
            if not is_readable(in_table, cell, read):
                raise PydanticCustomError("unreadable", "{message}", {"message": message})
            return value

        return check

    def asked(self, product: BaseModel) -> dict[str, Any]:
        """Return what a product of either model asks for, as arguments of `AskedProduct`."""
        cells = dict.fromkeys(self.fields.columns.inputs, "")
        for attribute, field in self._names.items():
            value = getattr(product, attribute)
            if isinstance(value, float):
                value = number_cell(value, self.fields.read)
            cells[field.name] = value or ""
        return {
            "text": self.fields.text(cells),
            "link": getattr(product, "link", None),
            "own": self.fields.own(cells),
            "currency": self.fields.currency(cells),
            "link_field": self.link_column or "",
            "picture_field": self.picture_name or "",
        }

    def picture(self, form: BaseModel) -> UploadFile | None:
        """Return the file of a form."""
        picture: UploadFile | None = getattr(form, "picture", None)
        return picture
