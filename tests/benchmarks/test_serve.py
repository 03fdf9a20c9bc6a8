"""The service under load: what is kept of the measurements."""

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serve

from amlc.errors import DataError
from tools.parts import record_cells
from tools.record import tables

SERVER: Any = SimpleNamespace(
    seconds_to_ready=1.7, megabytes=lambda: 269.0, megabytes_with_workers=lambda: 720.4
)


def test_the_table_is_that_of_the_documentation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record of it has the best number of clients, and sums up the CSVs and the soak."""
    rates = {1: 70.0, 16: 233.0, 32: 120.0}
    csv_rates = iter([2019.0, 2450.0, 2540.0, 2500.0])

    def load(
        _: object, __: object, clients: int, seconds: float, rate: float = 0.0
    ) -> tuple[float, serve.Latencies]:
        errors = int(seconds == 60)
        return rate or rates[clients], serve.Latencies([0.086] * 3, errors)

    monkeypatch.setattr(serve, "one_client", lambda *_: serve.Latencies([0.0132] * 3))
    monkeypatch.setattr(serve, "load", load)
    monkeypatch.setattr(serve, "batch", lambda *_: next(csv_rates))
    options = argparse.Namespace(
        beside=0, requests=1, clients=list(rates), seconds=1.0, rows=1, soak=10.0
    )
    products: Any = None
    serve.measure(SERVER, products, options)
    assert record_cells({"tables": tables(capsys.readouterr().out)}) == [
        ["one client, p50 / p99", "13.2 / 13.2 ms"],
        ["16 clients", "233 prices/s, p99 86 ms"],
        ["the first CSV, text only / the next three", "2,019 / 2,450 to 2,540 products/s"],
        ["start to ready", "1.7 s"],
        ["memory when ready / after the load / with the workers", "269 / 269 / 720 MB"],
        ["10 minutes at 80% of the top load", "186 prices/s, 10 errors, 269 to 269 MB"],
    ]


def test_a_csv_of_another_layout_is_an_error(tmp_path: Path) -> None:
    """The benchmark sends texts of the competition's layout."""
    path = tmp_path / "products.csv"
    path.write_text("Title\nTea\n")
    with pytest.raises(DataError, match="column catalog_content"):
        serve.Products(path, b"")
