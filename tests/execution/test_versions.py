"""What has to be the same on all machines."""

import pytest

from amlc.errors import ExecutionError
from amlc.execution.versions import MISSING, check_like, differences, installed


def test_this_machine_does_not_differ_from_itself() -> None:
    """And its libraries are known."""
    assert differences(installed(), installed()) == []
    assert installed()["numpy"] != "not installed"


def test_differences_are_named() -> None:
    """With both versions."""
    ours, theirs = {"numpy": "2.4", "amlc": "1"}, {"numpy": "2.3"}
    assert differences(ours, theirs) == [
        "amlc is not set there and 1 here",
        "numpy is 2.3 there and 2.4 here",
    ]


def test_a_worker_may_lack_what_only_some_models_need() -> None:
    """But it may not have another version of it."""
    here = {"torch": "2.8"}
    assert differences(here, {"torch": MISSING}) == []
    assert differences(here, {"torch": "2.7"}) == ["torch is 2.7 there and 2.8 here"]


def test_a_worker_that_differs_is_refused() -> None:
    """The message says which it is and what to do."""
    with pytest.raises(
        ExecutionError, match=r"worker on a differs .*: numpy is 2\.3 there and 2\.4 here; install"
    ):
        check_like({"numpy": "2.4"}, {"numpy": "2.3"}, "on a")
