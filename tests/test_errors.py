"""Errors end a program with one message and without a traceback."""

from pathlib import Path

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
    read_errors_as,
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


def test_run_ends_with_one_sentence_after_an_error_of_the_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without permission, or a full disk, is no error of this program."""
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as caught:
        run((tmp_path / "file" / "out").mkdir)
    assert caught.value.code == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'file' / 'out'}: Not a directory\n"


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


@pytest.mark.parametrize("cause", [FileNotFoundError, EOFError, ValueError, KeyError, TypeError])
def test_what_a_broken_file_raises_becomes_one_error(cause: type[Exception]) -> None:
    """The message has the path, the cause and the remedy."""
    with (
        pytest.raises(DataError, match=r"^a\.npy: cannot be read: '?why'?; run dvc repro$"),
        read_errors_as(DataError, "a.npy: cannot be read", remedy="run dvc repro"),
    ):
        raise cause("why")


def test_only_the_named_errors_of_this_project_are_causes() -> None:
    """Another one has a message of its own already."""
    with (
        pytest.raises(ModelError, match=r"^model: nothing: of a matrix$"),
        read_errors_as(ModelError, "model: nothing", DataError),
    ):
        raise DataError("of a matrix")
    with (
        pytest.raises(ParamsError, match=r"^of a setting$"),
        read_errors_as(ModelError, "model: nothing", DataError),
    ):
        raise ParamsError("of a setting")
