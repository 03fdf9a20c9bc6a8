"""Which commands of the documentation run, and how."""

import re
import subprocess

import pytest

from amlc.errors import DataError
from tools.commands import MEASURING, ROOT, blocks, first_line, pages, script

BLOCK = "```sh\nfirst --option\n\n# a comment\nsecond \\\n  --more   # why\n```\n"


@pytest.mark.parametrize("page", pages(ROOT))
def test_each_command_of_a_page_runs_or_has_a_reason(page: str) -> None:
    """No block is in a form that would be overlooked."""
    text = (ROOT / page).read_text()
    languages = set(re.findall(r"^ *```(\w+)$", text, re.MULTILINE))
    assert languages <= {"sh", "python", "yaml", "json", "nginx", "mermaid"}
    found = blocks(page, text)
    assert len(found) == len(re.findall(r"^ *```sh$", text, re.MULTILINE))
    for block in found:
        assert block.commands or block.left_out
        assert all(len(reason) > 5 for _, reason in block.left_out)


def test_a_command_has_its_continuation_lines_and_no_comments() -> None:
    """A comment behind a command is the shell's to skip."""
    (block,) = blocks("page.md", f"# Title\n\n{BLOCK}")
    assert block.commands == ("first --option", "second \\\n  --more   # why")
    assert block.label == "page.md:3"
    assert first_line("second   # why") == "second"


def test_a_block_that_does_not_run_keeps_its_reason() -> None:
    """It is listed with each of its commands."""
    (block,) = blocks("page.md", f"<!-- run: no (needs a bucket) -->\n{BLOCK}")
    assert block.commands == ()
    assert [reason for _, reason in block.left_out] == ["needs a bucket"] * 2


def test_single_commands_are_left_out_and_others_put_before() -> None:
    """The set-up comes first; several comments add up."""
    marks = "<!-- run: after make serve -->\n<!-- run: not second (takes an hour) -->\n"
    (block,) = blocks("page.md", marks + BLOCK)
    assert block.commands == ("make serve", "first --option")
    assert block.left_out == (("second \\\n  --more   # why", "takes an hour"),)


def test_a_measurement_needs_no_comment() -> None:
    """It takes minutes or hours, and its numbers stand in the documentation."""
    (block,) = blocks("page.md", "```sh\npython -m tools.record tables x -- y\nlast\n```\n")
    assert block.commands == ("last",)
    assert block.left_out == (("python -m tools.record tables x -- y", MEASURING[1]),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"<!-- run: no -->\n{BLOCK}", r"page\.md:2: <!-- run: no -->: expected no \(REASON\)"),
        (f"<!-- run: not third (slow) -->\n{BLOCK}", "no command of the block begins with 'third'"),
        (f"<!-- run: no (slow) -->\n\n{BLOCK}", "does not stand directly above a block"),
    ],
)
def test_a_wrong_comment_is_refused(text: str, message: str) -> None:
    """A block that is meant to be left out would otherwise run, and the other way round."""
    with pytest.raises(DataError, match=message):
        blocks("page.md", text)


def test_the_first_command_that_fails_ends_a_block() -> None:
    """Also on the left side of an &&, and with its own status."""
    commands = ["cd /", "pwd # where", "(exit 3) && echo right", "echo next"]
    done = subprocess.run(
        ["bash", "-c", script(commands, {}, 0)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        *("", "$ cd /", "", "$ pwd # where", "/", "", "$ (exit 3) && echo right")
    ]


def test_examples_are_replaced_in_what_runs_and_kept_in_what_is_shown() -> None:
    """A failure is reported as the page has it."""
    lines = script(["cp '/path/to/a' b"], {"/path/to/": "/tmp/own/"}, 0).splitlines()
    assert lines[:2] == ["echo", r"echo '$ cp '\''/path/to/a'\'' b'"]
    assert lines[2] == "cp '/tmp/own/a' b"
