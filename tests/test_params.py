"""params.yaml is read strictly, and a fault is named by its key's path."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
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
    """A right section becomes its settings."""
    settings = params.load(Outer, "data", write(tmp_path, GOOD))
    assert settings == Outer(rate=0.5, mode="fast", names=["a"], inner=Inner(depth=3))


def test_load_reads_a_nested_key(tmp_path: Path) -> None:
    """A dotted key reaches into a section."""
    assert params.load(Inner, "data.inner", write(tmp_path, GOOD)).depth == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate: 0.5", "rate: 1e-3", "data.rate: .*write 1.0e-3, not 1e-3"),
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
    """Each kind of fault says where it is and what was found."""
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ParamsError, match=message):
        params.load(Outer, "data", path)


def test_load_reports_every_fault_at_once(tmp_path: Path) -> None:
    """Nobody has to run once per fault."""
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
def test_read_refuses_what_is_no_mapping_of_sections(
    tmp_path: Path, text: str, message: str
) -> None:
    """A file as a whole is checked before any section is."""
    with pytest.raises(ParamsError, match=message) as caught:
        params.read(write(tmp_path, text))
    assert "params.yaml" in str(caught.value)


def test_read_says_where_to_run_from(tmp_path: Path) -> None:
    """Most likely the wrong folder is the reason for a missing file."""
    with pytest.raises(ParamsError, match="no such file; run from the repository's root"):
        params.read(tmp_path / "params.yaml")


def test_read_refuses_a_folder(tmp_path: Path) -> None:
    """A file that cannot be read is no traceback either."""
    with pytest.raises(ParamsError, match="cannot be read"):
        params.read(tmp_path)


def test_read_refuses_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file in another encoding is not valid YAML."""
    path = tmp_path / "params.yaml"
    path.write_bytes(b"seed: caf\xe9\n")
    with pytest.raises(ParamsError, match="not valid YAML"):
        params.read(path)


def test_read_takes_merge_keys(tmp_path: Path) -> None:
    """YAML's << stays usable beside the check for repeated keys."""
    text = "data: &base {a: 1, b: 2}\nimages:\n  <<: *base\n  b: 3\n"
    assert params.read(write(tmp_path, text))["images"] == {"a": 1, "b": 3}


@pytest.mark.parametrize("key", ["images", "data.inner.width", "data.rate.x"])
def test_value_names_the_missing_key(tmp_path: Path, key: str) -> None:
    """The path is given as far as it was walked."""
    with pytest.raises(ParamsError, match=f"missing key {key}"):
        params.value(key, write(tmp_path, GOOD))


def test_load_refuses_a_section_that_is_no_mapping(tmp_path: Path) -> None:
    """A section with nothing below it is not an empty section."""
    with pytest.raises(ParamsError, match="data: expected a mapping, got None"):
        params.load(Outer, "data", write(tmp_path, "data:\n"))


def test_seed_and_threads_are_read(tmp_path: Path) -> None:
    """Both ends of a range are inside it."""
    path = write(tmp_path, f"seed: {2**31 - 1}\nthreads: 1\n")
    assert (params.seed(path), params.threads(path)) == (2**31 - 1, 1)


@pytest.mark.parametrize("bad", ["-1", str(2**31), "true", "1.0", "'1'", ""])
def test_seed_refuses_what_is_no_whole_number_in_range(tmp_path: Path, bad: str) -> None:
    """A seed that NumPy or a booster would refuse later is refused here."""
    with pytest.raises(ParamsError, match="seed: expected a whole number from 0 to 2147483647"):
        params.seed(write(tmp_path, f"seed: {bad}\n"))


def test_settings_cannot_be_changed() -> None:
    """What a stage read is what it ran with."""
    settings = Inner(depth=2)
    with pytest.raises(ValidationError, match="frozen"):
        settings.depth = 3
