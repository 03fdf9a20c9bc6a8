"""Ctrl-C ends a program at once while it starts, and within two seconds while it computes."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# Time to leave after an interrupt. What the program was writing is removed by its next run.
_GRACE_SECONDS = 1.5
# Time for what is done even then.
_LAST_SECONDS = 0.4
EXIT_CODE = 130  # as shells use it


def end_quietly() -> None:
    """Let Ctrl-C end the process without a traceback, until the block of `interruptible`.

    For the start of a program, before its imports, of which some turn an interrupt into other
    errors.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C in the block end the process, within two seconds whatever the block does.

    Python raises `KeyboardInterrupt` only once the code of a library returns, and on its way out
    waits for threads that are still computing. A program with a handler of its own is left alone.

    Raises
    ------
    SystemExit
        With code 130 after an interrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Python writes a byte for each signal at once, whatever its main thread does.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watch = _Watch(reader)
    watch.start()
    try:
        # The last step: an earlier interrupt ends the process at once, a later one is caught here.
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    except KeyboardInterrupt:
        watch.say_interrupted()
        raise SystemExit(EXIT_CODE) from None
    except BaseException:
        watch.done.set()
        raise
    else:
        watch.done.set()
    finally:
        signal.set_wakeup_fd(before)
        writer.close()


@contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Let Ctrl-C, which a terminal sends to all processes, not reach those started in the block.

    They inherit what the thread blocks. A handler of their own would come after their imports, and
    an interrupt before that print a traceback. Only this process reacts, and ends them.
    """
    _start_tracker()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_tracker() -> None:
    """Start the process with which Python keeps track of semaphores, unless it runs.

    Python would start it with the first semaphore, and let interrupts through afterwards. It says
    how many semaphores it has to remove, as after an interrupt that left no time.
    """
    from multiprocessing import resource_tracker  # noqa: PLC0415 - before `end_quietly`, each import counts

    with _tracker_lock:
        filters = os.environ.get("PYTHONWARNINGS")
        os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (filters, "ignore:resource_tracker")))
        try:
            resource_tracker.ensure_running()
        finally:
            if filters is None:
                del os.environ["PYTHONWARNINGS"]
            else:
                os.environ["PYTHONWARNINGS"] = filters


_tracker_lock = threading.Lock()


@contextmanager
def finally_even_if_late(action: Callable[[], None]) -> Iterator[None]:
    """Do something after the block, also where an interrupt ends the process before it is over.

    Parameters
    ----------
    action : callable
        Called at most once, from any thread; it takes at most some tenths of a second, such as
        removing a file. An `OSError` is ignored.
    """
    key = object()
    _last_actions[key] = action
    try:
        yield
    finally:
        if _last_actions.pop(key, None) is not None:
            with suppress(OSError):
                action()


def only_if_late(action: Callable[[], None]) -> None:
    """Do something where an interrupt leaves no time for what Python does when it ends.

    Parameters
    ----------
    action : callable
        As in `finally_even_if_late`.
    """
    _last_actions[action] = action


_last_actions: dict[object, Callable[[], None]] = {}


class _Watch(threading.Thread):
    """Ends the process some time after an interrupt, unless it was `done` before."""

    def __init__(self, reader: socket.socket) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self._reader = reader
        self._said = False

    def say_interrupted(self) -> None:
        if not self._said:
            self._said = True
            print("interrupted", file=sys.stderr, flush=True)

    def run(self) -> None:
        with self._reader:
            while received := self._reader.recv(1):
                ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
                if received[0] == signal.SIGINT and ours and not self.done.wait(_GRACE_SECONDS):
                    self.say_interrupted()
                    self.leave()

    def leave(self) -> None:
        # Even if an action hangs, as on a network disk.
        end = threading.Timer(_LAST_SECONDS, os._exit, (EXIT_CODE,))
        end.daemon = True
        end.start()
        # The main thread takes actions, too, so that there may be none left at any time.
        with suppress(KeyError):
            while True:
                _, action = _last_actions.popitem()
                with suppress(OSError, ValueError):
                    action()
        os._exit(EXIT_CODE)
