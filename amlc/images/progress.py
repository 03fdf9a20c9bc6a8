"""What a person sees while images are fetched."""

import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from amlc.errors import first_few
from amlc.images.network import Settled
from amlc.images.outcome import OK, Fault, Outcome

_TOLD_HOSTS = 5


class Progress:
    """A live line on a terminal, and a note for what needs one.

    Parameters
    ----------
    total : int
        Distinct links.
    """

    def __init__(self, total: int) -> None:
        # `disable=None` keeps it silent where no terminal is.
        self._bar = tqdm(total=total, unit="image", disable=None, mininterval=0.5)
        self._counts: Counter[str] = Counter()
        self._received = 0
        self._given_up = 0
        self._bad: list[Path] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._bad:
            names = first_few(sorted(path.name for path in self._bad))
            _note(f"images.mirror: {len(self._bad)} files are no good pictures: {names}")
        if self._given_up > _TOLD_HOSTS:
            _note(f"{self._given_up - _TOLD_HOSTS} more hosts were given up")

    def mirror(self, ambiguous: int) -> None:
        """Tell of file names in the mirror that more than one link could mean."""
        if ambiguous:
            _note(f"images.mirror: {ambiguous} file names fit several links and are not used")

    def stored(self, count: int) -> None:
        """Count links that the store had."""
        self._count("stored", count)

    def settled_here(self, outcome: Outcome, *, mirror: bool) -> None:
        """Count a link that needed no network."""
        self._count("mirror" if mirror else "ok" if outcome.status == OK else "failed", 1)

    def settled(self, settled: Settled, given_up: Mapping[str, Fault]) -> None:
        """Count a link that the network is done with; tell of hosts given up since the last."""
        self._received += settled.received
        self._count("ok" if settled.outcome.status == OK else "failed", 1)
        for host, fault in given_up.items():
            self._given_up += 1
            if self._given_up <= _TOLD_HOSTS:
                _note(f"{host}: {fault.reason}, again and again: gave it up until the next run")

    def bad_in_mirror(self, path: Path) -> None:
        """Remember a file of the mirror that is no good picture; from any thread."""
        with self._lock:
            self._bad.append(path)

    def _count(self, what: str, count: int) -> None:
        self._counts[what] += count
        if self._bar.disable:
            return
        seconds = max(self._bar.format_dict["elapsed"], 1e-3)
        self._bar.set_postfix(
            {"MB/s": f"{self._received / 1e6 / seconds:.1f}", **self._counts}, refresh=False
        )
        self._bar.update(count)


def _note(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
