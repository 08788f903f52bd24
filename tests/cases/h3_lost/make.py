import sys

from craft import CLIENT, SERVER, frame
from craft_h3 import DATA, Http3, h3_frame

PIECES = 14  # so many later ones show that what is missing won't come


def rest(h, side, text, key=None):
    for n in range(PIECES):
        h.data(side, 0, frame(1, b"%s %d of what follows" % (text, n), key and b"ab%02d" % n))


packets = []
# A hole inside a frame: framing goes on exactly.
a = h = Http3(packets=packets)
h.request(0)
h.response(0)
whole = h3_frame(DATA, frame(1, b"begin" + b"x" * 90 + b"end.."))
h.stream(SERVER, 0, whole[:40])
h.stream(SERVER, 0, whole[40:70])
del packets[-1]
h.stream(SERVER, 0, whole[70:])
rest(h, SERVER, b"INSIDE-A-FRAME")

# A hole over a header: two messages are lost, the ones behind are found.
b = h = Http3(port=50002, packets=packets)
h.request(0)
h.response(0)
h.data(CLIENT, 0, frame(1, b"BEFORE-IT", b"abcd"))
h.data(CLIENT, 0, frame(1, b"LOST-ONE", b"abce"))
h.data(CLIENT, 0, frame(1, b"LOST-TWO", b"abcf"))
del packets[-2:]
rest(h, CLIENT, b"OVER-A-HEADER", b"k")

# At the end nothing shows that the hole will not be filled, but the end itself.
c = h = Http3(port=50003, packets=packets)
h.request(0)
h.response(0)
h.data(SERVER, 0, frame(1, b"LOST-THREE"))
del packets[-1]
h.data(SERVER, 0, frame(1, b"AT-THE-END, a text that is long enough to be believed"))
h.finish()
h.save(sys.argv[1], [a, b])
