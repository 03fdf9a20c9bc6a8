"""Ctrl-C ends a program at once while it starts, and within two seconds while it computes."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Time to leave after an interrupt. What the program was writing is removed by its next run.
_GRACE_SECONDS = 1.5
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
                    os._exit(EXIT_CODE)
