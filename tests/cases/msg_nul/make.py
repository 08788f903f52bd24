"""Writes the capture of this case: texts with U+0000, which are characters like others (RFC 3629)."""
import sys

import craft
from craft import frame

craft.save_frames(sys.argv[1], [[
    (1, frame(1, b"NUL\0INSIDE")),
    (1, frame(1, b"\0BEFORE")),
    (0, frame(1, b"BEHIND\0", b"\x11\x22\x33\x44")),
]])
