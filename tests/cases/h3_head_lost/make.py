import sys

from craft import CLIENT, SERVER, frame
from craft_h3 import Http3

PIECES = 14  # so many later ones show that what is missing won't come


def talk(h, word):
    for n in range(PIECES):
        h.data(CLIENT, 0, frame(1, b"%s %d of the client's" % (word, n), b"ab%02d" % n))
        h.data(SERVER, 0, frame(1, b"%s %d of the server's" % (word, n)))


packets = []
# The request is lost; only WebSocket's answers name a subprotocol.
a = h = Http3(packets=packets)
h.request(0)
del packets[-1]
h.headers(SERVER, 0, ((b":status", b"200"), (b"sec-websocket-protocol", b"chat")))
talk(h, b"KNOWN-BY-ANSWER")

# This answer may be anything's.
b = h = Http3(port=50002, packets=packets)
h.request(0)
del packets[-1]
h.response(0)
talk(h, b"NOT-KNOWN")

# The answer is lost, and with it the beginning of a long message, whose bytes look like headers of Close frames.
c = h = Http3(port=50003, packets=packets)
h.request(0)
h.response(0)
del packets[-1]
h.data(SERVER, 0, frame(2, b"x" * 9000))
del packets[-9]
talk(h, b"BEHIND-A-MESSAGE")
h.finish()
h.save(sys.argv[1], [a, b])
