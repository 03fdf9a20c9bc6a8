"""Pieces on the workers of a Dask cluster: one that runs already, or one of this machine.

The scheduler notices a worker that ends, and has its pieces computed by others. What it cannot do
is done here: a piece that hangs is given up, inputs that were lost are sent again, and the tries
are counted.
"""

import asyncio
import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import dask
import distributed
from distributed import Client, LocalCluster, Security
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from amlc.errors import ExecutionError, first_few
from amlc.execution.backend import Backend, Member
from amlc.execution.inputs import InputFile, input_file
from amlc.execution.piece import Call, PieceTimeoutError, run_checked
from amlc.execution.processes import failed
from amlc.execution.settings import ExecutorSettings
from amlc.execution.together import Team
from amlc.execution.versions import differences, fingerprint, installed

ResultT = TypeVar("ResultT")

# Client and scheduler keep the last messages that they sent, for those who develop Dask. The pieces
# are in them, so that Dask's 1,000 for each worker would fill gigabytes.
KEPT_MESSAGES = 10
_LOG_LENGTH = "distributed.admin.low-level-log-length"
_REMEDY = "install the same versions there and start it as docs/cluster.md says"


@contextmanager
def open_cluster(settings: ExecutorSettings) -> Iterator["DaskBackend"]:
    """Connect to a scheduler, or start one with workers; hold the workers' versions against ours.

    Parameters
    ----------
    settings : ExecutorSettings
        Section `executor` of params.yaml.

    Raises
    ------
    ExecutionError
        The scheduler cannot be reached in time, has no workers, or they have other versions.
        Where workers start on this machine, it is raised with the first piece.
    """
    # Dask says in many lines what an error says here in one.
    changes = {
        "distributed.scheduler.allowed-failures": settings.retries,
        # On a busy machine, a worker that is started again takes longer than Dask waits for it
        # before it does without.
        "distributed.deploy.lost-worker-timeout": "1 hour",
        "distributed.logging": {"distributed": "critical", "distributed.nanny": "critical"},
        # Of its web servers, which it cannot do without, leave the answer that they are well.
        "distributed.scheduler.http.routes": ["distributed.http.health"],
        "distributed.worker.http.routes": ["distributed.http.health"],
        # For its web pages, Dask looks a hundred times a second what each worker is doing, and
        # keeps an hour of what it measures.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.system-monitor.log-length": 60,
        _LOG_LENGTH: KEPT_MESSAGES,
    }
    with dask.config.set(changes), _silent(), ExitStack() as stack:
        if settings.local_workers is not None:
            yield LocalBackend(settings, settings.local_workers, stack)
            return
        connected = _connected(settings.scheduler, _security(settings), settings.connect_seconds)
        client = stack.enter_context(connected)
        check_versions(client, installed())
        try:
            client.run_on_scheduler(keep_few_messages)
        except (AttributeError, ImportError) as error:
            # It has no amlc, or an earlier one.
            raise ExecutionError(
                f"executor.scheduler: {settings.scheduler} cannot run amlc: {error}; {_REMEDY}"
            ) from None
        yield DaskBackend(client, settings)


class DaskBackend(Backend):
    """Computes pieces on the workers of a cluster.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    settings : ExecutorSettings
        Section `executor` of params.yaml: time limit, tries and shared folder.

    """

    ahead = 2

    def __init__(self, client: Client | None, settings: ExecutorSettings) -> None:
        self._client = client
        self._settings = settings

    @property
    def client(self) -> Client:
        """The client."""
        assert self._client is not None
        return self._client

    def width(self, at_once: int | None) -> int:
        """Return the number of the workers' threads."""
        del at_once
        threads: dict[str, int] = self.client.nthreads()
        return sum(threads.values())

    @contextmanager
    def shared(self, inputs: object) -> Iterator["_Work"]:
        """Write the inputs to a file that the workers read, or send them to each worker."""
        folder = self._settings.shared_folder
        if folder is None and self._settings.local_workers is None:
            yield _Work(_Scattered(self.client, inputs))
            return
        with input_file(inputs, Path(folder) if folder else None) as file:
            yield _Work(file)

    def cancel(self, inputs: Any) -> None:
        """Cancel the pieces of the work that wait for a worker, and give up the others."""
        work: _Work = inputs
        with work.lock:
            work.cancelled = True
            futures = list(work.futures)
        if futures:
            self.client.cancel(futures)

    def compute(self, call: Call[ResultT], inputs: Any) -> ResultT:
        """Have the piece computed by a worker, and by another one if that is lost."""
        work: _Work = inputs
        reasons: list[str] = []
        future: Any = None
        while len(reasons) <= self._settings.retries:
            try:
                future = self._submit(work, call)
                result: ResultT = future.result()
            except PieceTimeoutError:
                limit = f"{self._settings.piece_seconds:g} s (executor.piece_seconds)"
                reasons.append(f"it took longer than {limit}")
            except KilledWorker as error:
                # The scheduler has tried it on several workers.
                tries = error.allowed_failures + 1
                why = f"its worker {error.last_worker.address} ended, as when memory runs out"
                raise failed(call.name, [why] * tries) from None
            except MemoryError:
                reasons.append("it ran out of memory")
            except (FutureCancelledError, CommClosedError):
                if work.cancelled:
                    raise
                reasons.append("its worker or its inputs were lost")
            except _NoWorkersError:
                # The piece waits for one, as if it had been submitted.
                continue
            else:
                return result
            finally:
                work.futures.discard(future)
        raise failed(call.name, reasons)

    @property
    def workers(self) -> int:
        """The number of workers of the cluster."""
        return len(self.client.nthreads())

    def compute_together(
        self,
        prepare: Callable[[None, Member], Any],
        function: Callable[[Any, Member], ResultT],
        shares: Sequence[Any],
        *,
        errors: type[Exception],
        name: str,
        threads: int,
    ) -> list[ResultT]:
        """Have the shares computed, and all of them again if a worker is lost."""
        self._check_connection()
        team = Team(self.client, self._settings, name=name, threads=threads)
        try:
            return team.compute(prepare, function, shares, errors)
        except OSError:
            raise self._disconnected() from None

    def _submit(self, work: "_Work", call: Call[Any]) -> Any:
        work.check()
        self._check_connection()
        value: Any = work.inputs
        if isinstance(work.inputs, _Scattered):
            value = work.inputs.future(work)
        # Without the lock, a piece could be submitted after the others were cancelled.
        with work.lock:
            work.check()
            future = self.client.submit(
                run_checked,
                *(call, value, self._settings.piece_seconds, fingerprint()),
                # A name of its own, because Dask takes equal names for equal results.
                key=f"{call.function.__name__}-{uuid.uuid4()}",
                pure=False,
            )
            work.futures.add(future)
        return future

    def _check_connection(self) -> None:
        if self.client.status != "running":
            raise self._disconnected()

    def _disconnected(self) -> ExecutionError:
        return ExecutionError(
            f"executor.scheduler: the connection to {self._settings.scheduler} was lost; see "
            "whether the scheduler is still running, then run again"
        )


class LocalBackend(DaskBackend):
    """Computes pieces on workers of this machine, which start with the first piece.

    Many stages have no pieces: all pictures are in the store, or there is no encoder.

    Parameters
    ----------
    settings : ExecutorSettings
        As for `DaskBackend`.
    count : int
        The number of workers.
    stack : ExitStack
        Ends them.
    """

    def __init__(self, settings: ExecutorSettings, count: int, stack: ExitStack) -> None:
        super().__init__(None, settings)
        self._count, self._stack = count, stack
        self._lock = threading.Lock()
        self._failure: ExecutionError | None = None
        self._given_up = False

    @property
    def client(self) -> Client:
        """The client; the first use starts the workers.

        Raises
        ------
        ExecutionError
            They cannot be started.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._client is None:
                try:
                    self._client = self._start()
                except ExecutionError as error:
                    self._failure = error
                    raise
            return self._client

    def cancel(self, inputs: Any) -> None:
        """Cancel the pieces; workers that fail to start are not started again for them."""
        super().cancel(inputs)
        self._given_up = self._client is None

    def _start(self) -> Client:
        self._given_up = False
        local = _local_cluster(self._count, self._settings.retries, lambda: self._given_up)
        cluster = self._stack.enter_context(local)
        seconds = self._settings.connect_seconds
        client = self._stack.enter_context(_connected(cluster, None, seconds))
        check_versions(client, installed())
        return client

    def width(self, at_once: int | None) -> int:
        """Return the number of workers."""
        del at_once
        return self._count

    @property
    def workers(self) -> int:
        """The number of workers."""
        return self._count


@dataclass
class _Work:
    """Inputs, and the pieces with them that are under way."""

    inputs: "InputFile | _Scattered"
    futures: set[Any] = field(default_factory=set)
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Raise FutureCancelledError if the work was cancelled."""
        if self.cancelled:
            raise FutureCancelledError("work", "its pool was closed")


class _NoWorkersError(Exception):
    """There are no workers to send inputs to."""


class _Scattered:
    """Inputs in the memory of each worker; they are sent again if all that had them were lost."""

    def __init__(self, client: Client, inputs: object) -> None:
        self._client, self._inputs = client, inputs
        self._future: Any = None
        self._lock = threading.Lock()

    def future(self, work: _Work) -> Any:
        """Return the future of the inputs, which Dask replaces by its value.

        Raises
        ------
        FutureCancelledError
            The work was cancelled.
        _NoWorkersError
            There have been none for the client's time limit.
        CommClosedError
            A worker was lost while it received them.
        """
        with self._lock:
            work.check()
            if self._future is None or self._future.status != "finished":
                self._future = self._sent()
            return self._future

    def _sent(self) -> Any:
        try:
            # Of a list, Dask makes a future of each element.
            (future,) = self._client.scatter(
                [self._inputs], broadcast=True, direct=True, hash=False
            )
        except OSError as error:
            if isinstance(error, TimeoutError) and not self._client.nthreads():
                raise _NoWorkersError from None
            raise CommClosedError(str(error)) from None
        return future


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
            raise ExecutionError(f"the worker {worker} cannot run amlc: {answer}; {_REMEDY}")
        found = differences(ours, answer)
        if found:
            raise ExecutionError(
                f"the worker {worker} differs from this machine: {first_few(found)}; {_REMEDY}, "
                "with python -m amlc.execution.worker"
            )


def keep_few_messages(dask_scheduler: Any) -> None:
    """Let a scheduler keep few of the messages that it sends, to present and future workers.

    Parameters
    ----------
    dask_scheduler : distributed.Scheduler
        Under this name, Dask gives a function the scheduler that runs it.
    """
    dask.config.set({_LOG_LENGTH: KEPT_MESSAGES})
    for stream in dask_scheduler.stream_comms.values():
        stream.recent_message_log = deque(stream.recent_message_log, KEPT_MESSAGES)


@contextmanager
def _connected(address: str | LocalCluster, security: Any, seconds: float) -> Iterator[Client]:
    """Connect within a time limit and wait for a first worker."""
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
        raise ExecutionError(
            f"executor.scheduler: {address} cannot be reached within {seconds:g} s: "
            f"{_root_cause(error)}; see whether a scheduler runs there, or set executor.kind: "
            "threads"
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=seconds)
        except TimeoutError:
            raise ExecutionError(
                f"executor.scheduler: {address} has had no worker for {seconds:g} s: start one as "
                "docs/cluster.md says"
            ) from None
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=5)


async def _try_connection(address: str, security: Any, seconds: float) -> None:
    """Connect once, because a client that cannot connect leaves a traceback when it is deleted."""
    options = {} if security is None else security.get_connection_args("client")
    try:
        comm = await distributed.comm.connect(address, timeout=seconds, **options)
    except MemoryError:
        # The first bytes of another protocol, such as HTTP, are taken for a length.
        raise ConnectionError("what answers is not a Dask scheduler") from None
    await comm.close()


def _root_cause(error: BaseException) -> str:
    """Return what the system said, without the objects of Dask around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    strerror = getattr(error, "strerror", None)
    return str(strerror or error).rpartition("Error: ")[2] or "no answer"


@contextmanager
def _local_cluster(count: int, retries: int, given_up: Callable[[], bool]) -> Iterator[Any]:
    """Start a scheduler in this process and workers in others, which only this process can use."""
    for left in reversed(range(retries + 1)):
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                # Otherwise its web servers listen on all addresses of the machine.
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                # Whoever can connect to a scheduler or a worker can run code as this user.
                security=Security.temporary(),
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError) as error:
            # A nanny replaces a worker that is killed, but not one that is killed while it starts.
            if not left or given_up():
                raise ExecutionError(
                    f"executor.scheduler: local:{count}: the processes cannot be started: {error}; "
                    "name fewer, or set executor.kind: threads"
                ) from None
        else:
            break
    with cluster:
        yield cluster


def _security(settings: ExecutorSettings) -> Any:
    tls = settings.tls
    if tls is None:
        return None
    missing = [path for path in (tls.ca_file, tls.cert, tls.key) if not Path(path).is_file()]
    if missing:
        raise ExecutionError(f"executor.tls: no such file: {first_few(missing)}")
    return Security(
        tls_ca_file=tls.ca_file,
        tls_client_cert=tls.cert,
        tls_client_key=tls.key,
        require_encryption=True,
    )


@contextmanager
def _silent() -> Iterator[None]:
    logger = logging.getLogger(distributed.__name__)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
