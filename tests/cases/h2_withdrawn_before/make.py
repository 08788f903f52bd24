"""Writes the capture of this case: a value that the setting can't have, before the first request."""
import sys

from craft import CLIENT, SERVER, frame
from craft_h2 import END_STREAM, EXTENDED_CONNECT, Http2

NORMAL = b"\x03\xe8"

h = Http2(server_settings=((EXTENDED_CONNECT, 2),))
h.request(1)
h.response(1)
h.data(CLIENT, 1, frame(8, NORMAL, b"\x01\x3c\xa5\x5b"), END_STREAM)
h.data(SERVER, 1, frame(8, NORMAL), END_STREAM)
h.finish()
h.save(sys.argv[1])
