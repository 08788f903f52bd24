"""Writes the capture of this case: one connection a rule."""
import sys

import craft
from craft import frame

CONNECTIONS = [
    [(0, frame(9, b"p" * 126, b"\x11\x01\x02\x03")), (1, frame(10, b"p" * 126))],  # too long, both
    [(1, frame(0, b"nothing to continue"))],
    [(0, frame(1, b"ZERO", b"\0\0\0\0")), (0, frame(1, b"ZERO AGAIN", b"\0\0\0\0"))],
    [(0, frame(1, b"ONE", b"\x12\x34\x56\x78")), (0, frame(1, b"TWO", b"\x12\x34\x56\x78"))],
    [(1, frame(1, b"BEGUN", fin=False))],
]

craft.save_frames(sys.argv[1], CONNECTIONS)
