"""Revisions and experiments of the repository, read from git and DVC's cache without a checkout."""

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from amlc import layout
from amlc.errors import DataError, first_few
from amlc.models.timings import md5

WORKSPACE = "workspace"
LOCK = Path("dvc.lock")
# Where DVC keeps its experiments: refs/exps/ab/cdef.../NAME, below the commit that they start from.
_EXPERIMENT = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(.+)")
_BRANCH = re.compile(r"refs/heads/(.+)")
_QUEUE = "refs/exps/celery/stash"
# The outputs of a stage in dvc.lock, and the path and MD5 of one of them.
_OUTPUTS = re.compile(r"^    outs:\n((?:    - .*\n|      .*\n)+)", re.MULTILINE)
_OUTPUT = re.compile(
    r"^    - path: (\S+)\n(?:      .*\n)*?      md5: ([0-9a-f]{32}(?:\.dir)?)\n", re.MULTILINE
)


@dataclass(frozen=True)
class Revision:
    """A commit, an experiment or the workspace.

    Parameters
    ----------
    name : str
        As the user knows it: a branch, an experiment, a commit or ``"workspace"``.
    commit : str or None
        Its hash; None: the workspace.
    kind : str
        ``"workspace"``, ``"branch"``, ``"experiment"`` or ``"commit"``.
    """

    name: str
    commit: str | None
    kind: str

    @property
    def label(self) -> str:
        """Return the name, with the commit where the name does not say it."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.name
        return f"{self.name} ({self.commit[:7]})"


@dataclass(frozen=True)
class Repository:
    """A git repository with DVC.

    Parameters
    ----------
    root : Path
        Its root.

    Raises
    ------
    DataError
        From every method: git is missing, or the folder is not a repository.
    """

    root: Path = layout.ROOT
    _locks: dict[str, dict[str, str]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def cache(self) -> Path:
        """The folder of DVC's cache with the contents of files, by MD5."""
        # Opening the repository as DVC does takes three times as long as reading its settings.
        from dvc.config import Config  # noqa: PLC0415 - importing it takes a fifth of a second
        from dvc.exceptions import DvcException  # noqa: PLC0415 - see above

        settings = self.root.resolve() / ".dvc"
        if not settings.is_dir():
            raise DataError(f"{self.root.resolve()}: not a DVC repository: it has no folder .dvc")
        try:
            folder = Config(str(settings))["cache"].get("dir", settings / "cache")
        except DvcException as error:
            raise DataError(f"{settings / 'config'}: cannot be read: {error}") from None
        return Path(folder) / "files" / "md5"

    def revision(self, name: str) -> Revision:
        """Return what a user names: the workspace, an experiment, a branch, a tag or a commit.

        Raises
        ------
        DataError
            There is nothing of this name, or several experiments have it.
        """
        if name == WORKSPACE:
            return Revision(WORKSPACE, None, WORKSPACE)
        found = [each for each in self.experiments() if each.name == name]
        if len(found) > 1:
            commits = ", ".join(str(each.commit)[:7] for each in found)
            raise DataError(f"{name}: several experiments have this name; name a commit: {commits}")
        if found:
            return found[0]
        query = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
        commit = self._git(*query, check=False).strip()
        if not commit:
            raise DataError(
                f"{name}: not a revision or an experiment of this repository; amlc experiments and "
                "git branch list them"
            )
        return Revision(name, commit, "commit")

    def experiments(self) -> list[Revision]:
        """Return DVC's experiments that ran, the newest first."""
        return self._refs(_EXPERIMENT, "experiment", "refs/exps")

    def branches(self) -> list[Revision]:
        """Return the branches, the newest first."""
        return self._refs(_BRANCH, "branch", "refs/heads")

    def _refs(self, pattern: re.Pattern[str], kind: str, prefix: str) -> list[Revision]:
        lines = self._git(
            "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", prefix
        ).splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        matches = ((commit, pattern.fullmatch(ref)) for commit, ref in pairs)
        return [Revision(match[1], commit, kind) for commit, match in matches if match]

    def pending(self) -> int:
        """Return the number of experiments in DVC's queue."""
        listing = self._git("reflog", "show", "--format=%H", _QUEUE, check=False)
        return len(listing.splitlines())

    def read(self, revisions: Sequence[Revision], path: Path) -> list[bytes | None]:
        """Return a file that git tracks in each revision; None where it is missing.

        Parameters
        ----------
        revisions : sequence of Revision
            All are read by one process of git.
        path : Path
            Relative to the root.
        """
        commits = [each.commit for each in revisions if each.commit]
        contents = iter(self._objects([f"{commit}:./{path.as_posix()}" for commit in commits]))
        return [next(contents) if each.commit else self._own(path) for each in revisions]

    def _own(self, path: Path) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except OSError:
            return None

    def _objects(self, names: Sequence[str]) -> list[bytes | None]:
        if not names:
            return []
        output = self._run(["cat-file", "--batch"], "\n".join(names).encode() + b"\n")
        contents: list[bytes | None] = []
        start = 0
        for _ in names:
            end = output.index(b"\n", start)
            header = output[start:end].split()
            start = end + 1
            if header[-1] == b"missing" or header[-2] != b"blob":
                contents.append(None)
                # What is no file is printed all the same.
                start += int(header[-1]) + 1 if header[-1].isdigit() else 0
                continue
            size = int(header[-1])
            contents.append(output[start : start + size])
            start += size + 1
        return contents

    def digests(self, revisions: Sequence[Revision]) -> list[dict[str, str]]:
        """Return the MD5 of each output in each revision, as dvc.lock has it.

        Returns
        -------
        list of dict of str to str
            By path; that of a folder ends in ``.dir``. Empty for the workspace, whose outputs
            may be newer than its dvc.lock, and where there is no dvc.lock.
        """
        pending = [each for each in revisions if each.commit and each.commit not in self._locks]
        for each, lock in zip(pending, self.read(pending, LOCK), strict=True):
            self._locks[str(each.commit)] = locked_outputs((lock or b"").decode(errors="replace"))
        return [self._locks[each.commit] if each.commit else {} for each in revisions]

    def digest(self, revision: Revision, path: Path) -> str | None:
        """Return the MD5 of an output, or of a file in one that is a folder; None if there is none.

        Parameters
        ----------
        revision : Revision
            Where.
        path : Path
            Of a file below ``data``, relative to the root.
        """
        if revision.commit is None:
            try:
                return md5(self.root / path)
            except OSError:
                # As while dvc repro makes it again.
                return None
        (locked,) = self.digests([revision])
        if digest := locked.get(path.as_posix()):
            return digest
        for folder in path.parents:
            digest = locked.get(folder.as_posix(), "")
            if digest.endswith(".dir"):
                inside = path.relative_to(folder).as_posix()
                return self._listing(digest).get(inside)
        return None

    def data(self, revision: Revision, path: Path) -> Path:
        """Return where a file that DVC tracks can be read, in its state of a revision.

        Parameters
        ----------
        revision : Revision
            Where.
        path : Path
            Of a file below ``data``, relative to the root.

        Raises
        ------
        DataError
            The revision has no such file, or DVC's cache lacks it.
        """
        if revision.commit is None:
            own = self.root / path
            if not own.is_file():
                raise DataError(f"{path}: no such file; run dvc repro")
            return own
        digest = self.digest(revision, path)
        if digest is None:
            raise MissingDataError(revision, path)
        content = self._cached(digest)
        if not content.is_file():
            raise MissingDataError(revision, path)
        return content

    def files(self, revision: Revision, folder: Path) -> list[Path]:
        """Return the paths of the files in an output that is a folder, sorted; [] if unknown."""
        if revision.commit is None:
            found = (self.root / folder).rglob("*")
            return sorted(path.relative_to(self.root) for path in found if path.is_file())
        (locked,) = self.digests([revision])
        digest = locked.get(folder.as_posix(), "")
        return sorted(folder / name for name in self._listing(digest)) if digest else []

    def _cached(self, digest: str) -> Path:
        return self.cache / digest[:2] / digest[2:]

    def _listing(self, digest: str) -> dict[str, str]:
        """Return the MD5 of each file of a folder; {} where the cache lacks the folder."""
        if not digest.endswith(".dir"):
            return {}
        try:
            entries = json.loads(self._cached(digest).read_bytes())
            return {str(entry["relpath"]): str(entry["md5"]) for entry in entries}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _git(self, *arguments: str, check: bool = True) -> str:
        return self._run(arguments, check=check).decode(errors="replace")

    def _run(self, arguments: Iterable[str], stdin: bytes = b"", *, check: bool = True) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, names behind --end-of-options
                ["git", *arguments],  # noqa: S607 - git of the user's PATH
                cwd=self.root,
                input=stdin,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise DataError("git: not found; install it to compare revisions") from None
        if check and done.returncode:
            message = done.stderr.decode(errors="replace").strip().splitlines()
            raise DataError(
                f"git {first_few(arguments, 1)}: {message[-1] if message else 'failed'}"
            )
        return done.stdout


class MissingDataError(DataError):
    """DVC's cache lacks a file of a revision.

    Parameters
    ----------
    revision : Revision
        Which.
    path : Path
        The file.
    """

    def __init__(self, revision: Revision, path: Path) -> None:
        commands = {
            "experiment": f"dvc exp pull origin {revision.name}",
            "branch": "dvc fetch --all-branches",
        }
        command = commands.get(revision.kind, "dvc fetch --all-commits")
        super().__init__(
            f"{revision.label}: {path} is not in DVC's cache; get it from the remote with "
            f"{command}, or check the revision out and run dvc repro"
        )


def locked_outputs(lock: str) -> dict[str, str]:
    r"""Return the MD5 of each output in a dvc.lock, by path.

    Parameters
    ----------
    lock : str
        The text of the file, in the layout that DVC writes; parsing it as YAML would take ten times
        as long.

    Examples
    --------
    >>> text = "stages:\n  blend:\n    outs:\n    - path: data/blend\n      hash: md5\n"
    >>> locked_outputs(text + "      md5: " + 32 * "a" + ".dir\n")
    {'data/blend': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.dir'}
    """
    sections = _OUTPUTS.finditer(lock)
    return {path: md5 for section in sections for path, md5 in _OUTPUT.findall(section[1])}
