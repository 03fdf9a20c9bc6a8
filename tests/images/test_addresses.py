"""Only public addresses are connected to, however they are spelt or resolved."""

import socket
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.images import addresses
from amlc.images.addresses import Resolver, connect, is_public
from amlc.images.outcome import FetchError

Lookup = Callable[[dict[str, list[str]]], list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Lookup:
    """Return a function that puts a made-up name server in place; it returns the names asked."""

    def place(known: dict[str, list[str]]) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
            asked.append(host)
            if host not in known:
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return [(0, 0, 0, "", (address, 0)) for address in known[host]]

        monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
        return asked

    return place


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
def test_an_address_inside_is_not_public(address: str) -> None:
    """Loopback, private, link-local, multicast, reserved, metadata, and IPv4 hidden in IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Ordinary addresses, mapped ones and translated ones pass."""
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_mapping_to_ipv6_changes_nothing(address: object) -> None:
    """An IPv4 address is judged alike when it is mapped into IPv6."""
    assert is_public(f"::ffff:{address}") == is_public(str(address))


def test_a_name_that_points_inside_is_refused(names: Lookup) -> None:
    """One private address among public ones is enough."""
    names({"trap.com": ["1.1.1.1", "10.0.0.1"]})
    with pytest.raises(FetchError, match="address not allowed"):
        Resolver([], 5).resolve("trap.com")


def test_an_allowed_private_host_may_point_inside(names: Lookup) -> None:
    """The setting for private mirrors names hosts, not addresses."""
    names({"mirror.lan": ["10.0.0.1"]})
    assert Resolver(["mirror.lan"], 5).resolve("mirror.lan") == ["10.0.0.1"]


def test_a_name_is_looked_up_once(names: Lookup) -> None:
    """What was checked is what is connected to: a second answer cannot slip in between."""
    asked = names({"cdn.com": ["1.1.1.1"]})
    resolver = Resolver([], 5)
    for _ in range(5):
        resolver.resolve("cdn.com")
    assert asked == ["cdn.com"]


def test_an_address_that_answered_comes_first(names: Lookup) -> None:
    """A dead first address is not tried again for every connection."""
    names({"cdn.com": ["1.1.1.1", "2.2.2.2"]})
    resolver = Resolver([], 5)
    resolver.resolve("cdn.com")
    resolver.prefer("cdn.com", "2.2.2.2")
    assert resolver.resolve("cdn.com") == ["2.2.2.2", "1.1.1.1"]


def test_an_old_answer_serves_while_the_name_server_is_away(
    names: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was found before does not get lost in a hiccup."""
    monkeypatch.setattr(addresses, "KEEP_SECONDS", -1.0)
    known = {"cdn.com": ["1.1.1.1"]}
    names(known)
    resolver = Resolver([], 5)
    resolver.resolve("cdn.com")
    known.clear()
    assert resolver.resolve("cdn.com") == ["1.1.1.1"]


def test_without_any_name_server_names_soon_fail_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some names without an answer no further one is asked for."""
    asked: list[str] = []

    def look_up(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    resolver = Resolver([], 5)
    for number in range(200):
        with pytest.raises(FetchError, match="host not found"):
            resolver.resolve(f"host{number}.com")
    assert len(asked) == addresses.OFFLINE_AFTER


def test_one_name_that_is_found_proves_the_network(names: Lookup) -> None:
    """Dead names among good ones do not end the run for the others."""
    known = {"cdn.com": ["1.1.1.1"], "late.com": ["1.1.1.1"]}
    asked = names(known)
    resolver = Resolver([], 5)
    resolver.resolve("cdn.com")
    for number in range(2 * addresses.OFFLINE_AFTER):
        resolver._count_unanswered(TimeoutError())
        with pytest.raises(FetchError):
            resolver.resolve(f"dead{number}.com")
    assert resolver.resolve("late.com") == ["1.1.1.1"]
    assert asked[-1] == "late.com"


def test_a_lookup_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that never answers costs no more than the time given."""
    release = threading.Event()
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])
    start = time.monotonic()
    with pytest.raises(FetchError, match="host not found"):
        Resolver([], 0.05).resolve("slow.com")
    release.set()
    assert time.monotonic() - start < 10


def test_a_refused_connection_is_a_fault() -> None:
    """Nobody listens: no connection."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FetchError, match="no connection"):
        connect(Resolver(["127.0.0.1"], 5), "127.0.0.1", port, 5)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "::1"])
def test_no_spelling_of_loopback_is_connected_to(host: str) -> None:
    """A number, a hexadecimal number and a name all end at the same check."""
    with pytest.raises(FetchError, match=r"address not allowed|host not found"):
        connect(Resolver([], 5), host, 80, 5)
