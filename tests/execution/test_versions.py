"""What has to be the same on all machines."""

from amlc.execution.versions import differences, installed


def test_this_machine_does_not_differ_from_itself() -> None:
    """And its libraries are known."""
    assert differences(installed(), installed()) == []
    assert installed()["numpy"] != "not installed"


def test_differences_are_named() -> None:
    """With both versions; a library that only one has is one, too."""
    ours, theirs = {"numpy": "2.4", "torch": "2.8"}, {"numpy": "2.3"}
    assert differences(ours, theirs) == [
        "numpy is 2.3 there and 2.4 here",
        "torch is not set there and 2.8 here",
    ]
