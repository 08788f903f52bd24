"""Writes the capture of this case: a frame, a message and what a message inflates to, each over a limit of 1 MiB."""
import sys
import zlib

import craft
from craft import adding, frame

MIB = 1 << 20
packer = zlib.compressobj(wbits=-15)
BOMB = (packer.compress(b"B" * 2 * MIB) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
LINE = b"Sec-WebSocket-Extensions: permessage-deflate"

c = craft.Conversation(mss=60000)
c.connect()
c.client(craft.request(0, adding(LINE)))
c.server(craft.response(0, adding(LINE)))
c.server(frame(2, b"F" * (MIB + 1)))
c.server(frame(2, b"M" * (MIB // 2 + 1), fin=False))
c.server(frame(0, b"M" * (MIB // 2)))
c.server(frame(2, BOMB, rsv=4))
c.server(frame(1, b"BEHIND THEM"))
c.close()
c.save(sys.argv[1])
