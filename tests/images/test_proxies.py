"""The proxies of the environment are used if a setting says so, and only then."""

import pytest
import trustme

from amlc.catalog.links import parse_link
from amlc.errors import ImageError
from amlc.images.fetch_result import FetchError
from amlc.images.proxies import environment_proxies, goes_direct
from tests.helpers.pictures import jpeg
from tests.helpers.site import Exchange, Page, Site, page, tls
from tests.images.conftest import BothSettings, Fetch, MakeSettings

GOOD = jpeg()
LINK = "http://cdn.com/a.jpg"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the proxies of the environment in which the tests run."""
    for scheme in ("http", "https", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def proxied(make: MakeSettings, ca_bundle: str) -> BothSettings:
    """Return settings that use the proxy, and allow no private host."""
    return make(use_proxy=True, allow_private_hosts=[], ca_bundle=ca_bundle)


def _tunnel(authority: trustme.CA, name: str) -> Page:
    """Return a page of a proxy that answers in place of a host with TLS."""
    context = tls(authority, name)

    def answer(exchange: Exchange) -> bool:
        exchange.send_raw(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(exchange.sock, server_side=True) as sock:
            request = sock.recv(65_536)
            assert request.startswith(b"GET /a.jpg HTTP/1.1")
            assert b"Proxy-Authorization" not in request
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD)
        return False

    return answer


def test_a_picture_is_fetched_through_the_proxy(
    site: Site, fetch: Fetch, proxied: BothSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the whole link and its user; the host need not be known here."""
    monkeypatch.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{site.port}/")
    site.pages[LINK] = page(GOOD)
    assert fetch(LINK, proxied) == GOOD
    assert site.seen[0]["Host"] == "cdn.com"
    assert site.seen[0]["Proxy-Authorization"] == "Basic bWU6cEBzcw=="


def test_a_link_with_tls_goes_through_a_tunnel(
    site: Site,
    fetch: Fetch,
    proxied: BothSettings,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The certificate is that of the host, and the proxy's password does not reach it."""
    monkeypatch.setenv("ALL_PROXY", f"me:secret@127.0.0.1:{site.port}")
    site.pages["cdn.com:443"] = _tunnel(authority, "cdn.com")
    site.pages["other.com:443"] = _tunnel(authority, "cdn.com")
    assert fetch("https://cdn.com/a.jpg", proxied) == GOOD
    assert site.seen[0]["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"
    with pytest.raises(FetchError, match="TLS failure"):
        fetch("https://other.com/a.jpg", proxied)


def test_each_scheme_has_its_own_user(
    site: Site,
    fetch: Fetch,
    proxied: BothSettings,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One proxy may be named twice, and the more special variable counts."""
    monkeypatch.setenv("ALL_PROXY", f"http://all:x@127.0.0.1:{site.port}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://tls:x@127.0.0.1:{site.port}")
    site.pages |= {LINK: page(GOOD), "cdn.com:443": _tunnel(authority, "cdn.com")}
    for link in (LINK, "https://cdn.com/a.jpg"):
        assert fetch(link, proxied) == GOOD
    users = [seen["Proxy-Authorization"] for seen in site.seen]
    assert users == ["Basic YWxsOng=", "Basic dGxzOng="]


@pytest.mark.parametrize("answer", [page(b"", "403 Forbidden"), page(b"", "407 Who are you")])
def test_a_tunnel_that_is_refused_is_a_failure_of_the_proxy(
    answer: Page,
    site: Site,
    fetch: Fetch,
    proxied: BothSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the host nor the connection is to blame."""
    monkeypatch.setenv("HTTPS_PROXY", site.url(""))
    site.pages["cdn.com:443"] = answer
    with pytest.raises(FetchError, match="proxy failure"):
        fetch("https://cdn.com/a.jpg", proxied)


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "http://proxy.invalid:3128"])
@pytest.mark.parametrize("link", [LINK, "https://cdn.com/a.jpg"])
def test_a_proxy_that_cannot_be_reached_is_named_as_the_cause(
    proxy: str, link: str, fetch: Fetch, proxied: BothSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host of the link has not failed."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(FetchError, match="proxy failure"):
        fetch(link, proxied)


def test_a_proxy_that_stalls_meets_the_deadline(
    site: Site, fetch: Fetch, make: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for the tunnel counts."""

    def stall(exchange: Exchange) -> bool:
        exchange.stall()
        return False

    monkeypatch.setenv("ALL_PROXY", site.url(""))
    site.other = stall
    for link in (LINK, "https://cdn.com/a.jpg"):
        with pytest.raises(FetchError, match="timeout"):
            fetch(link, make(use_proxy=True, deadline_seconds=0.3))


def test_without_the_setting_the_environment_does_not_count(
    site: Site, fetch: Fetch, settings: BothSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would take the check of addresses out of this program's hands."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    site.pages["/a.jpg"] = page(GOOD)
    assert fetch(site.url("/a.jpg"), settings) == GOOD


@pytest.mark.parametrize("hosts", ["127.0.0.1", "a.com, 127.0.0.1:{port}", "*"])
def test_hosts_without_proxy_are_asked_directly_and_checked(
    hosts: str, site: Site, fetch: Fetch, make: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY takes a link back to the checks of addresses, even to the proxy's own."""
    monkeypatch.setenv("HTTP_PROXY", site.url(""))
    monkeypatch.setenv("NO_PROXY", hosts.format(port=site.port))
    site.pages["/a.jpg"] = page(GOOD)
    assert fetch(site.url("/a.jpg"), make(use_proxy=True)) == GOOD
    with pytest.raises(FetchError, match="address not allowed"):
        fetch(site.url("/a.jpg"), make(use_proxy=True, allow_private_hosts=[]))


@pytest.mark.parametrize(
    ("host", "names", "direct"),
    [
        ("10.1.2.3", "a.com, 10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3/24", True),
        ("11.1.2.3", "10.0.0.0/8,", False),
        ("[fd00::1]", "fd00::/8", True),
        ("[fd00::1]", "10.0.0.0/8,x/y,/", False),
        ("cdn.com", "0.0.0.0/0", False),
    ],
)
def test_networks_can_go_without_proxy(
    host: str, names: str, *, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY may hold networks; they match addresses alone, since names are not looked up."""
    monkeypatch.setenv("NO_PROXY", names)
    assert goes_direct(parse_link(f"https://{host}/a.jpg")) is direct


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "2130706433", "169.254.169.254", "[::1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_private_address_is_refused_before_the_proxy_is_asked(
    host: str,
    scheme: str,
    site: Site,
    fetch: Fetch,
    proxied: BothSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where a link redirects to it."""
    monkeypatch.setenv("ALL_PROXY", site.url(""))
    with pytest.raises(FetchError, match="address not allowed"):
        fetch(f"{scheme}://{host}/a.jpg", proxied)
    assert site.connections == 0
    site.pages[LINK] = page(b"", "302 Found", Location=f"{scheme}://{host}/a.jpg")
    with pytest.raises(FetchError, match="address not allowed"):
        fetch(LINK, proxied)
    assert len(site.seen) == 1


def test_the_other_rules_for_hosts_hold_with_a_proxy(
    site: Site, fetch: Fetch, make: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a host that is not allowed nor a reserved name is asked for."""
    monkeypatch.setenv("ALL_PROXY", site.url(""))
    with pytest.raises(FetchError, match="host not in allow_hosts"):
        fetch(LINK, make(use_proxy=True, allow_hosts=["a.com"]))
    with pytest.raises(FetchError, match="host not found"):
        fetch("http://localhost/a.jpg", make(use_proxy=True))
    assert site.connections == 0


@pytest.mark.parametrize(
    "value", ["socks5://h:1", "https://h:1", "http://", "http://:1", "http://me:word@h:x", "//h"]
)
def test_a_variable_that_names_no_http_proxy_is_an_error(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the setting and the variable, and shows no password."""
    monkeypatch.setenv("https_proxy", value)
    with pytest.raises(ImageError, match=r"fetching\.use_proxy: HTTPS_PROXY") as caught:
        environment_proxies()
    assert "word" not in str(caught.value)
