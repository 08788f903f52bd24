"""Writes the capture of this case: a segment with two whole frames is not in it."""
import sys

import craft
from craft import SERVER, frame

c = craft.Conversation()
c.connect()
c.client(craft.request(0))
c.server(craft.response(0))
c.server(frame(1, b"BEFORE"))
c.seq[SERVER] += len(frame(1, b"LOST")) + len(frame(2, b"x" * 300))
for number in range(4):
    c.server(frame(1, b"BEHIND THE LOST ONES, NUMBER %d" % number))
c.close()
c.save(sys.argv[1])
