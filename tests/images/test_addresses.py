"""Only public addresses are connected to, in whatever form they are written or resolved."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from amlc.catalog.links import parse_link
from amlc.images import addresses
from amlc.images.addresses import Resolver, check_host, is_public
from amlc.images.fetch_result import FetchError
from tests.helpers.site import closed_port
from tests.images.conftest import BothSettings, MakeSettings

FakeNames = Callable[..., list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> FakeNames:
    """Return a function that installs a fake name server; it returns the list of lookups."""

    def install(known: dict[str, list[str]], error: int = socket.EAI_NONAME) -> list[str]:
        lookups: list[str] = []

        def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
            lookups.append(host)
            if host not in known:
                raise socket.gaierror(error, "no such name")
            return [(0, 0, 0, "", (address, 0)) for address in known[host]]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return lookups

    return install


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "168.63.129.16",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "no address",
        "",
    ],
)
def test_an_internal_address_is_not_public(address: str) -> None:
    """Loopback, private, link-local, multicast, reserved, metadata and embedded IPv4 are not."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Ordinary, mapped and translated addresses are allowed."""
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_mapping_to_ipv6_changes_nothing(address: object) -> None:
    """An IPv4 address has the same result when it is mapped into IPv6."""
    assert is_public(f"::ffff:{address}") == is_public(str(address))


def test_a_name_with_a_private_address_is_refused(names: FakeNames) -> None:
    """One private address among public ones is enough to refuse the name."""
    names({"trap.com": ["1.1.1.1", "10.0.0.1"]})
    with pytest.raises(FetchError, match="address not allowed"):
        Resolver([], 60).resolve("trap.com")


def test_an_allowed_private_host_may_have_a_private_address(names: FakeNames) -> None:
    """The setting for private mirrors names hosts, not addresses."""
    names({"mirror.lan": ["10.0.0.1"]})
    assert Resolver(["mirror.lan"], 60).resolve("mirror.lan") == ["10.0.0.1"]


def test_a_name_is_looked_up_once(names: FakeNames) -> None:
    """The address that was checked is the one connected to: there is no second lookup."""
    lookups = names({"cdn.com": ["1.1.1.1"]})
    resolver = Resolver([], 60)
    for _ in range(5):
        resolver.resolve("cdn.com")
    assert lookups == ["cdn.com"]


def test_an_address_that_answered_comes_first(
    names: FakeNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead first address is not tried again for every connection."""
    names({"cdn.com": ["1.1.1.1", "2.2.2.2"]})
    tried: list[str] = []

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        assert timeout > 0
        tried.append(address[0])
        if address[0] == "1.1.1.1":
            raise ConnectionRefusedError
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", create_connection)
    resolver = Resolver([], 60)
    for _ in range(2):
        resolver.connect("cdn.com", 80).close()
    assert tried == ["1.1.1.1", "2.2.2.2", "2.2.2.2"]
    assert resolver.resolve("cdn.com") == ["2.2.2.2", "1.1.1.1"]


def test_an_expired_answer_is_used_while_the_name_server_fails(
    names: FakeNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was resolved before survives a failure of the name server."""
    monkeypatch.setattr(addresses, "KEEP_SECONDS", -1.0)
    known = {"cdn.com": ["1.1.1.1"]}
    names(known)
    resolver = Resolver([], 60)
    resolver.resolve("cdn.com")
    known.clear()
    assert resolver.resolve("cdn.com") == ["1.1.1.1"]


def test_without_a_name_server_names_soon_fail_without_a_lookup(names: FakeNames) -> None:
    """After `OFFLINE_AFTER` names without an answer there are no further lookups."""
    lookups = names({}, error=socket.EAI_AGAIN)
    resolver = Resolver([], 60)
    for number in range(200):
        with pytest.raises(FetchError, match="host not found"):
            resolver.resolve(f"host{number}.com")
    assert len(lookups) == addresses.OFFLINE_AFTER


def test_many_callers_of_one_slow_name_do_not_count_as_many_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow name that sixty workers wait for does not make the network count as down."""
    release, others = threading.Event(), threading.Event()

    def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if host == "slow.com":
            release.wait(60)
        else:
            others.set()
        return [(0, 0, 0, "", ("1.1.1.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = Resolver([], 0.2)

    def resolve(_: int) -> bool:
        try:
            return bool(resolver.resolve("slow.com"))
        except FetchError:
            return False

    with ThreadPoolExecutor(60) as pool:
        assert not any(pool.map(resolve, range(60)))
    # On a busy machine, it may not be answered within the time limit either.
    with suppress(FetchError):
        resolver.resolve("other.com")
    assert others.wait(60)
    release.set()


def test_one_resolved_name_proves_the_network(names: FakeNames) -> None:
    """Names without an answer do not stop the lookups of other names."""
    known = {"cdn.com": ["1.1.1.1"], "late.com": ["1.1.1.1"]}
    lookups = names(known, error=socket.EAI_AGAIN)
    resolver = Resolver([], 60)
    resolver.resolve("cdn.com")
    for number in range(2 * addresses.OFFLINE_AFTER):
        with pytest.raises(FetchError):
            resolver.resolve(f"dead{number}.com")
    assert resolver.resolve("late.com") == ["1.1.1.1"]
    assert lookups[-1] == "late.com"


def test_a_lookup_that_hangs_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that never answers takes no longer than the time limit."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(120) and [])
    start = time.monotonic()
    with pytest.raises(FetchError, match="host not found"):
        Resolver([], 0.05).resolve("slow.com")
    release.set()
    assert time.monotonic() - start < 60


def test_a_refused_connection_is_an_error() -> None:
    """A port without a listener gives "no connection"."""
    # Nobody else can listen there meanwhile.
    with closed_port() as port, pytest.raises(FetchError, match="no connection"):
        Resolver(["127.0.0.1"], 60).connect("127.0.0.1", port)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "::1"])
def test_loopback_is_refused_in_every_notation(host: str) -> None:
    """A decimal number, a hexadecimal number and a name all reach the same check."""
    with pytest.raises(FetchError, match=r"address not allowed|host not found"):
        Resolver([], 60).connect(host, 80)


@pytest.mark.parametrize("host", ["images.invalid", "a.test", "b.example", "localhost"])
def test_a_reserved_name_is_not_found_without_a_lookup(host: str, settings: BothSettings) -> None:
    """Reserved top-level names fail at once, in the same way with and without a network."""
    with pytest.raises(FetchError, match="host not found"):
        check_host(parse_link(f"https://{host}/1.jpg"), settings.images)


def test_only_allowed_hosts_are_asked(make: MakeSettings) -> None:
    """With a list of hosts, all others are refused; without a list, no host is."""
    only = make(allow_hosts=["cdn.com"]).images
    check_host(parse_link("https://cdn.com/1.jpg"), only)
    check_host(parse_link("https://other.com/1.jpg"), make().images)
    with pytest.raises(FetchError, match="host not in allow_hosts"):
        check_host(parse_link("https://other.com/1.jpg"), only)


def test_hosts_of_settings_are_normalised(make: MakeSettings) -> None:
    """Case, Unicode and a dot at the end make no other host; a port or a wildcard is refused."""
    only = make(allow_hosts=["CDN.com.", "Straße.de"]).images
    check_host(parse_link("https://cdn.com./1.jpg"), only)
    check_host(parse_link("https://xn--strae-oqa.de/1.jpg"), only)
    with pytest.raises(ValidationError, match="without scheme and port"):
        make(allow_private_hosts=["cdn.com:443"])
