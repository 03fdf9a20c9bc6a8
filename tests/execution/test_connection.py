"""Connecting to a scheduler that is missing, refuses, or has other workers."""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from amlc.errors import ExecutionError
from amlc.execution.executor import open_backend
from amlc.execution.versions import installed
from tests.execution.test_settings import settings

pytest.importorskip("distributed", reason="needs the extra cluster")

from amlc.execution import connection
from amlc.execution.connection import check_versions, connected

REMOTE = "tcp://127.0.0.1:1"


class Workers:
    """A client whose workers give the answers that a test wants."""

    def __init__(self, *answers: object) -> None:
        self._answers = {f"tcp://10.0.0.{7 + n}:1": answer for n, answer in enumerate(answers)}

    def run(self, *_: object, **__: object) -> dict[str, object]:
        """Return one answer for each worker."""
        return self._answers


def check(*answers: object) -> None:
    """Hold the answers of workers against this machine."""
    client: Any = Workers(*answers)
    check_versions(client, installed())


def test_workers_with_other_versions_are_refused() -> None:
    """Before work begins; the message says what differs, and on which worker."""
    theirs = {**installed(), "numpy": "1.0"}
    with pytest.raises(ExecutionError, match=r"10\.0\.0\.8:1 differs .*: numpy is 1\.0 there and"):
        check(installed(), theirs)


def test_workers_without_amlc_are_refused() -> None:
    """As where `dask worker` was started in another environment."""
    with pytest.raises(
        ExecutionError, match=r"7:1 cannot run amlc: No module named 'amlc'; install"
    ):
        check(ModuleNotFoundError("No module named 'amlc'"))


def test_a_worker_that_has_just_ended_is_left_out() -> None:
    """The one that replaces it is checked with its first piece."""
    check(OSError("connection refused"), installed())


class Leaving:
    """A client whose scheduler goes away after it has answered."""

    def __init__(self, *_: object, **__: object) -> None:
        """Connect."""

    def wait_for_workers(self, count: int, timeout: float) -> None:
        """Find a worker."""

    def run(self, *_: object, **__: object) -> None:
        """Fail as Dask does."""
        raise ConnectionError("in <TCP>: Stream is closed")

    def close(self, timeout: float) -> None:
        """Close what is open."""


def test_a_scheduler_that_goes_away_while_workers_are_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one sentence, as at any other time."""
    monkeypatch.setattr(connection, "Client", Leaving)
    local: Any = SimpleNamespace(worker_spec={0: {}, 1: {}})
    with (
        pytest.raises(ExecutionError, match=r"the connection to local:2 was lost; see whether"),
        connected(local, None, 1.0),
    ):
        pytest.fail("there is no scheduler")


def test_a_scheduler_that_cannot_be_reached() -> None:
    """Within the time limit, in one sentence."""
    nowhere = settings(kind="dask", scheduler=REMOTE, connect_seconds=0.5)
    with (
        pytest.raises(
            ExecutionError, match=r":1 cannot be reached within 0\.5 s: [^<>]+; see whether"
        ),
        open_backend(nowhere),
    ):
        pass


def test_an_address_at_which_something_else_answers() -> None:
    """As at the port of Dask's web pages; a Dask client takes these bytes for a huge length."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(1)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        web = settings(kind="dask", scheduler=address, connect_seconds=5.0)
        with (
            pytest.raises(ExecutionError, match="what answers is not a Dask scheduler; see"),
            open_backend(web),
        ):
            pass


def test_files_that_are_no_certificate(tmp_path: Path) -> None:
    """The message does not speak of a scheduler that cannot be reached."""
    (tmp_path / "x.pem").write_text("not a certificate")
    tls = dict.fromkeys(("ca_file", "cert", "key"), str(tmp_path / "x.pem"))
    nowhere = settings(kind="dask", scheduler="tls://127.0.0.1:1", tls=tls)
    with (
        pytest.raises(ExecutionError, match=r"executor\.tls: .*x\.pem: not an authority, a cert"),
        open_backend(nowhere),
    ):
        pass


def test_certificates_of_two_authorities(tmp_path: Path) -> None:
    """Neither the network nor the scheduler is to blame."""
    ours, theirs = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.issue_cert("127.0.0.1").configure_cert(context)
    ours.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    tls = {name: str(tmp_path / "own.pem") for name in ("cert", "key")}
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tls://127.0.0.1:{listener.getsockname()[1]}"
        tls["ca_file"] = str(tmp_path / "ca.pem")
        other = settings(kind="dask", scheduler=address, tls=tls, connect_seconds=5.0)
        with (
            pytest.raises(
                ExecutionError, match=r"refuse each other's certificates: .*verify failed"
            ),
            open_backend(other),
        ):
            pass


def test_a_certificate_that_is_missing() -> None:
    """The message names the file."""
    tls = {"ca_file": "missing-ca.pem", "cert": "missing.pem", "key": "missing.key"}
    nowhere = settings(kind="dask", scheduler="tls://127.0.0.1:1", tls=tls)
    with (
        pytest.raises(ExecutionError, match=r"executor\.tls: no such file: missing-ca\.pem"),
        open_backend(nowhere),
    ):
        pass
