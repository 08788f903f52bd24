import sys

from craft import CLIENT, SERVER, frame
from craft_h3 import DATA, Http3, h3_frame

h = Http3()
h.request(0)
h.response(0)
first = len(h.packets)
LONG = frame(1, b"IN-TWO-PIECES-" + b"abcdef" * 20)
h.data(CLIENT, 0, frame(1, b"ONE", b"abcd"))
h.data(CLIENT, 0, frame(1, b"TWO", b"abce"))
h.data(CLIENT, 0, frame(1, b"THREE", b"abcf"))
data = h3_frame(DATA, LONG) + h3_frame(DATA, frame(1, b"IN-ORDER"))
h.stream(SERVER, 0, data[:50])
h.stream(SERVER, 0, data[50:])
h.data(SERVER, 0, frame(1, b"LAST"))
p = h.packets
one, two, three, begin, rest, last = p[first:]
p[first:] = [two, three, one, two, last, rest, begin, begin]
h.save(sys.argv[1])
