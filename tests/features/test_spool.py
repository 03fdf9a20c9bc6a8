"""Arrays whose rows come in parts."""

import errno
import io
from pathlib import Path

import numpy as np
import pytest

from amlc.errors import DataError
from amlc.features import spool as module
from amlc.features.spool import Spool
from amlc.files import write_arrays


@pytest.mark.parametrize("dtype", [np.int32, np.float16])
def test_rows_in_parts_are_written_like_one_array(
    tmp_path: Path, dtype: type[np.generic], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the byte, and whether a part is contiguous or empty."""
    monkeypatch.setattr(module, "BLOCK", 7)
    rows = np.arange(24).reshape(8, 3).astype(dtype)
    with Spool(tmp_path / "a.npz", dtype, 3) as spool:
        for part in (rows[:2], rows[2:2], np.asfortranarray(rows[2:])):
            spool.append(part)
        write_arrays(tmp_path / "parts.npz", a=spool, b=np.ones(2))
    write_arrays(tmp_path / "whole.npz", a=rows, b=np.ones(2))
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the file that the rows are for."""

    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            """Write what is left in the buffer; like a real file it is closed even so."""
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "TemporaryFile", lambda **_: Full())
    with (
        pytest.raises(DataError, match=r"a\.npz: cannot be written: No space left"),
        Spool(tmp_path / "a.npz", np.int32) as spool,
    ):
        spool.append(np.ones(3))
