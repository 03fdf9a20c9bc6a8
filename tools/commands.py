"""Run the commands of README.md, CONTRIBUTING.md and docs: `python -m tools.commands [PAGE ...]`.

Each page gets a fresh clone of the last commit, in which its blocks of ``sh`` run from top to
bottom, as they are written. A comment above a block, which a reader does not see, says what is
different there:

- ``<!-- run: no (REASON) -->``: the block is not run
- ``<!-- run: not COMMAND (REASON) -->``: the lines that begin with the command are not run
- ``<!-- run: after COMMAND -->``: the command runs first, in the same shell

The measurements of `tools.record` never run. So that the rest takes minutes, the clones have a
small synthetic catalogue and small models. They share DVC's cache and the store of pictures. Their
``.venv`` is a virtual environment of their own that borrows the packages of the one that runs this,
so `make` finds nothing to install. Paths and addresses that stand for the reader's own are replaced
as `stand_ins` says.
"""

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amlc.errors import CheckError, DataError, run
from amlc.files import write_text

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"(?P<marks>(?:^<!-- run: [^\n]* -->\n)*)^```sh\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
MARK = re.compile(
    r"<!-- run: (?:no \((?P<no>.+)\)|not (?P<left_out>.+?) \((?P<reason>.+)\)|after (?P<after>.+))"
    r" -->"
)
# Commands that need no comment to be left out, and why.
MEASURING = ("python -m tools.record", "measures for minutes or hours")
# It runs until it is stopped, so the commands after it start as soon as it answers.
SERVE = "make serve"
# Of one block, in seconds: many times what it takes, for a busy machine.
TIME_LIMIT = 1200
# Of what a failed block printed.
SHOWN_LINES = 40
# As `dvc exp run -S` takes them.
SMALL = (
    "synthetic.rows=200",
    "synthetic.test_rows=40",
    "topics.n_components=8",
    "neighbours.n_neighbors=40",
    "neighbours.n_compared=20",
    "train.forest.n_estimators=6",
    "train.lightgbm.n_estimators=12",
    "train.lightgbm.min_child_samples=5",
    "train.xgboost.n_estimators=12",
    "train.xgboost.min_child_weight=2.0",
    "train.mlp.epochs=2",
    "train.mlp.hidden_layer_sizes=[24,8]",
    "train.mlp.networks=2",
)
# The editor of commits and of `$EDITOR FILE`: it changes its file and ends.
EDITOR = r"""#!/bin/sh
case "$1" in
*COMMIT_EDITMSG) sed -i '1s/^/Results/' "$1" ;;
*) printf '\n\n# Edited.\n' >> "$1" ;;
esac
"""


@dataclass(frozen=True)
class Block:
    """Commands of a page.

    Parameters
    ----------
    page : str
        The page, relative to the root.
    line : int
        The line on which its fence starts.
    commands : tuple of str
        What runs, continuation lines included.
    left_out : tuple of (str, str)
        What does not, each with the reason.
    """

    page: str
    line: int
    commands: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"


def blocks(page: str, text: str) -> list[Block]:
    r"""Return the blocks of a page.

    Parameters
    ----------
    page : str
        Its path, for messages.
    text : str
        Its content.

    Raises
    ------
    DataError
        A comment is none of those that the module describes, stands above no block, or leaves out
        a command that its block does not have.

    Examples
    --------
    >>> text = "<!-- run: not b (takes an hour) -->\n```sh\na\nb \\\n  --c\n```\n"
    >>> blocks("page.md", text)[0].commands
    ('a',)
    """
    found = []
    marks = 0
    for match in BLOCK.finditer(text):
        lines = match["marks"].splitlines()
        marks += len(lines)
        line = text.count("\n", 0, match.start("text"))
        found.append(_block(page, line, lines, _commands(match["text"])))
    if marks < len(re.findall(r"<!--\s*run\b", text)):
        raise DataError(f"{page}: a comment 'run:' does not stand directly above a block of sh")
    return found


def _block(page: str, line: int, marks: Sequence[str], commands: Sequence[str]) -> Block:
    kept, before = list(commands), []
    left_out: list[tuple[str, str]] = []
    for text in marks:
        mark = MARK.fullmatch(text)
        if mark is None:
            raise DataError(f"{page}:{line}: {text}: expected no (REASON), not ... or after ...")
        prefix, reason = mark["left_out"] or "", mark["no"] or mark["reason"]
        if mark["after"]:
            before.append(mark["after"])
            continue
        dropped = [command for command in kept if command.startswith(prefix)]
        if not dropped:
            raise DataError(f"{page}:{line}: no command of the block begins with {prefix!r}")
        kept = [command for command in kept if command not in dropped]
        left_out += [(command, reason) for command in dropped]
    measuring = [command for command in kept if command.startswith(MEASURING[0])]
    kept = [command for command in kept if command not in measuring]
    left_out += [(command, MEASURING[1]) for command in measuring]
    return Block(page, line, tuple(before + kept if kept else ()), tuple(left_out))


def _commands(text: str) -> list[str]:
    """Return the commands of a block, each with its continuation lines."""
    lines = text.replace("\\\n", "\0").splitlines()
    commands = [line.replace("\0", "\\\n") for line in lines]
    return [command for command in commands if command and not command.startswith("#")]


def pages(root: Path) -> list[str]:
    """Return the pages whose commands run, in the order in which a newcomer reads them."""
    docs = sorted(path.relative_to(root).as_posix() for path in (root / "docs").glob("*.md"))
    return ["README.md", "CONTRIBUTING.md", *docs]


def stand_ins(scratch: Path, clone: Path, port: int) -> dict[str, str]:
    """Return what is run in place of a page's examples of the reader's own paths and addresses."""
    own = scratch / "own"
    return {
        "/path/to/": f"{own}/",
        "/mnt/team/": f"{scratch}/team/{clone.name}/",
        "git clone URL": f"git clone {clone}",
        "artifacts get URL": f"artifacts get {clone}",
        "localhost:8000": f"localhost:{port}",
        SERVE: f"{SERVE} PORT={port}",
    }


def script(commands: Sequence[str], replacements: Mapping[str, str], port: int) -> str:
    """Return the commands as a script that ends with the first one that fails.

    `set -e` would let the left side of an ``&&`` fail.
    """
    lines = []
    for command in commands:
        shown = command
        for example, path in replacements.items():
            shown = shown.replace(example, path)
        lines += ["echo", f"echo {_quoted(f'$ {command}')}"]
        if command.startswith(SERVE):
            lines += [
                f"{{ {_without_comment(shown)}; }} &",
                f"until curl -s localhost:{port}/readyz",
                "do jobs -r | grep -q . || exit 1; sleep 0.1; done",
            ]
        else:
            lines += [shown, "status=$?; [ $status = 0 ] || exit $status"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _without_comment(command: str) -> str:
    return re.sub(r"\s+#.*$", "", command)


def environment(scratch: Path) -> dict[str, str]:
    """Return an environment in which a command writes to no place outside the folder `scratch`."""
    person = {"NAME": "Reader", "EMAIL": "reader@example.org"}
    outer = {key: value for key, value in os.environ.items() if key not in OUTER}
    return {
        **outer,
        **{
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in person.items()
        },
        "AMLC_MIRROR": str(scratch / "own/images"),
        "AMLC_STORE": str(scratch / "store"),
        "CURL_HOME": str(scratch),
        "DVC_GLOBAL_CONFIG_DIR": str(scratch / "config"),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(scratch / "site"),
        "EDITOR": str(scratch / "editor"),
        "GIT_TEMPLATE_DIR": str(scratch / "template"),
        "SKIP": "types,dvc",  # hooks of pre-commit that the gate has run
    }


# Variables of the shell or of a DVC stage around this that must not reach the commands.
OUTER = {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "GIT_DIR", "GIT_EDITOR"}


def lend(folder: Path) -> None:
    """Make a `.venv` in a clone that has the packages of this Python, but the clone's own amlc.

    A path in a .pth file is not searched for further .pth files, so the installation of amlc that
    this Python has, which is one of them, does not count.
    """
    own = folder / ".venv"
    venv.create(own, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(own)}))
    libraries = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    write_text(site / "lent.pth", "\n".join([str(folder), *sorted(libraries)]) + "\n")
    lender = Path(sys.prefix) / "bin"
    for program in lender.iterdir():
        copy = own / "bin" / program.name
        if copy.exists() or not program.is_file():
            continue
        with program.open("rb") as file:
            is_script = file.read(2) == b"#!"
        if is_script:
            text = program.read_text(encoding="utf-8")
            first, rest = text.split("\n", 1)
            write_text(copy, f"{first.replace(str(lender), str(own / 'bin'))}\n{rest}")
            copy.chmod(0o755)
        else:
            copy.symlink_to(program)
    for name in ("base", "dev", "serve"):
        (own / f"{name}.done").touch()


class Clones:
    """Clones of a small version of the repository, and what their commands need.

    Parameters
    ----------
    scratch : Path
        An empty folder.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.environment = environment(scratch)
        hook = scratch / "template/hooks/post-checkout"
        lending = "import os, pathlib; from tools.commands import lend; lend(pathlib.Path.cwd())"
        write_text(
            hook,
            "#!/bin/sh\n# A clone gets a .venv.\n[ -e .venv ] || env -u GIT_DIR "
            f"PYTHONPATH={_quoted(str(ROOT))} {_quoted(sys.executable)} -c {_quoted(lending)}\n",
        )
        write_text(scratch / "editor", EDITOR)
        for program in (hook, scratch / "editor"):
            program.chmod(0o755)
        # Without it, curl ends with 0 after an answer such as 422.
        write_text(scratch / ".curlrc", "fail\nno-progress-meter\n")
        self.origin = scratch / "amlc"

    def prepare(self) -> None:
        """Run the pipeline once, with the settings `SMALL`, and commit its results."""
        self._clone(str(ROOT), self.origin)
        overrides = "\n".join(f"  {_quoted(override)}" for override in SMALL)
        program = (
            "import sys; from dvc.utils.hydra import apply_overrides; "
            "apply_overrides('params.yaml', sys.argv[1:])"
        )
        own, data = self.scratch / "own", "data/synthetic"
        commands = [
            f"python -c {_quoted(program)} " + overrides.replace("\n", " "),
            f"mkdir -p {self.scratch}/team",
            "AMLC_MIRROR= dvc repro",
            "git commit --quiet --all --message 'A small catalogue'",
            f"mkdir {own} && cp -r {data}_images {own}/images",
            f"cp {data}/train.csv {data}/test.csv {own}",
            f"cp {own}/train.csv {own}/products.csv && cp {own}/test.csv {own}/new.csv",
        ]
        self._run(script(commands, {}, 0), self.origin, "the pipeline of the small catalogue")

    def clone(self, page: str) -> Path:
        """Return a new clone, its data from the cache, with files for a page's examples."""
        folder = self.scratch / "clones" / page.removesuffix(".md").replace("/", "-")
        self._clone(str(self.origin), folder)
        own = self.scratch / "own"
        picture = next((own / "images").iterdir())
        commands = [
            "dvc checkout --quiet",
            f"cp {own}/products.csv products.csv && cp {picture} tea.jpg",
            f"cp -r {own}/images FOLDER && mkdir -p .git/info",
            "printf '%s\\n' products.csv prices.csv tea.jpg FOLDER > .git/info/exclude",
        ]
        self._run(script(commands, {}, 0), folder, f"{page}: the clone")
        return folder

    def _clone(self, source: str, folder: Path) -> None:
        self._run(f"git clone --quiet {source} {folder}\n", self.scratch, "git clone")
        local = folder / ".dvc/config.local"
        write_text(local, f"[cache]\n    dir = {self.scratch / 'cache'}\n")

    def run(self, block: Block, folder: Path, port: int) -> None:
        """Run a block in a clone.

        Raises
        ------
        CheckError
            A command failed or took too long; the message has the end of what was printed.
        """
        replacements = stand_ins(self.scratch, folder, port)
        self._run(script(block.commands, replacements, port), folder, block.label)

    def _run(self, text: str, folder: Path, label: str) -> None:
        programs = f"{folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"
        log = self.scratch / "output.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - commands of our own documentation
                ["bash", "-o", "pipefail", "-c", text],  # noqa: S607 - bash of the user's PATH
                cwd=folder,
                env={**self.environment, "PATH": programs},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                process.wait(TIME_LIMIT)
            except subprocess.TimeoutExpired:
                problem = f"not finished after {TIME_LIMIT} s"
            else:
                problem = f"status {process.returncode}"
            finally:
                _end(process)
        if process.returncode:
            printed = log.read_text(encoding="utf-8", errors="replace").splitlines()
            raise CheckError("\n".join([f"{label}: {problem}", *printed[-SHOWN_LINES:]]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what a script left running, such as the service."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def run_pages(names: Sequence[str], scratch: Path) -> None:
    """Run the blocks of some pages and print what ran and what did not.

    Parameters
    ----------
    names : sequence of str
        The pages, relative to the root.
    scratch : Path
        An empty folder for the clones.

    Raises
    ------
    CheckError
        A command failed.
    DataError
        A comment above a block is wrong.
    """
    listed = {name: blocks(name, (ROOT / name).read_text(encoding="utf-8")) for name in names}
    clones = Clones(scratch)
    start = time.monotonic()
    clones.prepare()
    print(f"{time.monotonic() - start:5.0f} s  the pipeline of a small catalogue", flush=True)
    failures = []
    for name, found in listed.items():
        try:
            _run_page(clones, name, [block for block in found if block.commands])
        except CheckError as error:
            # The rest of the page may need what failed.
            print(f" failed  {error}\n", flush=True)
            failures.append(str(error).partition(": ")[0])
    for block in (block for found in listed.values() for block in found):
        for command, reason in block.left_out:
            print(f"not run  {block.label}  {first_line(command)}: {reason}")
    if failures:
        raise CheckError(f"commands failed: {', '.join(failures)}")


def _run_page(clones: Clones, name: str, found: Sequence[Block]) -> None:
    folder = clones.clone(name) if found else clones.scratch
    for block in found:
        start = time.monotonic()
        clones.run(block, folder, free_port())
        print(f"{time.monotonic() - start:5.0f} s  {block.label}", flush=True)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def first_line(command: str) -> str:
    """Return what names a command in a list: its first line without its comment."""
    return _without_comment(command.partition("\\\n")[0]).strip()


def main() -> None:
    """Run the blocks of all pages, or of those that are named, and list what is not run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    every = pages(ROOT)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="default: all of them")
    names = parser.parse_args().pages or every
    unknown = [name for name in names if name not in every]
    if unknown:
        raise DataError(f"{', '.join(unknown)}: not a page with commands; these are {every}")
    # The clones are removed, and what runs in them is ended, also when this is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="amlc-commands-") as scratch:
        run_pages(names, Path(scratch).resolve())


if __name__ == "__main__":
    run(main)
