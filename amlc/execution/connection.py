"""The connection to a scheduler: within a time limit, encrypted, to workers like this machine."""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import distributed
from distributed import Client, LocalCluster, Security

from amlc.errors import ExecutionError, first_few
from amlc.execution.settings import TlsSettings
from amlc.execution.versions import REMEDY, check_like, installed


def encryption(tls: TlsSettings | None) -> Any:
    """Return what Dask calls security; None: connections are not encrypted.

    Parameters
    ----------
    tls : TlsSettings or None
        The files of a certificate.

    Raises
    ------
    ExecutionError
        A file is missing or malformed.
    """
    if tls is None:
        return None
    missing = [path for path in (tls.ca_file, tls.cert, tls.key) if not Path(path).is_file()]
    if missing:
        raise ExecutionError(f"executor.tls: no such file: {first_few(missing)}")
    security = Security(
        tls_ca_file=tls.ca_file,
        tls_client_cert=tls.cert,
        tls_client_key=tls.key,
        require_encryption=True,
    )
    try:
        security.get_connection_args("client")
    except OSError as error:
        raise ExecutionError(
            f"executor.tls: {tls.ca_file}, {tls.cert}, {tls.key}: not an authority, a "
            f"certificate and its key: {error.strerror or error}; make them as docs/cluster.md says"
        ) from None
    return security


@contextmanager
def connected(address: str | LocalCluster, security: Any, seconds: float) -> Iterator[Client]:
    """Connect, wait for a first worker, and hold the workers' versions against ours.

    Parameters
    ----------
    address : str or LocalCluster
        Of the scheduler.
    security : Security or None
        What `encryption` returns.
    seconds : float
        How long to wait for each of the first two.

    Raises
    ------
    ExecutionError
        The scheduler cannot be reached, has no workers, or they have other versions.
    """
    name = address if isinstance(address, str) else f"local:{len(address.worker_spec)}"
    try:
        if isinstance(address, str):
            asyncio.run(_try_connection(address, security, seconds))
        client = Client(
            address,
            security=security,
            timeout=seconds,
            set_as_default=False,
            # Inputs and results do not pass through the scheduler's memory.
            direct_to_workers=True,
        )
    except (OSError, TimeoutError, ValueError) as error:
        cause = _root_cause(error)
        if isinstance(cause, ssl.SSLError):
            raise ExecutionError(
                f"executor.scheduler: {name} and this machine refuse each other's certificates: "
                f"{_words(cause)}; executor.tls has to name files of the authority that the "
                "scheduler has"
            ) from None
        raise ExecutionError(
            f"executor.scheduler: {name} cannot be reached within {seconds:g} s: {_words(cause)}; "
            "see whether a scheduler runs there, encrypted if the address begins with tls:// and "
            "not if it begins with tcp://, or set executor.kind: threads"
        ) from None
    try:
        with losses_told(name):
            try:
                client.wait_for_workers(1, timeout=seconds)
            except TimeoutError:
                raise ExecutionError(
                    f"executor.scheduler: {name} has had no worker for {seconds:g} s: start one as "
                    "docs/cluster.md says"
                ) from None
            check_versions(client, installed())
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=5)


def disconnected(scheduler: str) -> ExecutionError:
    """Return the error for a scheduler that has gone away."""
    return ExecutionError(
        f"executor.scheduler: the connection to {scheduler} was lost; see whether the scheduler is "
        "still running, then run again"
    )


@contextmanager
def losses_told(scheduler: str) -> Iterator[None]:
    """Raise `disconnected` where Dask, asked something in the block, loses the connection."""
    try:
        yield
    except OSError:
        raise disconnected(scheduler) from None


async def _try_connection(address: str, security: Any, seconds: float) -> None:
    """Connect once, because a client that cannot connect leaves a traceback when it is deleted."""
    options = {} if security is None else security.get_connection_args("client")
    try:
        comm = await distributed.comm.connect(address, timeout=seconds, **options)
    except MemoryError:
        # The first bytes of another protocol, such as HTTP, are taken for a length.
        raise ConnectionError("what answers is not a Dask scheduler") from None
    await comm.close()


def _root_cause(error: BaseException) -> BaseException:
    """Return what the system raised, without the errors of Dask around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _words(error: BaseException) -> str:
    """Return what the system said, without the objects of Dask around it."""
    strerror = getattr(error, "strerror", None)
    return str(strerror or error).rpartition("Error: ")[2] or "no answer"


def check_versions(client: Client, ours: Mapping[str, str]) -> None:
    """Compare what is installed on the workers to what is installed here.

    Parameters
    ----------
    client : Client
        Connected to a scheduler with at least one worker.
    ours : mapping of str to str
        What `amlc.execution.versions.installed` returns here.

    Raises
    ------
    ExecutionError
        Something differs; the message says what, and on which workers.
    """
    answers: dict[str, Any] = client.run(installed, on_error="return")
    for worker, answer in sorted(answers.items()):
        if isinstance(answer, OSError):
            # It has just ended; those that come later are checked with their pieces.
            continue
        if isinstance(answer, BaseException):
            raise ExecutionError(f"the worker {worker} cannot run amlc: {answer}; {REMEDY}")
        check_like(ours, answer, worker)
