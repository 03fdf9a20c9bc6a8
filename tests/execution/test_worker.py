"""The command that starts a worker."""

import sys

from amlc.execution import worker


def test_options_of_the_user_come_after_the_defaults() -> None:
    """The last of two equal options counts for Dask."""
    words = worker.command(["tls://10.0.0.5:8786", "--nthreads", "4"])
    assert words[:3] == [sys.executable, "-m", worker.MODULE]
    assert words.index("1", words.index("--nthreads")) < words.index("4")
    assert words[-3:] == ["tls://10.0.0.5:8786", "--nthreads", "4"]
