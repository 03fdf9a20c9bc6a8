"""Deadlines end what would last for ever, and touch nothing else."""

import socket

import pytest

from amlc.images.transport import Watchdog


def test_a_wait_for_bytes_ends_at_the_deadline() -> None:
    """A socket that nobody writes to is shut when its time is up."""
    here, there = socket.socketpair()
    dog = Watchdog()
    with here, there, dog.watch(0.05) as watch:
        watch.attach(here)
        assert here.recv(1) == b""
        assert watch.expired
    dog.close()


def test_a_watch_that_ended_leaves_its_socket_alone() -> None:
    """A pooled connection may serve the next request after the deadline of the one before."""
    here, there = socket.socketpair()
    dog = Watchdog()
    with here, there:
        with dog.watch(30) as first:
            first.attach(here)
        first.expire()
        there.sendall(b"x")
        assert here.recv(1) == b"x"
        assert not first.expired
    dog.close()


def test_a_socket_attached_too_late_is_shut_at_once() -> None:
    """Connecting may take longer than the deadline allows."""
    here, there = socket.socketpair()
    dog = Watchdog()
    with here, there, dog.watch(30) as watch:
        watch.expire()
        watch.attach(here)
        assert here.recv(1) == b""
    dog.close()


@pytest.mark.parametrize("before", [True, False])
def test_closing_breaks_off_what_is_under_way(*, before: bool) -> None:
    """An interrupted run waits for no server, and begins nothing more."""
    dog = Watchdog()
    if not before:
        dog.close()
    with dog.watch(1000) as watch:
        if before:
            dog.close()
        assert watch.expired


def test_ended_watches_do_not_pile_up() -> None:
    """A long run with a long deadline keeps only what is open."""
    dog = Watchdog()
    for _ in range(1000):
        with dog.watch(1000):
            pass
    assert len(dog._heap) <= 1
    dog.close()
