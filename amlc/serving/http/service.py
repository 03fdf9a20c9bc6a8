"""What the routes of the application share."""

import asyncio
from concurrent.futures import Future

from starlette.requests import Request
from starlette.responses import Response

from amlc.serving.answers import Answer, Pricer
from amlc.serving.http.desk import Desk, DeskFullError
from amlc.serving.http.limits import Limits
from amlc.serving.http.metrics import Metrics
from amlc.serving.http.problems import bad_picture, busy
from amlc.serving.http.question import Asked, Reader
from amlc.serving.http.schemas import Model, Price, price_of
from amlc.serving.http.table import Tables
from amlc.serving.workers import Workers

PRICE, PRICES = "/v1/price", "/v1/prices"
# How a pricer begins the reason that a picture is no good.
_NOT_USED = "picture not used: "


class Service:
    """Reads questions, has them priced, and gives answers.

    Parameters
    ----------
    pricer : Pricer
    limits : Limits
    workers : Workers, optional
        Processes for long CSVs.
    """

    def __init__(self, pricer: Pricer, limits: Limits, workers: Workers | None = None) -> None:
        self.pricer = pricer
        self.limits = limits
        self.desk = Desk(pricer, workers=limits.workers, batch=limits.batch, queue=limits.queue)
        self.metrics = Metrics(pricer.version, lambda: self.desk.waiting)
        self._reader = Reader(limits)
        self._tables = Tables(
            self.desk, workers, limits, lambda count: self.metrics.priced(PRICES, count)
        )

    def close(self) -> None:
        """Finish what is in the line and end all threads."""
        self._reader.close()
        self._tables.close()
        self.desk.close()

    def model(self) -> Model:
        """Tell about the model and the limits."""
        taken = ("image_bytes", "csv_bytes", "csv_rows")
        return Model(
            model=self.pricer.version,
            coverage=self.pricer.coverage,
            **{name: getattr(self.limits, name) for name in taken},
        )

    async def price(self, request: Request) -> Price:
        """Answer a request about one product; raises `Problem`."""
        asked = await self._reader.read(request)
        answer = await self._answer(asked)
        _check_picture(asked, answer)
        self.metrics.priced(PRICE, 1)
        return price_of(answer, self.pricer)

    async def prices(self, request: Request) -> Response:
        """Answer a request about a CSV of products; raises `Problem`."""
        return await self._tables.answer(request)

    async def _answer(self, asked: Asked) -> Answer:
        try:
            done = self.desk.submit(
                [asked.question], similar=asked.similar, contributions=asked.contributions
            )
        except DeskFullError:
            raise busy("Too many products are being priced") from None
        return (await self._waited(done))[0]

    async def _waited(self, done: Future[list[Answer]]) -> list[Answer]:
        try:
            async with asyncio.timeout(self.limits.price_seconds):
                return await asyncio.wrap_future(done)
        except TimeoutError:
            raise busy("Pricing took too long", 5) from None


def _check_picture(asked: Asked, answer: Answer) -> None:
    """Refuse a picture that is no good: who sends one does not want a price without it."""
    for reason in answer.reasons:
        if reason.startswith(_NOT_USED):
            raise bad_picture(asked.picture_from, reason.removeprefix(_NOT_USED))
