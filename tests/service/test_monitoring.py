"""The log of the service."""

import json
import logging

import httpx
import pytest

from amlc.service.monitoring import LOGGER, JsonLines
from tests.service.conftest import logged


def test_each_request_is_one_line_of_the_log(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The line has method, route, status and time, and nothing of the product."""
    caplog.set_level(logging.INFO)
    client.post("/v1/price?secret=1", json={"title": "secret tea"})
    line = logged(caplog, method="POST", path="/v1/price", status=200)
    assert json.loads(line)["seconds"] >= 0
    assert "secret" not in line


def test_a_logged_error_has_its_place_but_not_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message of an exception may quote what a user sent, so it is not logged."""
    try:
        int("secret tea")
    except ValueError:
        logging.getLogger(LOGGER).exception("failed")
    line = JsonLines().format(caplog.records[-1])
    assert json.loads(line)["error"] == "ValueError"
    assert "test_a_logged_error" in line
    assert "secret" not in line
