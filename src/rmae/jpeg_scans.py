"""How often a JPEG goes through all of its pixels, which a few bytes can make it do without end."""

import re

MOST_SCANS = 500
"""Scans of a JPEG that is decoded; each goes through all pixels, and takes as little as ten bytes of the file."""

_SCAN, _END = 0xDA, 0xD9
_START = 2  # bytes of the marker that a JPEG begins with
# As libjpeg looks for them: in a scan, FF 00 is a pixel's byte, and D0 to D7 stand between intervals of it.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_FIRST_WITH_LENGTH = 0xC0  # those below stand alone, or are none; what follows is looked through, as libjpeg does


def has_endless_scans(encoded: bytes) -> bool:
    """Whether a JPEG has more than `MOST_SCANS` scans; what follows its end, as a video or raw data, does not count.

    Args:
        encoded: The whole file.
    """
    if encoded.count(b"\xff\xda") <= MOST_SCANS:  # as nearly always, and there cannot be more scans than these
        return False
    place, num_scans = _START, 0
    while (found := _MARKER.search(encoded, place)) is not None and found[1][0] != _END:
        place = found.end()
        if found[1][0] >= _FIRST_WITH_LENGTH:
            place += max(2, int.from_bytes(encoded[place : place + 2], "big"))
        num_scans += found[1][0] == _SCAN
        if num_scans > MOST_SCANS:
            return True
    return False
