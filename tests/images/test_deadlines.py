"""Deadlines end requests that would last forever, and do not affect others."""

import socket
import weakref

import pytest

from amlc.images.deadlines import Watchdog


def test_a_wait_for_bytes_ends_at_the_deadline() -> None:
    """A socket without data is shut down at its deadline."""
    here, there = socket.socketpair()
    watchdog = Watchdog()
    with here, there, watchdog.watch(0.05) as watch:
        watch.attach(here)
        assert here.recv(1) == b""
        assert watch.expired
    watchdog.close()


def test_a_closed_watch_does_not_shut_its_socket_down() -> None:
    """A pooled connection may serve the next request after the deadline of the one before."""
    here, there = socket.socketpair()
    watchdog = Watchdog()
    with here, there:
        with watchdog.watch(30) as first:
            first.attach(here)
        first.expire()
        there.sendall(b"x")
        assert here.recv(1) == b"x"
        assert not first.expired
    watchdog.close()


def test_a_socket_attached_after_the_deadline_is_shut_down_at_once() -> None:
    """Connecting may take until after the deadline."""
    here, there = socket.socketpair()
    watchdog = Watchdog()
    with here, there, watchdog.watch(30) as watch:
        watch.expire()
        watch.attach(here)
        assert here.recv(1) == b""
    watchdog.close()


@pytest.mark.parametrize("before", [True, False])
def test_closing_aborts_requests_under_way(*, before: bool) -> None:
    """An interrupted run does not wait for a server, and starts no further request."""
    watchdog = Watchdog()
    if not before:
        watchdog.close()
    with watchdog.watch(1000) as watch:
        if before:
            watchdog.close()
        assert watch.expired


def test_closed_watches_do_not_accumulate() -> None:
    """A long run with a long deadline keeps no closed watch but the last."""
    watchdog = Watchdog()
    watches = []
    for _ in range(1000):
        with watchdog.watch(1000) as watch:
            watches.append(weakref.ref(watch))
    del watch
    assert sum(reference() is not None for reference in watches) <= 1
    watchdog.close()
