"""Writes the capture of this case: headers that begin in HEADERS and end in CONTINUATION."""
import sys
import zlib

from craft import CLIENT, SERVER, frame
from craft_h2 import (CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PADDED, PRIORITY, REQUEST, Http2, h2_frame,
                      literal)

KEYS = iter(bytes([n, 0x3C, 0xA5, 0x5B ^ n]) for n in range(1, 100))
NORMAL = b"\x03\xe8"
OFFERED = ((b"sec-websocket-protocol", b"chat"), (b"sec-websocket-extensions", b"permessage-deflate"))
OK, MORE = (b":status", b"200"), (b"x-more", b"y" * 50)
packets = []


def bytes_of(fields):
    return b"".join(literal(*field) for field in fields)


def end(stream):
    h.data(CLIENT, stream, frame(8, NORMAL, next(KEYS)), END_STREAM)
    h.data(SERVER, stream, frame(8, NORMAL), END_STREAM)


# A large cookie fills the first frame; what is agreed on stands in the second one.
h = Http2(packets=packets)
h.block(CLIENT, 1, (REQUEST[:-1] + ((b"cookie", b"c" * 9000),), REQUEST[-1:] + OFFERED))
h.block(SERVER, 1, ((OK, (b"set-cookie", b"d" * 2000)), OFFERED))
packer = zlib.compressobj(6, zlib.DEFLATED, -15)
packed = (packer.compress(b"CONTINUED hello hello") + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
h.data(SERVER, 1, frame(1, packed, rsv=4))
end(1)
h.finish()

# Cut inside a field: ":method" is in the first frame, ":protocol" in the second or third one.
h = Http2(port=50002, packets=packets)
block, answer = bytes_of(REQUEST), bytes_of((OK, MORE))
h.block(CLIENT, 1, (block[:20], block[20:40], block[40:]))
h.block(SERVER, 1, (answer[:10], answer[10:]), apart=True)
h.data(SERVER, 1, frame(1, b"CUT-INSIDE"))
end(1)
h.finish()

# Over several packets. Both sides are in the middle of a block at one time, each of another stream.
h = Http2(port=50003, packets=packets)
h.request(1)
h.client(h2_frame(HEADERS, 3, bytes_of(REQUEST[:1])))
h.server(h2_frame(HEADERS, 1, bytes_of((OK,))))
h.client(h2_frame(CONTINUATION, 3, bytes_of(REQUEST[1:3]), END_STREAM))  # says nothing in CONTINUATION
h.server(h2_frame(CONTINUATION, 1, bytes_of((MORE,)), END_HEADERS))
h.client(h2_frame(CONTINUATION, 3, bytes_of(REQUEST[3:]), END_HEADERS))
h.data(CLIENT, 1, frame(1, b"APART-1", next(KEYS)))
h.block(SERVER, 3, (((b":status", b"103"),), (MORE,)), apart=True)
h.block(SERVER, 3, ((OK,), b"", (MORE,)), apart=True)
h.data(CLIENT, 3, frame(1, b"APART-3", next(KEYS)))
end(1)
h.data(CLIENT, 3, frame(8, NORMAL, next(KEYS)), END_STREAM)
h.data(SERVER, 3, frame(8, NORMAL))
h.block(SERVER, 3, (((b"x-trailer", b"1"),), (MORE,)), END_STREAM, apart=True)
h.request(5)
h.block(SERVER, 5, (((b":status", b"403"),), (MORE,)), END_STREAM, apart=True)  # refused
first = b"\x07" + b"\0\0\0\0\x10" + bytes_of(REQUEST[:2]) + b"\0" * 7
h.client(h2_frame(HEADERS, 7, first, PADDED | PRIORITY) +
         h2_frame(CONTINUATION, 7, bytes_of(REQUEST[2:]), END_HEADERS))
h.response(7)
h.data(SERVER, 7, frame(1, b"APART-PADDED"))
end(7)
h.finish()
h.save(sys.argv[1])
