"""What the API takes and gives, as pydantic models; OpenAPI is made from them."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
)

from amlc.catalog.content import Content, render_content
from amlc.images.decode import data_url
from amlc.pricing.answers import Answer, Pricer, Similar
from amlc.service.problems import FieldError, Problem

MAX_TEXT = 100_000  # characters, as data.max_text
MAX_SIMILAR = 20
# RFC 3986 leaves no room for blanks, and a link without a host cannot be fetched.
LINK_PATTERN = r"^https?://[A-Za-z0-9\-._\[][^\s\\]*$"

_JSON_FAULTS = {"json_invalid", "json_type"}


def _whole(number: Any) -> Any:
    # To JSON Schema 8.0 is an integer.
    return int(number) if isinstance(number, float) and number.is_integer() else number


class _Asked(BaseModel):
    """What both forms of a question have."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    image_url: Annotated[str, Field(max_length=4096, pattern=LINK_PATTERN)] | None = Field(
        None, description="Link of the picture; fetched from public addresses only."
    )
    similar: Annotated[int, BeforeValidator(_whole)] = Field(
        0, ge=0, le=MAX_SIMILAR, description="How many of the most similar products to name."
    )
    contributions: bool = Field(
        False, description="Whether to tell how much each part of the product moves its price."
    )


class ProductText(_Asked):
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


class ProductFields(_Asked):
    """A product as fields, each of which may be left out."""

    title: str = Field("", max_length=2_000, examples=["Green Tea, 20 Bags (Pack of 6)"])
    bullets: list[Annotated[str, Field(max_length=10_000)]] = Field(
        [], max_length=50, examples=[["Organic", "Rich in antioxidants"]]
    )
    description: str = Field("", max_length=MAX_TEXT)
    value: Annotated[float, Field(ge=0, le=1e12)] | None = Field(
        None, description="How much of it, in the unit.", examples=[120.0]
    )
    unit: str = Field("", max_length=100, examples=["Count"])

    def as_text(self) -> str:
        """Return the catalogue text."""
        return render_content(
            Content(self.title, tuple(self.bullets), self.description, self.value, self.unit)
        )


def _form_of(asked: Any) -> str:
    return "text" if isinstance(asked, dict) and "text" in asked else "fields"


Product = Annotated[
    Annotated[ProductText, Tag("text")] | Annotated[ProductFields, Tag("fields")],
    Discriminator(_form_of),
]
_PRODUCT: TypeAdapter[ProductText | ProductFields] = TypeAdapter(Product)


class SimilarProduct(BaseModel):
    """A product that the model learned from, with text like the one asked about."""

    sample_id: str
    title: str
    image_link: str
    price: float
    similarity: float = Field(description="Of the texts, from 0 to 1.")
    picture: str | None = Field(description="A small JPEG as a data: link, where there is one.")


class Part(BaseModel):
    """How much one part of the product moves its price."""

    part: str = Field(description="What was left out, such as picture.")
    factor: float = Field(description="The price divided by the price without that part.")


class Price(BaseModel):
    """A price, its interval, and what stands behind it."""

    price: float
    low: float
    high: float
    coverage: float = Field(description="Share of the prices that such intervals hold.")
    model: str = Field(description="Version of the model.")
    reasons: list[str] = Field(description="What was missing or faulty, such as no picture.")
    similar: list[SimilarProduct] = Field(description="The most similar first.")
    contributions: list[Part] = Field(description="The largest effect first.")


class State(BaseModel):
    """How the service is."""

    state: Literal["alive", "ready"]
    model: str = Field(description="Version of the model.")


class Model(BaseModel):
    """The model, and what this service takes in at most."""

    model: str = Field(description="Version of the model.")
    coverage: float = Field(description="Share of the prices that its intervals hold.")
    image_bytes: int = Field(description="Bytes of a picture.")
    csv_bytes: int = Field(description="Bytes of a CSV.")
    csv_rows: int = Field(description="Rows of a CSV.")


_FILE = Annotated[
    bytes,
    Field(
        description="A JPEG, PNG, WebP or GIF file; instead of `image_url`.",
        json_schema_extra={"format": "binary"},
    ),
]
# In a form, what is empty was not given.
_FORM_LINK = Annotated[str, Field(max_length=4096, pattern=f"^$|{LINK_PATTERN}")]
_ONE_PICTURE = ConfigDict(json_schema_extra={"not": {"required": ["image", "image_url"]}})


class FormText(ProductText):
    """A form with a product as catalogue text; only OpenAPI needs it."""

    model_config = _ONE_PICTURE

    image: _FILE = b""
    image_url: _FORM_LINK = ""


class FormFields(ProductFields):
    """A form with a product as fields; only OpenAPI needs it."""

    model_config = _ONE_PICTURE

    image: _FILE = b""
    image_url: _FORM_LINK = ""
    value: Annotated[float, Field(ge=0, le=1e12)] = 0.0


def from_json(body: bytes) -> ProductText | ProductFields:
    """Read a product from JSON.

    Raises
    ------
    Problem
        400 where it is not JSON, 422 where a field is wrong.
    """
    try:
        return _PRODUCT.validate_json(body, strict=True)
    except ValidationError as error:
        raise _problem(error) from None


def from_form(fields: dict[str, str | list[str]]) -> ProductText | ProductFields:
    """Read a product from the text fields of a form; raises `Problem` 422 as `from_json` does."""
    # What is left empty in a form was not given.
    given = {name: text for name, text in fields.items() if text or name == "text"}
    try:
        return _PRODUCT.validate_python(given)
    except ValidationError as error:
        raise _problem(error) from None


def price_of(answer: Answer, pricer: Pricer) -> Price:
    """Return an answer as the API gives it."""
    return Price(
        price=answer.price,
        low=answer.low,
        high=answer.high,
        coverage=pricer.coverage,
        model=pricer.version,
        reasons=list(answer.reasons),
        similar=[_similar(product) for product in answer.similar],
        contributions=[Part(part=c.part, factor=c.factor) for c in answer.contributions],
    )


def _similar(product: Similar) -> SimilarProduct:
    return SimilarProduct(
        sample_id=product.sample_id,
        title=product.title,
        image_link=product.image_link,
        price=product.price,
        similarity=product.similarity,
        picture=None if product.picture is None else data_url(product.picture),
    )


def _problem(error: ValidationError) -> Problem:
    found = error.errors(include_url=False, include_input=False)
    if any(fault["type"] in _JSON_FAULTS for fault in found):
        return Problem(400, f"The body is not JSON: {found[0]['msg'].partition(': ')[2]}.")
    faults = tuple(
        FieldError(field=_where(fault["loc"]), message=_sentence(fault["msg"])) for fault in found
    )
    first = faults[0]
    return Problem(422, f"{first.field}: {first.message}", faults[:20])


def _where(location: tuple[int | str, ...]) -> str:
    # The first part only says which of the two forms was taken.
    return ".".join(str(part)[:80] for part in location[1:]) or "body"


def _sentence(message: str) -> str:
    text = message.rstrip(".")
    return f"{text[:1].lower()}{text[1:]}."
