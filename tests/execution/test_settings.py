"""The section `executor` of params.yaml."""

from typing import Any

import pytest
from pydantic import ValidationError

from amlc.execution.settings import ExecutorSettings
from tests.helpers.learning import EXECUTOR

TLS = {"ca_file": "ca.pem", "cert": "client.pem", "key": "client.key"}


def settings(**changes: Any) -> ExecutorSettings:
    """Return the default settings with changes."""
    return ExecutorSettings.model_validate({**EXECUTOR, **changes})


def test_the_default_needs_no_extra() -> None:
    """Stages compute in their own threads."""
    assert settings().kind == "threads"


@pytest.mark.parametrize(
    ("scheduler", "workers"),
    [("local:2", 2), ("local:16", 16), ("tcp://10.0.0.5:8786", None), ("tcp://[::1]:8786", None)],
)
def test_a_scheduler_is_local_or_an_address(scheduler: str, workers: int | None) -> None:
    """`local:N` stands for N processes of this machine."""
    assert settings(scheduler=scheduler).local_workers == workers


@pytest.mark.parametrize(
    "scheduler", ["", "local", "local:0", "10.0.0.5:8786", "http://a:1", "tcp://a", "tcp://a b:1"]
)
def test_another_text_is_no_scheduler(scheduler: str) -> None:
    """The message says what is expected."""
    with pytest.raises(ValidationError, match="expected local:N, tcp://HOST:PORT"):
        settings(scheduler=scheduler)


@pytest.mark.parametrize(
    ("scheduler", "tls"), [("tcp://a:1", TLS), ("tls://a:1", None)], ids=["tcp", "tls"]
)
def test_encryption_and_address_agree(scheduler: str, tls: dict[str, str] | None) -> None:
    """A forgotten certificate does not turn encryption off."""
    with pytest.raises(ValidationError, match="expected tls:// with the files of tls"):
        settings(scheduler=scheduler, tls=tls)
