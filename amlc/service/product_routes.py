"""The routes that price one product given as the fields of a catalogue text."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form

from amlc.service.middleware import FORM, JSON
from amlc.service.price_service import AskedProduct
from amlc.service.problems import PROBLEMS, Problem
from amlc.service.routing import BodyRoute, FormCheck, Service
from amlc.service.schemas import (
    FieldsRequest,
    PriceResponse,
    ProductForm,
    ProductRequest,
    TextRequest,
)

PATH = "/v1/price"
ANSWER = "The price, its interval, and what they are based on."
router = APIRouter(tags=["prices"], route_class=BodyRoute, responses=PROBLEMS)


@router.post(PATH, dependencies=[Depends(FormCheck("bullets"))])
async def price_form(
    form: Annotated[ProductForm, Form(media_type=FORM)], service: Service
) -> PriceResponse:
    """Price one product."""
    return PriceResponse(**await service.price(_asked(form), form.image))


@router.post(PATH, response_description=ANSWER)
async def price(product: ProductRequest, service: Service) -> PriceResponse:
    """Price one product."""
    return PriceResponse(**await service.price(_asked(product)))


@router.post(PATH, include_in_schema=False)
async def price_other() -> None:
    """Refuse a body of another type."""
    raise Problem(415, f"Send the product as {JSON} or as {FORM}.")


def _asked(request: TextRequest | FieldsRequest) -> AskedProduct:
    return AskedProduct(
        request.as_text(), request.image_url, request.similar, request.contributions
    )
