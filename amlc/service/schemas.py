"""The bodies of the API's requests and responses, as pydantic models that OpenAPI shows."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from amlc.catalog.content import Content, render_content
from amlc.catalog.links import MAX_LINK_LENGTH, LinkError, parse_link
from amlc.images.decode import data_url
from amlc.pricing.estimates import Estimate, Pricer, SimilarProduct
from amlc.service.problems import FieldError, Problem

MAX_TEXT = 100_000  # characters, as data.max_text
MAX_SIMILAR = 20

# Types of a ValidationError for a body that is not JSON.
_JSON_ERRORS = {"json_invalid", "json_type"}


def _whole(number: Any) -> Any:
    # In JSON Schema, 8.0 is an integer.
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _link(text: str) -> str:
    try:
        parse_link(text)
    except LinkError as error:
        raise PydanticCustomError("link", "{rule}", {"rule": str(error)}) from None
    return text


_LinkText = Annotated[str, Field(max_length=MAX_LINK_LENGTH, json_schema_extra={"format": "uri"})]


class _ProductRequest(BaseModel):
    """The fields that both kinds of request have."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    image_url: Annotated[_LinkText, AfterValidator(_link)] | None = Field(
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

    text: str = Field(
        max_length=MAX_TEXT,
        description="As the column catalog_content: lines that begin with `Item Name:`, "
        "`Bullet Point 1:`, `Product Description:`, `Value:`, `Unit:`.",
        examples=["Item Name: Green Tea, 20 Bags (Pack of 6)\nValue: 120.0\nUnit: Count\n"],
    )

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


def _kind(body: Any) -> str:
    return "text" if isinstance(body, dict) and "text" in body else "fields"


_REQUEST: TypeAdapter[TextRequest | FieldsRequest] = TypeAdapter(
    Annotated[
        Annotated[TextRequest, Tag("text")] | Annotated[FieldsRequest, Tag("fields")],
        Discriminator(_kind),
    ]
)


class SimilarItem(BaseModel):
    """A product that the model was trained on, with text similar to that of the request."""

    sample_id: str
    title: str
    image_link: str
    price: float
    similarity: float = Field(description="Similarity of the texts, from 0 to 1.")
    picture: str | None = Field(description="A small JPEG as a data: URL, if there is one.")


class ContributionItem(BaseModel):
    """How much one part of the product moves its price."""

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
    similar: list[SimilarItem] = Field(description="The most similar first.")
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


_FILE = Annotated[
    bytes,
    Field(
        description="A JPEG, PNG, WebP or GIF file; instead of `image_url`.",
        json_schema_extra={"format": "binary"},
    ),
]
_ONE_PICTURE = ConfigDict(json_schema_extra={"not": {"required": ["image", "image_url"]}})


# These models only describe the forms; `from_form` reads their fields with the models of JSON.
class TextForm(TextRequest):
    """A form with a product as catalogue text."""

    model_config = _ONE_PICTURE

    image: _FILE = b""
    image_url: _LinkText = ""


class FieldsForm(FieldsRequest):
    """A form with a product as separate fields, each of them optional."""

    model_config = _ONE_PICTURE

    image: _FILE = b""
    image_url: _LinkText = ""
    value: Annotated[float, Field(ge=0, le=1e12)] = 0.0


def from_json(body: bytes) -> TextRequest | FieldsRequest:
    """Read a product from JSON.

    Raises
    ------
    Problem
        400 where the body is not JSON, 422 where a field is wrong.
    """
    try:
        return _REQUEST.validate_json(body, strict=True)
    except ValidationError as error:
        raise _problem(error) from None


def from_form(fields: dict[str, str | list[str]]) -> TextRequest | FieldsRequest:
    """Read a product from the text fields of a form.

    Raises
    ------
    Problem
        422 where a field is wrong.
    """
    # An empty field counts as not given; an empty text is a product without text.
    given = {name: text for name, text in fields.items() if text or name == "text"}
    try:
        return _REQUEST.validate_python(given)
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    details = error.errors(include_url=False, include_input=False)
    if any(detail["type"] in _JSON_ERRORS for detail in details):
        return Problem(400, f"The body is not JSON: {details[0]['msg'].partition(': ')[2]}.")
    errors = tuple(
        FieldError(field=_field(detail["loc"]), message=_sentence(detail["msg"]))
        for detail in details
    )
    return Problem(422, f"{errors[0].field}: {errors[0].message}", errors[:20])


def _field(location: tuple[int | str, ...]) -> str:
    # The first part only says which kind of request it is.
    return ".".join(str(part)[:80] for part in location[1:]) or "body"


def _sentence(message: str) -> str:
    text = message.rstrip(".")
    return f"{text[:1].lower()}{text[1:]}."


def price_response(estimate: Estimate, pricer: Pricer) -> PriceResponse:
    """Return an estimate as a response of the API."""
    return PriceResponse(
        price=estimate.price,
        low=estimate.low,
        high=estimate.high,
        coverage=pricer.coverage,
        model=pricer.version,
        reasons=list(map(str, estimate.reasons)),
        similar=[_similar_item(product) for product in estimate.similar],
        contributions=[
            ContributionItem(part=each.part, factor=each.factor) for each in estimate.contributions
        ],
    )


def _similar_item(product: SimilarProduct) -> SimilarItem:
    return SimilarItem(
        sample_id=product.sample_id,
        title=product.title,
        image_link=product.image_link,
        price=product.price,
        similarity=product.similarity,
        picture=None if product.picture is None else data_url(product.picture),
    )
