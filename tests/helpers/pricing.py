"""A pricer that needs no model: prices follow from the bytes of a product."""

import threading
import zlib
from collections.abc import Iterator, Sequence

from amlc.images.decode import decode
from amlc.images.fetch_result import FetchError
from amlc.pricing.answers import Answer, Contribution, Question, Similar
from tests.helpers.pictures import jpeg

TITLES = ("Green Tea, 20 Bags (Pack of 6)", "Black Tea, 100 Bags", "Mint Tea <b>loose</b>, 1 lb")


def price_of(question: Question) -> float:
    """Return what the pricer asks for a product, from 1 to 100; its picture counts."""
    seed = question.text.encode(errors="replace") + (question.picture or b"")
    return 1 + zlib.crc32(seed) % 9_900 / 100


class FakePricer:
    """Prices at once, by `price_of`; may be made to wait or to fail.

    Attributes
    ----------
    gate : threading.Event
        Cleared, it makes every price wait until it is set.
    sizes : list of int
        How many products each call brought.
    """

    version = "0123456789ab"
    coverage = 0.8

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.sizes: list[int] = []

    def price(
        self, questions: Sequence[Question], *, similar: int = 0, contributions: bool = False
    ) -> list[Answer]:
        """Price some products; the text "poison" is an error."""
        self.begun.release()
        self.gate.wait(30)
        self.sizes.append(len(questions))
        if any(question.text == "poison" for question in questions):
            raise RuntimeError("secret text of a product")
        return [_answer(question, similar, contributions) for question in questions]


def _answer(question: Question, similar: int, contributions: bool) -> Answer:  # noqa: FBT001 - as the pricer's own argument
    price = price_of(question)
    reasons = tuple(_reasons(question))
    parts = (Contribution("picture", 1.04), Contribution("description", 0.87))
    return Answer(
        price,
        price * 0.6,
        price * 1.7,
        reasons,
        tuple(_similar(number) for number in range(min(similar, len(TITLES)))),
        parts if contributions else (),
    )


def _reasons(question: Question) -> Iterator[str]:
    if not question.text.strip():
        yield "no text"
    if question.picture is None:
        yield "no picture"
        return
    try:
        decode(question.picture, size=64, quality=90, max_pixels=1_000_000)
    except FetchError as fault:
        yield f"picture not used: {fault.reason}"


def _similar(number: int) -> Similar:
    return Similar(
        sample_id=str(number),
        title=TITLES[number],
        image_link=f"https://m.media-amazon.com/images/I/{number}.jpg",
        price=10.0 * (number + 1),
        similarity=0.9 - 0.2 * number,
        picture=None if number == 1 else jpeg(number),
    )
