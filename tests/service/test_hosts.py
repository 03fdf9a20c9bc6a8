"""Requests that the pages of other sites make a browser send are refused."""

import httpx
import pytest

from tests.helpers.api import TEXT, problem, request_head, send_raw
from tests.service.conftest import Start

FORM = {"text": (None, TEXT)}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.1.2.3", "[::1]:9"])
def test_loopback_takes_loopback_names(client: httpx.Client, host: str) -> None:
    """Whoever sits at this machine can use any of its own names, with any port."""
    assert client.get("/v1/model", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["attacker.example", "attacker.example:8000", "localhost.attacker.example", "10.0.0.1", "[::2]",
     "localhost@attacker.example:1", "[", "attacker.example:localhost"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/v1/model", "/openapi.json", "/metrics"])
def test_loopback_takes_no_other_names(client: httpx.Client, host: str, path: str) -> None:
    """A page whose name an attacker resolved to this machine reads nothing."""
    detail = problem(client.get(path, headers={"Host": host}), 421)["detail"]
    assert "--allowed-hosts" in detail


def test_a_name_can_be_allowed(start: Start) -> None:
    """Behind a proxy the service takes the proxy's name, and still those of this machine."""
    client = start(allowed_hosts=["Prices.example.org."])
    assert client.get("/healthz").status_code == 200
    for host, status in [("prices.example.org", 200), ("prices.example.org:443", 200),
                         ("example.org", 421), ("x.prices.example.org", 421)]:  # fmt: skip
        assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_a_program_need_not_name_a_host(client: httpx.Client) -> None:
    """No browser leaves the host out, but health checks by HTTP 1.0 do."""
    request = b"GET /healthz HTTP/1.0\r\n\r\n"
    assert send_raw(client, request).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://attacker.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
     {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
    ids=str,
)  # fmt: skip
def test_a_page_of_another_site_sends_nothing(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    """A form or a CSV from the page of another site is not priced."""
    problem(client.post("/v1/price", files=FORM, headers=headers), 403)
    csv = {**headers, "Content-Type": "text/csv"}
    problem(client.post("/v1/prices", content=b"", headers=csv), 403)


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_own_page_sends_forms(client: httpx.Client, site: str) -> None:
    """The page of this service, and what a user types, are taken."""
    headers = {"Sec-Fetch-Site": site, "Origin": str(client.base_url).rstrip("/")}
    assert client.post("/v1/price", files=FORM, headers=headers).status_code == 200
    del headers["Sec-Fetch-Site"]
    assert client.post("/v1/price", files=FORM, headers=headers).status_code == 200


def test_any_site_may_link_to_the_page(client: httpx.Client) -> None:
    """A link from another site leads to the page."""
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_a_refused_request_is_answered_before_its_body(client: httpx.Client) -> None:
    """Nothing of a large body need be sent."""
    head = request_head("Origin: https://attacker.example", "Content-Length: 2000000000")
    assert send_raw(client, head).startswith(b"HTTP/1.1 403 ")
