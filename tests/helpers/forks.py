"""Python modules run in forks of one process, which has imported what they need.

A test of DVC or of killed fits starts dozens of programs; most of their time would go into imports.
"""

import json
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).parents[2]
# What DVC and the stages of a small pipeline import while they run.
FOR_DVC = (
    *(f"stages.{path.stem}" for path in sorted((ROOT / "stages").glob("[a-z]*.py"))),
    "amlc.models.linear",
    "dvc.cli.parser",
    "dvc.commands.experiments.run",
    "dvc.repo.experiments.executor.local",
    "dvc.repo.experiments.queue.celery",
    "dvc.repo.experiments.queue.tempdir",
    "dvc.repo.reproduce",
    "sklearn.decomposition",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "sklearn.model_selection",
)


class Forks:
    """A process whose forks run modules; use it as a context manager.

    A fork runs what was imported from this repository, also in a folder with another copy of it.
    The stages that DVC starts are forks, too.

    Parameters
    ----------
    preloaded : iterable of str
        The modules that the process imports.
    """

    def __init__(self, preloaded: Iterable[str]) -> None:
        self._preloaded = tuple(preloaded)

    def __enter__(self) -> Self:
        # Measuring them would cost more than it shows: other tests cover the same modules.
        kept = {name: text for name, text in os.environ.items() if not name.startswith("COV")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.forks", *self._preloaded],
            cwd=ROOT,
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(
        self, *command: str, folder: Path = ROOT, env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run ``python -m`` with a command in a folder; return exit code and printed text."""
        (code,), printed = self.run_together(command, [env or os.environ], folder)
        return code, printed

    def run_together(
        self, command: Sequence[str], environments: Sequence[Mapping[str, str]], folder: Path = ROOT
    ) -> tuple[list[int], str]:
        """Run a command once in each environment, all at once; return exit codes, printed text."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.NamedTemporaryFile("r") as printed:
            request = [str(folder), [*map(dict, environments)], command, printed.name]
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline()), printed.read()


def _serve(preloaded: list[str]) -> None:
    for name in preloaded:
        import_module(name)
    for line in sys.stdin:
        folder, environments, command, printed = json.loads(line)
        processes = [_fork(folder, env, command, printed) for env in environments]
        print(json.dumps([_exit_code(process) for process in processes]), flush=True)


def _fork(folder: str, env: Mapping[str, str], command: list[str], printed: str = "") -> int:
    """Run a module in a fork, and return the number of its process."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        _run(folder, env, command, printed)
    return process


def _exit_code(process: int) -> int:
    """Wait for the end of a fork."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _run(folder: str, env: Mapping[str, str], command: list[str], printed: str) -> NoReturn:
    code: Any = 1
    try:
        if printed:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(os.open(printed, os.O_WRONLY | os.O_APPEND), 1)
            os.dup2(1, 2)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(env)
        if runner := sys.modules.get("dvc.stage.run"):
            vars(runner)["_run"] = _run_stage
        # The module may be among those that are loaded.
        warnings.filterwarnings("ignore", ".* found in sys.modules", RuntimeWarning)
        sys.argv = command
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - a fork must not go on with what its parent does
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _run_stage(_: str, command: str, *, cwd: str, env: Mapping[str, str], **_options: Any) -> None:
    """Run a stage's command as DVC does, in a fork."""
    python, option, *module = shlex.split(command)
    assert (python, option) == ("python", "-m")
    if code := _exit_code(_fork(cwd, env, module)):
        raise sys.modules["dvc.stage.run"].StageCmdFailedError(command, code)


if __name__ == "__main__":
    _serve(sys.argv[1:])
