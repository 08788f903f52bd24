"""Writes the capture of this case: one connection a rule."""
import sys

import craft
from craft import CLIENT, SERVER, frame

KEYS = iter(bytes([n, 0x3C, 0xA5, 0x5B ^ n]) for n in range(1, 100))
NORMAL, AWAY, OWN = b"\x03\xe8", b"\x03\xe9", (3500).to_bytes(2, "big")


def up(opcode, payload):
    return CLIENT, frame(opcode, payload, next(KEYS))


CONNECTIONS = [
    [(SERVER, frame(8, OWN)), up(8, OWN)],                                             # not registered
    [(SERVER, frame(8, NORMAL)), up(8, AWAY)],                                         # another code
    [(SERVER, frame(8, NORMAL)), (SERVER, frame(2, b"LATE")), up(8, NORMAL)],          # data behind it
    [(SERVER, frame(8, NORMAL)), (SERVER, frame(9, b"late")), up(8, NORMAL)],          # a Ping behind it
    [(SERVER, frame(8, NORMAL)), up(1, b"ON ITS WAY")],                                # no answer
    [up(9, b"anybody?")],                                                              # no Pong, no Close
]

craft.save_frames(sys.argv[1], CONNECTIONS, end=craft.Conversation.finish)
