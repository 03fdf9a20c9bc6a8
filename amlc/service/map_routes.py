"""The routes that price one product given as the columns of the catalogue's own map."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query

from amlc.service.map_schemas import MappedPriceResponse, ProductModels
from amlc.service.middleware import FORM
from amlc.service.price_service import AskedProduct
from amlc.service.problems import PROBLEMS
from amlc.service.product_routes import ANSWER, PATH, price_other
from amlc.service.routing import BodyRoute, FormCheck, Service
from amlc.service.schemas import MAX_SIMILAR

_Similar = Annotated[
    int, Query(ge=0, le=MAX_SIMILAR, description="How many similar products to return.")
]
_Contributions = Annotated[
    bool, Query(description="Whether to return how much each part of the product moves its price.")
]


def map_router(models: ProductModels) -> APIRouter:
    """Return the routes; the body has the columns, and the query what to return besides."""
    router = APIRouter(tags=["prices"], route_class=BodyRoute, responses=PROBLEMS)

    async def price_form(
        form: Any,
        service: Service,
        similar: _Similar = 0,
        contributions: _Contributions = False,  # noqa: FBT002 - FastAPI passes it by its name
    ) -> MappedPriceResponse:
        """Price one product."""
        asked = AskedProduct(**models.asked(form), similar=similar, contributions=contributions)
        return MappedPriceResponse(**await service.price(asked, models.picture(form)))

    async def price(
        product: Any,
        service: Service,
        similar: _Similar = 0,
        contributions: _Contributions = False,  # noqa: FBT002 - see above
    ) -> MappedPriceResponse:
        """Price one product."""
        asked = AskedProduct(**models.asked(product), similar=similar, contributions=contributions)
        return MappedPriceResponse(**await service.price(asked))

    # FastAPI reads the models of bodies, which exist only now, from the annotations.
    price_form.__annotations__["form"] = Annotated[models.form, Form(media_type=FORM)]
    price.__annotations__["product"] = models.json
    router.post(PATH, dependencies=[Depends(FormCheck())])(price_form)
    router.post(PATH, response_description=ANSWER)(price)
    router.post(PATH, include_in_schema=False)(price_other)
    return router
