"""A small git repository with DVC's cache, without running DVC's stages."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from amlc.catalog.products import read_products
from amlc.files import write_json
from amlc.models.predictions import write_predictions
from tests.helpers.results import write_results

MODELS = ("lightgbm", "linear")
# What dvc.lock lists, as stage and output.
OUTPUTS = {
    "prepare": "data/products.parquet",
    "images": "data/images",
    "tabular": "data/features/tabular.parquet",
    "train@lightgbm": "data/models/lightgbm",
    "train@linear": "data/models/linear",
    "blend": "data/blend",
    "report": "data/report",
}
PARAMETERS: dict[str, Any] = {
    "seed": 1,
    "models": ["lightgbm", "linear"],
    "train": {"lightgbm": {"num_leaves": 31, "extra": {}}, "linear": {"weights": None}},
}


def git(root: Path, *arguments: str) -> str:
    """Run git in a repository and return what it printed."""
    person = {
        f"GIT_{role}_{key}": "a@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for key in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *arguments],
        cwd=root,
        env={**os.environ, **person},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def make_repository(root: Path) -> Path:
    """Make a repository whose branch main has the results of a run, and return its root."""
    root.mkdir()
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("")
    (root / ".gitignore").write_text("/data/\n/.dvc/cache/\n/.dvc/tmp/\n/.dvc/config.local\n")
    write_results(root)
    (root / "data/report").mkdir()
    (root / "data/report/index.html").write_text("<p>report</p>\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    commit_run(root, noise=0.5)
    return root


def commit_run(root: Path, *, noise: float, parameters: Mapping[str, Any] | None = None) -> str:
    """Commit a run whose log prices are off by this much, and return the commit's hash."""
    write_run(root, noise=noise, parameters=parameters)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "run")
    return git(root, "rev-parse", "HEAD")


def write_run(root: Path, *, noise: float, parameters: Mapping[str, Any] | None = None) -> None:
    """Write a run's predictions, scores, parameters, dvc.lock and DVC's cache."""
    products = read_products(root / "data/products.parquet")
    actual = np.log(products["price"].fillna(15.0).to_numpy())
    errors = np.random.default_rng(7).normal(0, 1, (3, len(products)))
    scores = {}
    for name, error in zip(("blend", *MODELS), errors, strict=True):
        folder = root / "data" / (name if name == "blend" else f"models/{name}")
        predicted = actual + noise * error
        write_predictions(
            folder, products, log_price=predicted, log_low=predicted, log_high=predicted
        )
        train = (products["split"] == "train").to_numpy()
        scores[name] = float(np.mean(200 * np.tanh(np.abs(predicted - actual)[train] / 2)))
    blend = scores.pop("blend")
    content = {"smape": blend, "smape_se": 1.0, "smape_low": blend - 1, "smape_high": blend + 1}
    write_json(root / "metrics/metrics.json", {**content, "models": scores})
    (root / "params.yaml").write_text(yaml.safe_dump({**PARAMETERS, **(parameters or {})}))
    _lock(root)


def _lock(root: Path) -> None:
    stages: dict[str, Any] = {}
    for stage, output in OUTPUTS.items():
        digest = _keep(root, root / output)
        stages[stage] = {"cmd": "x", "outs": [{"path": output, "hash": "md5", "md5": digest}]}
    lock = {"schema": "2.0", "stages": stages}
    (root / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))


def _keep(root: Path, path: Path) -> str:
    """Copy an output to the cache, as DVC lays it out, and return its MD5."""
    if path.is_file():
        return _store(root, path.read_bytes())
    files = sorted(file for file in path.rglob("*") if file.is_file())
    entries = [
        {"md5": _store(root, file.read_bytes()), "relpath": file.relative_to(path).as_posix()}
        for file in files
    ]
    return _store(root, json.dumps(entries).encode(), ".dir")


def _store(root: Path, content: bytes, suffix: str = "") -> str:
    digest = hashlib.md5(content).hexdigest() + suffix
    path = root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest


def add_experiment(root: Path, name: str, *, noise: float, **parameters: Any) -> str:
    """Add an experiment of DVC to the commit that is checked out, and return its commit."""
    base = git(root, "rev-parse", "HEAD")
    commit = commit_run(root, noise=noise, parameters=parameters)
    git(root, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
    git(root, "reset", "--quiet", "--hard", base)
    write_run(root, noise=0.5)
    return commit


def empty_cache(root: Path) -> None:
    """Remove DVC's cache."""
    shutil.rmtree(root / ".dvc/cache")
