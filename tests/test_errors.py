"""Errors end a program with one message and without a traceback."""

import pytest

from amlc.errors import (
    AmlcError,
    CheckError,
    DataError,
    ImageError,
    MissingExtraError,
    ModelError,
    ParamsError,
    first_few,
    run,
)


@pytest.mark.parametrize("kind", [ParamsError, DataError, ImageError, ModelError, CheckError])
def test_run_ends_with_the_message_only(
    kind: type[AmlcError], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every error of this project ends the program with code 1 and a message on stderr."""

    def fail() -> None:
        raise kind("the file is empty")

    with pytest.raises(SystemExit) as caught:
        run(fail)
    assert caught.value.code == 1
    assert capsys.readouterr() == ("", "error: the file is empty\n")


def test_run_passes_other_exceptions_on() -> None:
    """An unexpected exception keeps its traceback."""

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fail)


def test_run_ends_with_130_after_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C gives the exit code that shells use for it."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        run(stop)
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_run_returns_after_success() -> None:
    """A function without an error is called once, and nothing is raised."""
    calls: list[int] = []
    run(lambda: calls.append(1))
    assert calls == [1]


def test_missing_extra_names_the_command() -> None:
    """The message has the feature and the command that installs its packages."""
    error = MissingExtraError("the model fusion", "deep")
    assert str(error).startswith("the model fusion needs the extra 'deep'")
    assert "pip install -e '.[deep]'" in str(error)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (iter(range(5)), "0, 1 and 3 more"),
    ],
)
def test_first_few_counts_the_other_values(values: list[object], text: str) -> None:
    """Two values are named, and the others are counted."""
    assert first_few(values, 2) == text
