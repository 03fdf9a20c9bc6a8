"""The orientation that the metadata of a picture state, read without reading anything else."""

import re
import struct

EXIF_HEADER = b"Exif\x00\x00"
_EXIF_TAG = 0x0112
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def stated_orientation(exif: bytes, xmp: bytes) -> int:
    """Return the orientation that EXIF data state, or else XMP data, or else 1."""
    stated = _exif_orientation(exif)
    if stated is None:
        found = _XMP_ORIENTATION.search(xmp)
        stated = int(found.group(1)) if found is not None else 1
    return stated


def _exif_orientation(exif: bytes) -> int | None:
    """Return the orientation in the first directory of EXIF data, if they state one.

    No other entry is read, so that damaged and overlapping ones do not matter.
    """
    tiff = memoryview(exif.removeprefix(EXIF_HEADER).removeprefix(EXIF_HEADER))
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(bytes(tiff[:4]))
    if order is None or len(tiff) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        return None
    (entries,) = struct.unpack_from(f"{order}H", tiff, start)
    for position in range(start + 2, min(start + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, position)
        # A short or a long integer.
        if tag == _EXIF_TAG and kind in {3, 4} and count == 1:
            (value,) = struct.unpack_from(order + "HI"[kind - 3], tiff, position + 8)
            return int(value)
    return None
