"""A CSV in, a CSV out: every row is priced, and what is no CSV is refused in words."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import httpx
import pytest

from amlc.pricing.estimates import Estimate, Product
from amlc.pricing.workers import Workers
from amlc.service import tables
from tests.helpers.pricing import FakePricer, price_of
from tests.service.conftest import Start
from tests.service.test_app import problem

HEADER = "sample_id,catalog_content,image_link\n"
CSV = {"Content-Type": "text/csv"}


class FakeWorkers(Workers):
    """Workers without a process: threads that price as the fake pricer does, or break."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(Path("none"), 2)
        self.broken = broken
        self.pricer = FakePricer()
        self.running = False
        self.pool = ThreadPoolExecutor(2)

    def start(self) -> ThreadPoolExecutor:
        """Start at once."""
        self.running = True
        return self.pool

    @property
    def ready(self) -> bool:
        """Whether they have started."""
        return self.running

    def submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        """Price, or fail as a process does that was killed."""
        if self.broken:
            failed: Future[list[Estimate]] = Future()
            failed.set_exception(BrokenProcessPool())
            return failed
        return self.pool.submit(self.pricer.price, products)

    def stop(self) -> None:
        """End the threads."""
        self.running = False
        self.pool.shutdown()


def send(client: httpx.Client, text: str | bytes) -> httpx.Response:
    """Send a CSV."""
    return client.post("/v1/prices", content=text, headers=CSV)


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    """Return the rows of an answer."""
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def catalogue(count: int) -> str:
    """Return a CSV of so many products."""
    return HEADER + "".join(f'{n},"Item Name: Tea {n}\nUnit: oz\n",\n' for n in range(count))


def test_each_row_is_priced_in_its_order(client: httpx.Client) -> None:
    """More rows than are priced in one go; X-Rows says how many."""
    answer = send(client, catalogue(300))
    found = rows_of(answer)
    assert answer.headers["x-rows"] == "300"
    assert [row["sample_id"] for row in found] == [str(n) for n in range(300)]
    for number, row in enumerate(found):
        price = price_of(Product(f"Item Name: Tea {number}\nUnit: oz\n"))
        assert float(row["price"]) == pytest.approx(price, abs=1e-4)
        assert float(row["low"]) == pytest.approx(price * 0.6, abs=1e-4)
        assert float(row["high"]) == pytest.approx(price * 1.7, abs=1e-4)


def test_the_answer_has_the_columns_of_the_command(client: httpx.Client) -> None:
    """Those that python -m amlc.predict writes."""
    assert send(client, catalogue(1)).text.splitlines()[0] == "sample_id,price,low,high,reason"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,Tea,\n", "no picture"),
        ("7,,\n", "no text; no picture"),
        ("7\n", "1 cells, not 3; no text; no picture"),
        ("7,Tea,,,x\n", "5 cells, not 3; no picture"),
    ],
)
def test_a_bad_row_is_priced_and_flagged(client: httpx.Client, row: str, reason: str) -> None:
    """None is dropped."""
    found = rows_of(send(client, f"{HEADER}1,Tea,\n{row}9,Tea,\n"))
    assert [each["sample_id"] for each in found] == ["1", "7", "9"]
    assert found[1]["reason"] == reason


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffsample_id,catalog_content\n1,Tea\n",
        "sample_id,catalog_content\r\n1,Tea\r\n",
        "sample_id,catalog_content\n\n1,Tea\n\n",
        "sample_id,catalog_content\n1,Tea",
        "price,catalog_content,sample_id,colour\n,Tea,1,green\n",
    ],
    ids=["byte order mark", "windows", "blank lines", "no last line end", "other columns"],
)
def test_a_csv_of_any_make_is_read(client: httpx.Client, text: str) -> None:
    """Marks, line ends and columns beside those that count change nothing."""
    assert [row["sample_id"] for row in rows_of(send(client, text))] == ["1"]


def test_an_id_comes_back_as_it_was(client: httpx.Client) -> None:
    """With commas, quotes and line ends."""
    name = 'a,"b"\nc'
    quoted = name.replace('"', '""')
    assert rows_of(send(client, f'{HEADER}"{quoted}",Tea,\n'))[0]["sample_id"] == name


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no cell"),
        (b"sample_id,catalog_content\n", "no rows"),
        (b"sample_id,text\n1,Tea\n", "catalog_content"),
        (b"sample_id,sample_id,catalog_content\n1,1,Tea\n", "there 2 times"),
        (b"sample_id,catalog_content\n1,\xff\n", "not UTF-8 near line 2"),
        (b"sample_id,catalog_content\n1,\xc3", "not UTF-8"),
        (b"sample_id,catalog_content\n1,a\0b\n", "NUL byte near line 2"),
        (b'sample_id,catalog_content\n1,"Tea\n', "row from line 2"),
        (b'sample_id,catalog_content\n1,"Tea" x\n', "row from line 2"),
        (b'sample_id,catalog_content\n1,"' + b"x" * 1_100_000 + b'"\n', "longer than"),
        (b"sample_id,catalog_content\n" + b'a","\n' * 20_000, "does not end"),
    ],
    ids=["empty", "no rows", "a column less", "a column twice", "latin", "cut", "nul", "open",
         "after a quote", "an endless cell", "endless cells"],
)  # fmt: skip
def test_what_is_no_csv_of_products_is_refused(
    client: httpx.Client, body: bytes, words: str
) -> None:
    """422 before any price, saying where and what to do."""
    assert words in problem(send(client, body), 422)["detail"]


def test_one_endless_line_is_refused_before_it_ends(client: httpx.Client) -> None:
    """The answer comes while the line is still being sent."""
    sent = 0

    def line() -> Iterator[bytes]:
        nonlocal sent
        yield b"sample_id,catalog_content\n1,"
        for _ in range(50):
            sent += 1
            yield b"x" * 1_000_000

    with contextlib.suppress(httpx.WriteError):
        answer = client.post("/v1/prices", content=line(), headers=CSV)
        assert "longer than" in problem(answer, 422)["detail"]
    assert client.get("/healthz").status_code == 200


def test_another_type_is_refused(client: httpx.Client) -> None:
    """415 for what does not say that it is a CSV."""
    problem(client.post("/v1/prices", content=catalogue(1)), 415)


def test_too_many_rows_are_refused(start: Start) -> None:
    """413, saying how many are taken."""
    assert "at most 3" in problem(send(start(csv_rows=3), catalogue(4)), 413)["detail"]


def test_too_many_bytes_are_refused(start: Start) -> None:
    """413, whether the length is declared or only shows."""
    client = start(csv_bytes=1_000)
    problem(send(client, catalogue(100)), 413)
    chunks = (part.encode() for part in [catalogue(50)] * 2)
    problem(client.post("/v1/prices", content=chunks, headers=CSV), 413)


def test_too_many_at_once_are_told_to_come_back(start: Start, pricer: FakePricer) -> None:
    """503 with Retry-After; afterwards there is room again."""
    client = start(csv_jobs=1)
    pricer.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, client, catalogue(1))
        assert pricer.begun.acquire(timeout=30)
        answer = send(client, catalogue(1))
        pricer.gate.set()
        assert len(rows_of(first.result(30))) == 1
    problem(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert len(rows_of(send(client, catalogue(1)))) == 1


def test_a_refused_csv_leaves_its_place(start: Start) -> None:
    """What was refused does not count as one under way."""
    client = start(csv_jobs=1)
    for _ in range(3):
        problem(send(client, b"nothing"), 422)
    assert len(rows_of(send(client, catalogue(1)))) == 1


def test_a_client_that_leaves_makes_room(start: Start, pricer: FakePricer) -> None:
    """Its rows are not priced to the end, and the next CSV is taken."""
    client = start(csv_jobs=1, workers=1)
    with client.stream("POST", "/v1/prices", content=catalogue(20_000), headers=CSV) as answer:
        next(answer.iter_bytes())
    while (found := send(client, catalogue(1))).status_code == 503:
        pass
    assert len(rows_of(found)) == 1
    assert sum(pricer.sizes) < 20_000


def test_an_answer_that_fails_in_the_middle_does_not_look_whole(client: httpx.Client) -> None:
    """The connection breaks off, so that nobody takes the half for the whole."""
    text = HEADER + "1,Tea,\n" * 1_000 + "2,poison,\n"
    with pytest.raises(httpx.RemoteProtocolError):
        send(client, text)


def test_a_long_csv_goes_to_the_workers(
    start: Start, pricer: FakePricer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its order; a short one does not start them, and the end of the service ends them."""
    monkeypatch.setattr(tables, "LONG", 300)
    with FakeWorkers() as workers:
        client = start(pool=workers)
        short = rows_of(send(client, catalogue(300)))
        assert not workers.running
        long = rows_of(send(client, catalogue(1_000)))
        assert workers.running
    assert long[:300] == short
    assert [row["sample_id"] for row in long] == [str(n) for n in range(1_000)]
    assert sum(pricer.sizes) == 300
    assert sum(workers.pricer.sizes) == 1_000


def test_without_its_workers_a_csv_is_priced_all_the_same(
    start: Start, pricer: FakePricer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes may be killed; the service's own threads take over."""
    monkeypatch.setattr(tables, "LONG", 300)
    with FakeWorkers(broken=True) as workers:
        assert len(rows_of(send(start(pool=workers), catalogue(1_000)))) == 1_000
    assert sum(pricer.sizes) == 1_000


def test_a_whole_answer_counts_its_products(start: Start) -> None:
    """In /metrics."""
    client = start()
    send(client, catalogue(200))
    assert 'amlc_products_total{path="/v1/prices"} 200.0' in client.get("/metrics").text
