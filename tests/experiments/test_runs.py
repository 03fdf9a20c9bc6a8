"""Scores and parameters of revisions."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from amlc import params
from amlc.errors import DataError
from amlc.experiments.repository import Repository
from amlc.experiments.runs import changed_parameters, leaves, read_run, read_runs
from tests.helpers.revisions import git

ROOT = Path(__file__).parents[2]


def flat(node: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted key."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        nested = isinstance(value, dict) and value
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


def test_parameters_are_those_that_yaml_reads() -> None:
    """Those of this repository, with comments, lists and nested sections."""
    text = (ROOT / "params.yaml").read_bytes()
    assert leaves(text) == flat(yaml.load(text, Loader=params.Loader))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["abcd", "on", "yes"]) | st.text(max_size=5), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["seed", "data", "train", "on", "no"]), VALUES, max_size=5))
def test_sections_are_parsed_as_the_whole_is(content: dict[str, Any]) -> None:
    """Parsing each section only once does not change what is read."""
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()
    assert leaves(text) == flat(yaml.load(text, Loader=params.Loader))


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1}\nc: *x\n",
        "a: 1\na: 2\n",
        "a: 'one\nb: two'\nc: 3\n",
        "a: |\n  text\n\n  b: 1\nc: 2\n",
        "{a: 1, b: 2}\n",
        "--- \na: 1\nb: 2\n",
        "a:\nb:\n- 1\n- c: 2\n",
    ],
)
def test_less_common_layouts_are_read_too(text: str) -> None:
    """Anchors, repeated keys, texts of several lines, documents in braces."""
    assert leaves(text.encode()) == flat(yaml.load(text, Loader=params.Loader))


@pytest.mark.parametrize("text", [b"", b"a: [", b"\xff\xfe", b"- 1\n", b"<<<<<<< HEAD\na: 1\n"])
def test_what_is_no_mapping_has_no_parameters(text: bytes) -> None:
    """A conflict of a merge may stand in a revision."""
    assert leaves(text) is None


def test_absent_keys_differ_from_null() -> None:
    """Numbers that are equal do not differ."""
    changed = changed_parameters({"a": None, "b": 8}, {"b": 8.0, "c": None})
    assert changed == {"a": (None, "(no such key)"), "c": ("(no such key)", None)}


def test_revisions_without_scores_are_left_out(root: Path) -> None:
    """A single one is named in an error."""
    (root / "metrics/metrics.json").write_text("{}")
    git(root, "commit", "--quiet", "--all", "--message", "broken")
    repository = Repository(root)
    revisions = [repository.revision(name) for name in ("HEAD", "HEAD~1", "workspace")]
    assert [run.revision.name for run in read_runs(repository, revisions)] == ["HEAD~1"]
    with pytest.raises(DataError, match="HEAD"):
        read_run(repository, revisions[0])
