"""A fit that is killed goes on, and ends as if nothing had happened."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.deep import skip_without_deep
from tests.helpers.fusion import image_tower, text_tower

skip_without_deep()

from tests.helpers.forks import Forks
from tests.helpers.fusion_process import PRELOADED, run

pytestmark = pytest.mark.slow
# A checkpoint after every update.
ALWAYS = {"checkpoints": {"seconds": 1e-9}}
# Updates of a fit to 60 rows in batches of 16, in two epochs.
UPDATES = 8


def drawn_kills(seed: int, count: int) -> list[str]:
    """Return moments at which a fit is killed, each in the work that the ones before have left.

    Half of them, at random, are in the middle of writing a checkpoint.
    """
    rng, left, kills = np.random.default_rng(seed), UPDATES, []
    for remaining in range(count - 1, -1, -1):
        # Each of the later kills needs an update of its own.
        number = int(rng.integers(1, left - remaining + 1))
        kills.append(f"{rng.choice(['step', 'save'])} {number}")
        # What a kill in an update or in a save loses is that update.
        left -= number - 1
    return kills


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the settings of two towers."""
    folder = tmp_path_factory.mktemp("towers")
    return {"text": text_tower(folder / "text"), "image": image_tower(folder / "image")}


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of the files that a fit wrote."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Return processes that need not import PyTorch."""
    with Forks(PRELOADED) as process:
        yield process


@pytest.mark.parametrize(
    ("changes", "kills"),
    [
        (
            {
                "augment": {"drop_bullets": 0.3, "mask_words": 0.2, "crop": 0.3, "flip": 0.5},
                "weight_average": 0.9,
                "accumulation": 2,
            },
            drawn_kills(seed=16, count=5),
        ),
        ({"image": None, "networks": 2, "early_stopping_epochs": 1}, ["step 6", "save 8"]),
    ],
    ids=["augmented", "two networks"],
)
def test_a_fit_killed_at_several_moments_gives_the_same_bytes(
    changes: dict[str, Any],
    kills: list[str],
    towers: dict[str, Any],
    tmp_path: Path,
    forks: Forks,
) -> None:
    """Killed at five random ones, it equals an undisturbed fit to the last bit."""
    changes = {"epochs": 2, **towers, **changes}
    assert run(forks, tmp_path / "quiet", tmp_path / "whole", changes)[0] == 0
    store, out = tmp_path / "store", tmp_path / "killed"
    for kill in kills:
        assert run(forks, store, out, {**changes, **ALWAYS}, kill)[0] == -signal.SIGKILL
        assert not out.exists()
    assert run(forks, store, out, changes)[0] == 0
    assert_same_fit(tmp_path / "whole", out)


def assert_same_fit(first: Path, second: Path) -> None:
    """Compare the bytes of what two fits wrote."""
    expected, actual = files(first), files(second)
    assert expected.keys() == actual.keys()
    differing = [name for name in expected if expected[name] != actual[name]]
    assert differing == []


def test_a_fit_killed_between_checkpoints_repeats_what_was_lost(
    towers: dict[str, Any], tmp_path: Path, forks: Forks
) -> None:
    """Checkpoints are written at the ends of epochs only; a complete fit is not computed again."""
    changes = {"text": towers["text"]}
    run(forks, tmp_path / "quiet", tmp_path / "whole", changes)
    run(forks, tmp_path / "store", tmp_path / "out", changes, "step 7")
    code, printed = run(forks, tmp_path / "store", tmp_path / "out", changes)
    assert code == 0
    assert "fusion: a fit goes on: epoch 1, step 0" in printed
    assert_same_fit(tmp_path / "whole", tmp_path / "out")
    code, printed = run(forks, tmp_path / "store", tmp_path / "again", changes, "step 1")
    assert code == 0
    assert "fusion: a fit is complete" in printed
    assert_same_fit(tmp_path / "whole", tmp_path / "again")


def test_a_fit_with_other_parameters_starts_again_and_says_so(
    towers: dict[str, Any], tmp_path: Path, forks: Forks
) -> None:
    """It equals a fit that finds no checkpoint."""
    changes = {"text": towers["text"], "epochs": 2}
    changed = {**changes, "learning_rate": 2e-3}
    run(forks, tmp_path / "store", tmp_path / "out", changes, "step 6")
    code, printed = run(forks, tmp_path / "store", tmp_path / "out", changed)
    assert code == 0
    assert "made with other parameters: this one starts from the beginning" in printed
    run(forks, tmp_path / "quiet", tmp_path / "whole", changed)
    assert_same_fit(tmp_path / "whole", tmp_path / "out")


def test_a_damaged_checkpoint_is_not_used(
    towers: dict[str, Any], tmp_path: Path, forks: Forks
) -> None:
    """The fit starts again, and says so."""
    changes = {"text": towers["text"], "epochs": 2}
    run(forks, tmp_path / "store", tmp_path / "out", changes, "step 6")
    (path,) = (tmp_path / "store/checkpoints").glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    code, printed = run(forks, tmp_path / "store", tmp_path / "out", changes)
    assert code == 0
    assert "damaged, so the fit starts again: its content has changed" in printed
