"""Writes the capture of this case: streams of one HTTP/2 connection that end in each possible way."""
import sys

from craft import CLIENT, SERVER, frame
from craft_h2 import END_STREAM, GOAWAY, Http2, h2_frame

KEYS = iter(bytes([n, 0x3C, 0xA5, 0x5B ^ n]) for n in range(1, 100))
NORMAL = b"\x03\xe8"

h = Http2()
h.request(1)
h.response(1, b"403", END_STREAM)          # refused
h.request(3)
h.response(3)
h.data(CLIENT, 3, frame(1, b"THREE", next(KEYS)))
h.reset(SERVER, 3)                         # reset
h.request(5)
h.response(5)
h.data(CLIENT, 5, frame(8, NORMAL, next(KEYS)), END_STREAM)
h.data(SERVER, 5, frame(1, b"FIVE") + frame(8, NORMAL))
h.data(SERVER, 5, b"", END_STREAM)         # END_STREAM on both sides, one in an empty DATA frame
h.request(7)
h.response(7)
h.data(CLIENT, 7, frame(1, b"SEVEN-A", next(KEYS)))
h.server(h2_frame(GOAWAY, 0, bytes([0, 0, 0, 7, 0, 0, 0, 0])))  # ends no stream
h.data(SERVER, 7, frame(1, b"SEVEN-B"))
h.data(SERVER, 7, b"", END_STREAM)         # one side is finished, the other goes on
h.data(CLIENT, 7, frame(1, b"SEVEN-C", next(KEYS)))
h.request(9)
h.response(9)
h.data(CLIENT, 9, frame(1, b"NINE", next(KEYS)))
h.request(11)                              # unanswered
h.finish()                                 # TCP's end is that of all streams
h.save(sys.argv[1])
