"""CSVs that are sent: what is read and refused, and how its rows are priced."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import httpx
import pytest

from amlc.catalog.reading import CELL_LIMIT
from amlc.pricing.estimates import Estimate, Product
from amlc.pricing.workers import Workers
from amlc.service import csv_jobs
from tests.helpers.api import CSV_HEADER, CSV_TYPE, csv_rows, problem, product_csv, send_csv
from tests.helpers.pricing import FakePricer, price_of
from tests.service.conftest import Start


class FakeWorkers(Workers):
    """Workers without processes: threads that price as the fake pricer does, or break."""

    def __init__(self, *, killed: int = 0) -> None:
        super().__init__(Path("none"), 2)
        self.killed = killed
        self.starts = 0
        self.pricer = FakePricer()
        self.running = False
        self.pool = ThreadPoolExecutor(2)

    def start(self) -> None:
        """Start at once."""
        self.starts += not self.running
        self.running = True

    @property
    def ready(self) -> bool:
        """Whether they have started."""
        return self.running and not self._broken

    def submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        """Price, or fail as a killed process does."""
        if self.broken:
            raise BrokenProcessPool
        if self.killed:
            self.killed -= 1
            self._broken = True
            failed: Future[list[Estimate]] = Future()
            failed.set_exception(BrokenProcessPool())
            return failed
        return self.pool.submit(self.pricer.price, products)

    def stop(self) -> None:
        """Stop; the threads end with the test."""
        self.running = self._broken = False

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self.pool.shutdown()


def test_each_row_is_priced_in_order(client: httpx.Client) -> None:
    """A CSV with more rows than one batch comes back in order; X-Rows has their number."""
    answer = send_csv(client, product_csv(300))
    rows = csv_rows(answer)
    assert answer.headers["x-rows"] == "300"
    assert [row["sample_id"] for row in rows] == [str(n) for n in range(300)]
    for number, row in enumerate(rows):
        price = price_of(Product(f"Item Name: Tea {number}\nUnit: oz\n"))
        assert float(row["price"]) == pytest.approx(price, abs=1e-4)
        assert float(row["low"]) == pytest.approx(price * 0.6, abs=1e-4)
        assert float(row["high"]) == pytest.approx(price * 1.7, abs=1e-4)


def test_the_answer_has_the_columns_of_the_command(client: httpx.Client) -> None:
    """The columns are those that `amlc predict` writes."""
    first = send_csv(client, product_csv(1)).text.splitlines()[0]
    assert first == "sample_id,price,low,high,reason"


def test_too_many_csvs_at_once_are_a_503(start: Start, pricer: FakePricer) -> None:
    """A CSV beyond the limit is a 503 with Retry-After; once the first is done, it is taken."""
    client = start(csv_jobs=1)
    pricer.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send_csv, client, product_csv(1))
        assert pricer.started.acquire(timeout=30)
        answer = send_csv(client, product_csv(1))
        pricer.gate.set()
        assert len(csv_rows(first.result(30))) == 1
    problem(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert len(csv_rows(send_csv(client, product_csv(1)))) == 1


def test_a_refused_csv_does_not_count(start: Start) -> None:
    """A CSV that was refused is not counted as one that is being priced."""
    client = start(csv_jobs=1)
    for _ in range(3):
        problem(send_csv(client, b"nothing"), 422)
    assert len(csv_rows(send_csv(client, product_csv(1)))) == 1


def test_a_client_that_leaves_makes_room(start: Start, pricer: FakePricer) -> None:
    """The rows of a client that left are not all priced, and the next CSV is taken."""
    client = start(csv_jobs=1, workers=1)
    text = product_csv(20_000)
    pricer.gate.clear()
    with client.stream("POST", "/v1/prices", content=text, headers=CSV_TYPE) as answer:
        next(answer.iter_bytes())
    # Once this is answered, the server knows that the client has left.
    client.get("/healthz")
    pricer.gate.set()
    while (later := send_csv(client, product_csv(1))).status_code == 503:
        pass
    assert len(csv_rows(later)) == 1
    assert sum(pricer.sizes) < 20_000


def test_an_answer_that_fails_midway_does_not_look_complete(client: httpx.Client) -> None:
    """The connection breaks off, so that a part of the answer is not taken for the whole."""
    text = CSV_HEADER + "1,Tea,\n" * 1_000 + "2,poison,\n"
    with pytest.raises(httpx.RemoteProtocolError):
        send_csv(client, text)


def test_a_long_csv_goes_to_the_workers(
    start: Start, pricer: FakePricer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers start with the first long CSV, and give the same rows in the same order."""
    monkeypatch.setattr(csv_jobs, "LONG_ROWS", 300)
    with FakeWorkers() as workers:
        client = start(pool=workers)
        short = csv_rows(send_csv(client, product_csv(300)))
        started_by_short = workers.running
        long = csv_rows(send_csv(client, product_csv(1_000)))
        started_by_long = workers.running
    assert not started_by_short
    assert started_by_long
    assert long[:300] == short
    assert [row["sample_id"] for row in long] == [str(n) for n in range(1_000)]
    assert sum(pricer.sizes) == 300
    assert sum(workers.pricer.sizes) == 1_000


def test_workers_that_were_killed_are_replaced(
    start: Start, pricer: FakePricer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads of the service price what was lost, and new workers the rest."""
    monkeypatch.setattr(csv_jobs, "LONG_ROWS", 300)
    with FakeWorkers(killed=1) as workers:
        assert len(csv_rows(send_csv(start(pool=workers), product_csv(3_000)))) == 3_000
    assert workers.starts == 2
    assert 512 <= sum(pricer.sizes) <= 1_024
    assert sum(pricer.sizes) + sum(workers.pricer.sizes) == 3_000


def test_workers_that_were_killed_while_they_started_are_replaced(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are never ready, but others can be."""
    monkeypatch.setattr(csv_jobs, "LONG_ROWS", 300)
    with FakeWorkers() as workers:
        workers.running = workers._broken = True  # noqa: SLF001 - as a process that ended leaves it
        assert len(csv_rows(send_csv(start(pool=workers), product_csv(3_000)))) == 3_000
    assert workers.starts == 1
    assert sum(workers.pricer.sizes) > 2_000


def test_workers_that_are_always_killed_are_given_up(
    start: Start, pricer: FakePricer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a number of tries within an hour the threads of the service price everything."""
    monkeypatch.setattr(csv_jobs, "LONG_ROWS", 300)
    with FakeWorkers(killed=1_000) as workers:
        client = start(pool=workers)
        for _ in range(2):
            assert len(csv_rows(send_csv(client, product_csv(6_000)))) == 6_000
        assert workers.starts == 3
        assert sum(pricer.sizes) == 12_000
        monkeypatch.setattr(csv_jobs, "_FAILURE_SECONDS", 0.0)
        assert len(csv_rows(send_csv(client, product_csv(6_000)))) == 6_000
        assert workers.starts > 3


def test_single_products_go_before_the_rows_of_a_csv(start: Start, pricer: FakePricer) -> None:
    """Beside a CSV no single product is refused, even if only one may wait."""
    client = start(queue=1)
    with ThreadPoolExecutor(1) as pool:
        csv_answer = pool.submit(send_csv, client, product_csv(20_000))
        assert pricer.started.acquire(timeout=30)
        for _ in range(20):
            assert client.post("/v1/price", json={"text": "Tea"}).status_code == 200
        assert len(csv_rows(csv_answer.result(60))) == 20_000


def test_the_products_of_a_csv_are_counted(start: Start) -> None:
    """The products of an answered CSV appear in /metrics."""
    client = start()
    send_csv(client, product_csv(200))
    assert 'amlc_products_total{path="/v1/prices"} 200.0' in client.get("/metrics").text


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "\uff1d1"]


@pytest.mark.parametrize("sample_id", [*FORMULAS, "1", "a=1", "'=1"])
def test_ids_are_no_formulas_for_a_spreadsheet(client: httpx.Client, sample_id: str) -> None:
    """A spreadsheet shows an id with a quote before it as it is; programs get ids unchanged."""
    text = f'{CSV_HEADER}"{sample_id}",Tea,\n'
    assert csv_rows(send_csv(client, text))[0]["sample_id"] == sample_id
    answer = client.post("/v1/prices?spreadsheet=true", content=text, headers=CSV_TYPE)
    quote = "'" if sample_id in FORMULAS else ""
    assert csv_rows(answer)[0]["sample_id"] == quote + sample_id


def test_a_wrong_parameter_is_named(client: httpx.Client) -> None:
    """The error names the parameter of the query."""
    answer = client.post("/v1/prices?spreadsheet=x", content=product_csv(1), headers=CSV_TYPE)
    assert problem(answer, 422)["errors"][0]["field"] == "spreadsheet"


# What is read, and what is refused.


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,Tea,\n", "no picture"),
        ("7,,\n", "no text; no picture"),
        ("7\n", "1 cells, not 3; no text; no picture"),
        ("7,Tea,,,x\n", "5 cells, not 3; no picture"),
    ],
)
def test_a_bad_row_is_priced_with_a_reason(client: httpx.Client, row: str, reason: str) -> None:
    """A row with something missing stays in its place and gets a price."""
    rows = csv_rows(send_csv(client, f"{CSV_HEADER}1,Tea,\n{row}9,Tea,\n"))
    assert [each["sample_id"] for each in rows] == ["1", "7", "9"]
    assert rows[1]["reason"] == reason


def test_a_word_for_a_missing_id_is_no_id(client: httpx.Client) -> None:
    """Two such rows are not repetitions of each other."""
    rows = csv_rows(send_csv(client, f"{CSV_HEADER}nan,Tea,\nnan,Tea,\n"))
    assert [each["reason"] for each in rows] == ["no id; no picture"] * 2


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
def test_the_usual_variants_of_csv_are_read(client: httpx.Client, text: str) -> None:
    """Byte order marks, line ends, blank lines and additional columns change nothing."""
    assert [row["sample_id"] for row in csv_rows(send_csv(client, text))] == ["1"]


def test_an_id_comes_back_unchanged(client: httpx.Client) -> None:
    """An id may hold commas, quotes and line ends."""
    name = 'a,"b"\nc'
    quoted = name.replace('"', '""')
    rows = csv_rows(send_csv(client, f'{CSV_HEADER}"{quoted}",Tea,\n'))
    assert rows[0]["sample_id"] == name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The CSV: is empty."),
        (b"sample_id,catalog_content\n", "no rows"),
        (b"sample_id,text\n1,Tea\n", "catalog_content"),
        (b"\x89PNG\r\n\x1a\n", "is a PNG image, not a CSV file"),
        (b"sample_id,sample_id,catalog_content\n1,1,Tea\n", "there 2 times"),
        (b"sample_id,catalog_content\n1,\xff\n", "line 2, byte 28 of the file, 0xff"),
        (b"sample_id,catalog_content\n1,\xc3", "not UTF-8"),
        (b"sample_id,catalog_content\n1,a\0b\n", "line 2, byte 29 of the file, 0x00"),
        (b'sample_id,catalog_content\n1,"Tea\n', "broken quoting at line 2: a quoted cell"),
        (b'sample_id,catalog_content\n1,"Tea" x\n', "broken quoting at line 2: a closing quote"),
        (b'sample_id,catalog_content\n1,"' + b"x" * 1_100_000 + b'"\n', "longer than"),
        (b"sample_id,catalog_content\n" + b'a","\n' * 20_000, "does not end"),
    ],
    ids=["empty", "no rows", "a missing column", "a picture", "a column twice", "latin", "cut",
         "nul", "open", "after a quote", "an endless cell", "endless cells"],
)  # fmt: skip
def test_a_body_that_is_not_a_csv_of_products_is_refused(
    client: httpx.Client, body: bytes, message: str
) -> None:
    """The error is a 422 before any price, and says where and what to do."""
    assert message in problem(send_csv(client, body), 422)["detail"]


def test_an_endless_line_is_refused_before_it_ends(client: httpx.Client) -> None:
    """The answer comes while the line is still being sent."""

    def line() -> Iterator[bytes]:
        yield b"sample_id,catalog_content\n1,"
        for _ in range(50):
            yield b"x" * 1_000_000

    with contextlib.suppress(httpx.WriteError):
        answer = client.post("/v1/prices", content=line(), headers=CSV_TYPE)
        assert "longer than" in problem(answer, 422)["detail"]
    assert client.get("/healthz").status_code == 200


def test_another_media_type_is_refused(client: httpx.Client) -> None:
    """A body that is not declared as a CSV is a 415."""
    problem(client.post("/v1/prices", content=product_csv(1)), 415)


def test_too_many_rows_are_refused(start: Start) -> None:
    """Too many rows are a 413 that names the limit."""
    error = problem(send_csv(start(csv_rows=3), product_csv(4)), 413)
    assert "at most 3" in error["detail"]


def test_too_many_bytes_are_refused(start: Start) -> None:
    """Too many bytes are a 413, with or without a declared length."""
    client = start(csv_bytes=1_000)
    problem(send_csv(client, product_csv(100)), 413)
    chunks = (part.encode() for part in [product_csv(50)] * 2)
    problem(client.post("/v1/prices", content=chunks, headers=CSV_TYPE), 413)


def test_the_csv_limit_is_restored() -> None:
    """It holds for the whole process, which may read other CSV files."""
    before = csv.field_size_limit()
    file = io.BytesIO(b"sample_id,catalog_content\n1,Tea\n")
    assert csv_jobs.count_rows(file, 9, FakePricer().catalog, links=False) == 1
    assert csv.field_size_limit() == before
    with csv_jobs.open_csv(file, FakePricer().catalog, links=False) as rows:
        assert csv.field_size_limit() == CELL_LIMIT
        assert [row.text for row in rows] == ["Tea"]
    assert csv.field_size_limit() == before
