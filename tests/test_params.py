"""params.yaml is read strictly, and an error has the dotted path of its key."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from pydantic import Field, ValidationError

from amlc import params
from amlc.errors import ParamsError


class Inner(params.Settings):
    """A nested section."""

    depth: Annotated[int, Field(ge=1, le=9)]


class Outer(params.Settings):
    """A section."""

    rate: float
    mode: Literal["fast", "slow"]
    names: list[str]
    inner: Inner


GOOD = "data:\n  rate: 0.5\n  mode: fast\n  names: [a]\n  inner: {depth: 3}\n"


def write(folder: Path, text: str) -> Path:
    """Write a params.yaml."""
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_load_reads_a_section(tmp_path: Path) -> None:
    """A valid section becomes an object of its schema."""
    settings = params.load(Outer, "data", write(tmp_path, GOOD))
    assert settings == Outer(rate=0.5, mode="fast", names=["a"], inner=Inner(depth=3))


def test_load_reads_a_nested_key(tmp_path: Path) -> None:
    """A dotted key reaches into a section."""
    assert params.load(Inner, "data.inner", write(tmp_path, GOOD)).depth == 3


def test_numbers_are_read_as_dvc_writes_them(tmp_path: Path) -> None:
    """Of `-S data.rate=2.0e-5` it makes a number without a point, which PyYAML takes for text."""
    path = write(tmp_path, GOOD)
    apply_overrides(str(path), ["data.rate=2.0e-5"])
    assert "2e-05" in path.read_text(encoding="utf-8")
    assert params.load(Outer, "data", path).rate == 2e-5


@pytest.mark.parametrize("number", ["1e-3", "-2E+05", "+1.5e3", "1.e2", "3e7"])
def test_a_number_may_have_an_exponent_without_a_point_or_a_sign(number: str) -> None:
    """As in JSON, in Python, and on the command line of DVC."""
    assert yaml.load(number, Loader=params.Loader) == float(number)


@pytest.mark.parametrize("text", ["e5", "1e", "1e5a", "v1e5", "1e5.0"])
def test_what_only_begins_like_a_number_is_text(text: str) -> None:
    """Such as the revision of a model."""
    assert yaml.load(text, Loader=params.Loader) == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate: 0.5", "rate: '1e-3'", "data.rate: .*'1e-3'.*without quotes"),
        ("rate: 0.5", "rate: .nan", "data.rate: .*finite"),
        ("rate: 0.5", "rate: '0.5'", "data.rate: .*number.*'0.5'"),
        ("  rate: 0.5\n", "", "data.rate: missing key"),
        ("rate: 0.5", "rate: 0.5\n  rat: 1", "data.rat: unknown key"),
        ("mode: fast", "mode: quick", "data.mode: .*'fast' or 'slow'.*'quick'"),
        ("depth: 3", "depth: 10", "data.inner.depth: .*less than or equal to 9, got 10"),
        ("depth: 3", "depth: true", "data.inner.depth: .*integer.*True"),
        ("depth: 3", "depth: 3.0", "data.inner.depth: .*integer.*3.0"),
        ("names: [a]", "names: [a, 1]", "data.names.1: .*string.*1"),
        ("names: [a]", "names:", "data.names: .*list.*None"),
    ],
)
def test_load_names_the_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """Each kind of error has its key, what was expected and what was given."""
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ParamsError, match=message):
        params.load(Outer, "data", path)


def test_defaults_of_a_schema_do_not_replace_a_missing_key(tmp_path: Path) -> None:
    """They are for programs without a params.yaml; the file gives every setting."""

    class Patient(params.Settings):
        seconds: float = 1.0
        tries: int = 3

    path = write(tmp_path, "data: {tries: 2}\n")
    with pytest.raises(ParamsError, match=r"missing key data\.seconds$"):
        params.load(Patient, "data", path)


def test_load_reports_all_errors_at_once(tmp_path: Path) -> None:
    """One run shows every error of the section."""
    path = write(tmp_path, GOOD.replace("0.5", "x").replace("fast", "y").replace("3", "0"))
    with pytest.raises(ParamsError) as caught:
        params.load(Outer, "data", path)
    assert all(key in str(caught.value) for key in ("data.rate", "data.mode", "data.inner.depth"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sede: 1\n", "unknown key sede; known keys: .*seed"),
        ("seed: 1\nseed: 2\n", "given twice below line 1: seed"),
        ("train:\n  a: {b: 1, b: 2}\n", "given twice below line 2: b"),
        ("- 1\n", "expected a mapping of sections"),
        ("", "expected a mapping of sections, got None"),
        ("seed: [1\n", "not valid YAML"),
        ("seed: !!python/object:os.system x\n", "not valid YAML"),
        ("? [a]\n: 1\n", "not valid YAML"),
        ("1: 2\n", "unknown key 1"),
    ],
)
def test_read_refuses_anything_but_a_mapping_of_sections(
    tmp_path: Path, text: str, message: str
) -> None:
    """The file as a whole is checked before its sections."""
    with pytest.raises(ParamsError, match=message) as caught:
        params.read(write(tmp_path, text))
    assert "params.yaml" in str(caught.value)


def test_read_names_the_folder_to_run_in(tmp_path: Path) -> None:
    """The most likely cause of a missing file is the wrong current folder."""
    with pytest.raises(ParamsError, match="no such file; run from the repository's root"):
        params.read(tmp_path / "params.yaml")


def test_read_refuses_a_folder(tmp_path: Path) -> None:
    """A file that cannot be read gives an error message, not a traceback."""
    with pytest.raises(ParamsError, match="cannot be read"):
        params.read(tmp_path)


def test_read_refuses_bytes_that_are_not_text(tmp_path: Path) -> None:
    """A file in another encoding is not valid YAML."""
    path = tmp_path / "params.yaml"
    path.write_bytes(b"seed: caf\xe9\n")
    with pytest.raises(ParamsError, match="not valid YAML"):
        params.read(path)


def test_read_accepts_merge_keys(tmp_path: Path) -> None:
    """The check for repeated keys does not affect YAML's <<."""
    text = "data: &base {a: 1, b: 2}\nimages:\n  <<: *base\n  b: 3\n"
    assert params.read(write(tmp_path, text))["images"] == {"a": 1, "b": 3}


@pytest.mark.parametrize("key", ["images", "data.inner.width", "data.rate.x"])
def test_value_names_the_missing_key(tmp_path: Path, key: str) -> None:
    """The path in the message ends with the first key that is missing."""
    with pytest.raises(ParamsError, match=f"missing key {key}"):
        params.value(key, write(tmp_path, GOOD))


def test_load_refuses_a_section_that_is_not_a_mapping(tmp_path: Path) -> None:
    """A key without a value is not an empty section."""
    with pytest.raises(ParamsError, match="data: expected a mapping, got None"):
        params.load(Outer, "data", write(tmp_path, "data:\n"))


def test_seed_and_threads_are_read(tmp_path: Path) -> None:
    """Both ends of a range are allowed."""
    path = write(tmp_path, f"seed: {2**31 - 1}\nthreads: 1\n")
    assert (params.seed(path), params.threads(path)) == (2**31 - 1, 1)


@pytest.mark.parametrize("bad", ["-1", str(2**31), "true", "1.0", "'1'", ""])
def test_seed_refuses_anything_but_a_whole_number_in_range(tmp_path: Path, bad: str) -> None:
    """A seed that NumPy or a booster would refuse later is refused at once."""
    with pytest.raises(ParamsError, match="seed: expected a whole number from 0 to 2147483647"):
        params.seed(write(tmp_path, f"seed: {bad}\n"))


def test_settings_cannot_be_changed() -> None:
    """A stage runs with the settings that it has read."""
    settings = Inner(depth=2)
    with pytest.raises(ValidationError, match="frozen"):
        settings.depth = 3  # type: ignore[misc]  # the checker refuses it as well


def test_a_change_of_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    """Each read has the content of the file."""
    path = write(tmp_path, GOOD)
    params.read(path)["data"]["names"].append("b")
    assert params.value("data.names", path) == ["a"]
    path = write(tmp_path, GOOD.replace("[a]", "[c]"))
    assert params.value("data.names", path) == ["c"]
