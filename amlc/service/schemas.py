"""The bodies of the API's requests and responses, as pydantic models that OpenAPI shows."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from amlc.catalog.content import Content, render_content
from amlc.catalog.links import MAX_LINK_LENGTH, LinkError, parse_link
from amlc.images.decode import data_url
from amlc.pricing.estimates import Estimate, Pricer

# Bounds of the API, the same for every model. The limit of data.max_text is another: a pricer cuts
# a longer text, which separate fields can make as well, and says so in a reason.
MAX_TEXT = 100_000  # characters
MAX_SIMILAR = 20


def _whole(number: Any) -> Any:
    # In JSON Schema, 8.0 is an integer.
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _check_link(text: str) -> str:
    try:
        parse_link(text)
    except LinkError as error:
        raise PydanticCustomError("link", "{rule}", {"rule": str(error)}) from None
    return text


_Link = Annotated[
    str,
    Field(max_length=MAX_LINK_LENGTH, json_schema_extra={"format": "uri"}),
    AfterValidator(_check_link),
]
OptionalLink = _Link | None
_Text = Annotated[
    str,
    Field(
        max_length=MAX_TEXT,
        description="As the column catalog_content: lines that begin with `Item Name:`, "
        "`Bullet Point 1:`, `Product Description:`, `Value:`, `Unit:`.",
        examples=["Item Name: Green Tea, 20 Bags (Pack of 6)\nValue: 120.0\nUnit: Count\n"],
    ),
]


class _ProductRequest(BaseModel):
    """The fields that both kinds of request have."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    image_url: _Link | None = Field(
        None, description="Link to the picture; it is fetched from public addresses only."
    )
    similar: Annotated[int, BeforeValidator(_whole)] = Field(
        0, ge=0, le=MAX_SIMILAR, description="How many of the most similar products to return."
    )
    contributions: bool = Field(
        False, description="Whether to return how much each part of the product moves its price."
    )


class TextRequest(_ProductRequest):
    """A product as catalogue text."""

    text: _Text

    def as_text(self) -> str:
        """Return the catalogue text."""
        return self.text


class FieldsRequest(_ProductRequest):
    """A product as separate fields, each of them optional."""

    title: str = Field("", max_length=2_000, examples=["Green Tea, 20 Bags (Pack of 6)"])
    bullets: list[Annotated[str, Field(max_length=10_000)]] = Field(
        [], max_length=50, examples=[["Organic", "Rich in antioxidants"]]
    )
    description: str = Field("", max_length=MAX_TEXT)
    value: Annotated[float, Field(ge=0, le=1e12)] | None = Field(
        None, description="The amount, in the unit.", examples=[120.0]
    )
    unit: str = Field("", max_length=100, examples=["Count"])

    def as_text(self) -> str:
        """Return the catalogue text."""
        return render_content(
            Content(self.title, tuple(self.bullets), self.description, self.value, self.unit)
        )


def decoded(text: str) -> str:
    """Return the text of a form's field, of which each character stands for a byte.

    Raises
    ------
    UnicodeDecodeError
        The bytes are not UTF-8.
    """
    return text.encode("latin-1").decode("utf-8")


_ONE_PICTURE: JsonDict = {"not": {"required": ["image", "image_url"]}}


class BaseForm(BaseModel):
    """A form, all of whose values but files are texts."""

    @model_validator(mode="before")
    @classmethod
    def _decode(cls, form: dict[str, Any]) -> dict[str, Any]:
        """Decode the texts, and take an empty field for one that is not given.

        FastAPI does the latter for the fields that it knows.
        """
        return {
            decoded(name): [decoded(text) for text in value if text != ""]
            if isinstance(value, list)
            else decoded(value)
            if isinstance(value, str)
            else value
            for name, value in form.items()
            if value != ""
        }


class _Form(BaseForm, _ProductRequest):
    """The fields that both kinds of form have."""

    model_config = ConfigDict(strict=False, json_schema_extra=_ONE_PICTURE)

    image: UploadFile | None = Field(
        None, description="A JPEG, PNG, WebP or GIF file; instead of `image_url`."
    )


class TextForm(TextRequest, _Form):
    """A form with a product as catalogue text."""

    model_config = ConfigDict(json_schema_extra={**_ONE_PICTURE, "required": ["text"]})

    # An empty text is a product without text.
    text: _Text = ""


class FieldsForm(FieldsRequest, _Form):
    """A form with a product as separate fields, each of them optional."""


def _kind(body: Any) -> str:
    return "text" if isinstance(body, dict) and "text" in body else "fields"


ProductRequest = Annotated[
    Annotated[TextRequest, Tag("text")] | Annotated[FieldsRequest, Tag("fields")],
    Discriminator(_kind),
]
ProductForm = Annotated[
    Annotated[TextForm, Tag("text")] | Annotated[FieldsForm, Tag("fields")], Discriminator(_kind)
]


def _picture_url(picture: bytes | None) -> str | None:
    return None if picture is None else data_url(picture)


class SimilarItem(BaseModel):
    """A product that the model was trained on, with text similar to that of the request."""

    model_config = ConfigDict(from_attributes=True)

    sample_id: str
    title: str
    image_link: str
    price: float
    similarity: float = Field(description="Similarity of the texts, from 0 to 1.")
    picture: Annotated[str | None, BeforeValidator(_picture_url)] = Field(
        description="A small JPEG as a data: URL, if there is one."
    )


class ContributionItem(BaseModel):
    """How much one part of the product moves its price."""

    model_config = ConfigDict(from_attributes=True)

    part: str = Field(description="The part that was left out, such as picture.")
    factor: float = Field(description="The price divided by the price without that part.")


class PriceResponse(BaseModel):
    """The price of a product, its interval, and what they are based on."""

    price: float
    low: float
    high: float
    coverage: float = Field(description="Share of prices that such intervals contain.")
    model: str = Field(description="Version of the model.")
    reasons: list[str] = Field(description="What was missing or unusable, such as no picture.")
    similar: Sequence[SimilarItem] = Field(description="The most similar first.")
    contributions: list[ContributionItem] = Field(description="The largest effect first.")


class HealthResponse(BaseModel):
    """The state of the service."""

    state: Literal["alive", "ready"]
    model: str = Field(description="Version of the model.")


class ModelResponse(BaseModel):
    """The model, and the limits of this service."""

    model: str = Field(description="Version of the model.")
    coverage: float = Field(description="Share of prices that its intervals contain.")
    image_bytes: int = Field(description="Largest picture, in bytes.")
    csv_bytes: int = Field(description="Largest CSV, in bytes.")
    csv_rows: int = Field(description="Largest number of rows of a CSV.")


def answered(estimate: Estimate, pricer: Pricer) -> dict[str, Any]:
    """Return the fields of a response with an estimate."""
    reasons = [str(reason) for reason in estimate.reasons]
    return {
        **vars(estimate),
        "reasons": reasons,
        "coverage": pricer.coverage,
        "model": pricer.version,
    }
