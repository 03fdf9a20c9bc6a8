"""The backend that params.yaml names."""

import pytest

from amlc.errors import MissingExtraError
from amlc.execution.backend import ThreadBackend
from amlc.execution.executor import open_backend
from amlc.execution.processes import ProcessBackend
from tests.execution.test_settings import settings


@pytest.mark.parametrize(
    ("kind", "expected"), [("threads", ThreadBackend), ("processes", ProcessBackend)]
)
def test_each_kind_has_its_backend(kind: str, expected: type) -> None:
    """Processes start only with the first piece."""
    with open_backend(settings(kind=kind)) as backend:
        assert isinstance(backend, expected)


def test_without_dask_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install does without it."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with (
        pytest.raises(MissingExtraError, match=r"executor\.kind: dask needs the extra 'cluster'"),
        open_backend(settings(kind="dask")),
    ):
        pass
