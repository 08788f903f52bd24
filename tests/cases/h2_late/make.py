import sys

from craft import ACK, PSH, SERVER, frame
from craft_h2 import DATA, Http2, h2_frame

# Two messages of one length, each in two DATA frames; the segment with the end of one and the beginning of the
# other comes behind the next one. A frame as long as what that beginning lacks follows.
h = Http2()
h.request(1)
h.response(1)
h.data(SERVER, 1, frame(2, b"BEFORE"))
ONE, TWO = frame(2, b"1" * 42), frame(2, b"2" * 42)
h.data(SERVER, 1, ONE[:22])
late = h2_frame(DATA, 1, ONE[22:]) + h2_frame(DATA, 1, TWO[:22])
at = h.seq[SERVER]
h.seq[SERVER] += len(late)
h.data(SERVER, 1, TWO[22:])
h.packet(SERVER, PSH | ACK, late, at)
h.data(SERVER, 1, frame(2, b"FOLLOWS-NOT-JOINED.."))
h.data(SERVER, 1, frame(1, b"AND-MORE"))
h.data(SERVER, 1, frame(1, b"AND-MORE, again"))
h.save(sys.argv[1])
