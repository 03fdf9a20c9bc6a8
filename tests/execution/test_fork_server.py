"""The process from which workers are forked."""

import os

from amlc.execution.fork_server import start_fork_server


def test_the_variables_of_the_stage_stay_as_they_are() -> None:
    """Those for the workers are set only while the process starts."""
    before = dict(os.environ)
    start_fork_server()
    assert dict(os.environ) == before
