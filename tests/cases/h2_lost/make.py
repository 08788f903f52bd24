import sys
import zlib

from craft import CLIENT, SERVER, frame
from craft_h2 import CONTINUATION, DATA, END_HEADERS, HEADERS, REQUEST, Http2, counted, h2_frame, literal

ACCEPTED = (b"sec-websocket-extensions", b"permessage-deflate")
CHAT = (b"sec-websocket-protocol", b"chat")
packets = []


def indexed(name, value):
    """RFC 7541 6.2.1: the newest entry of the dynamic table."""
    return b"\x40" + counted(name) + counted(value)


def answer(h, stream, block):
    h.send(SERVER, h2_frame(HEADERS, stream, literal(b":status", b"200") + block, END_HEADERS))


def lose(h):
    """The segment sent last, with its acknowledgement."""
    del h.packets[-2:]


# Two messages of one length, each in two DATA frames. The end of one and the beginning of the other are lost:
# what is left would make one frame.
h = Http2(packets=packets)
h.request(1)
h.response(1)
ONE, TWO = frame(1, b"begin of one" + b"1" * 30), frame(1, b"2" * 30 + b"end of two..")
h.data(SERVER, 1, ONE[:22])
h.send(SERVER, h2_frame(DATA, 1, ONE[22:]) + h2_frame(DATA, 1, TWO[:22]))
lose(h)
h.data(SERVER, 1, TWO[22:])
h.data(SERVER, 1, frame(1, b"AFTER-THE-HOLE"))
h.data(SERVER, 1, frame(1, b"AND-MORE"))

# Stream 5's answer names an entry that stream 3's has brought. Without that one, it is another.
h = Http2(port=50002, packets=packets)
for stream in (1, 3, 5):
    h.request(stream, REQUEST + (CHAT, ACCEPTED))
answer(h, 1, indexed(*CHAT))
answer(h, 3, indexed(*ACCEPTED))
lose(h)
answer(h, 5, b"\xbe")  # RFC 7541 6.1, entry 62
packer = zlib.compressobj(6, zlib.DEFLATED, -15)
for text in (b"AGREED-IN-THE-HOLE", b"AGREED-IN-THE-HOLE again"):
    packed = (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    h.data(CLIENT, 5, frame(1, packed, b"abcd", rsv=4))

# The answer itself is lost.
h = Http2(port=50003, packets=packets)
h.request(1)
h.response(1)
lose(h)
h.data(SERVER, 1, frame(1, b"UNANSWERED-SERVER says this"))
h.data(CLIENT, 1, frame(1, b"UNANSWERED-CLIENT", b"abce"))
h.data(SERVER, 1, frame(1, b"UNANSWERED-MORE"))

# The end of a request's headers is lost, and so is what they lack. Another stream goes on.
h = Http2(port=50004, packets=packets)
h.send(CLIENT, h2_frame(HEADERS, 1, b"".join(literal(*field) for field in REQUEST[:-1])))
h.send(CLIENT, h2_frame(CONTINUATION, 1, literal(*REQUEST[-1]), END_HEADERS))
lose(h)
h.request(3)
h.response(3)
h.response(1)
h.data(SERVER, 1, frame(1, b"CUT-REQUEST"))
h.data(SERVER, 3, frame(1, b"NEXT-REQUEST"))
h.save(sys.argv[1])
