"""Writes the capture of this case: extended CONNECTs with headers that must be there and are not, or the
other way round, and a setting that is taken back."""
import sys

from craft import CLIENT, SERVER, frame
from craft_h2 import END_STREAM, EXTENDED_CONNECT, REQUEST, Http2

KEYS = iter(bytes([n, 0x3C, 0xA5, 0x5B ^ n]) for n in range(1, 100))
NORMAL = b"\x03\xe8"


def talk(stream):
    h.data(CLIENT, stream, frame(1, b"RULES-%d" % stream, next(KEYS)))
    h.data(CLIENT, stream, frame(8, NORMAL, next(KEYS)), END_STREAM)
    h.data(SERVER, stream, frame(8, NORMAL), END_STREAM)


h = Http2()
h.request(1, [f for f in REQUEST if f[0] not in (b":scheme", b":path")])
h.response(1)
talk(1)
h.request(3, REQUEST + ((b"upgrade", b"websocket"), (b"connection", b"Upgrade"),
                        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")))
h.headers(SERVER, 3, ((b":status", b"200"),
                      (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")))
talk(3)
h.request(5)
h.response(5, b"101")
h.request(7)
h.response(7)
h.settings([(EXTENDED_CONNECT, 0)])
talk(7)
h.finish()
h.save(sys.argv[1])
