"""Writes the capture of this case: one connection a rule."""
import sys
import zlib

import craft
from craft import SERVER, adding, frame


def noise(count):
    out, seed = bytearray(), 1
    for _ in range(count):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(seed >> 16 & 0xFF)
    return bytes(out)


def packed(*texts):
    """Messages of one compression context."""
    packer = zlib.compressobj(wbits=-15)
    return [(packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in texts]


CONNECTIONS = [
    (b"; server_max_window_bits=8", packed(noise(300) + noise(300))),
    (b"; server_no_context_takeover", packed(noise(100), noise(100))),
    (b"", [packed(b"TAIL KEPT")[0] + b"\0\0\xff\xff"]),
]

for number, c in craft.opened(len(CONNECTIONS)):
    parameters, messages = CONNECTIONS[number]
    line = b"Sec-WebSocket-Extensions: permessage-deflate" + parameters
    c.client(craft.request(number, adding(line)))
    c.server(craft.response(number, adding(line)))
    for message in messages:
        c.send(SERVER, frame(2, message, rsv=4))
    c.close()
c.save(sys.argv[1])
