"""Writes the capture of this case: one compressed message, 1 MB on the wire, 1 GiB after inflating."""
import sys
import zlib

import craft

# Nearly 1032 to 1, which is all that deflate can do.
squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
wire = squeeze.compress(b"BOMB")
for _ in range(64):
    wire += squeeze.compress(bytes(16 << 20))
wire += squeeze.flush(zlib.Z_SYNC_FLUSH)

offer = b"Sec-WebSocket-Extensions: permessage-deflate"
c = craft.Conversation(mss=1400)
c.open([offer], [offer])
c.server(craft.frame(2, wire[:-4], rsv=4))
c.server(craft.frame(1, b"AFTER-BOMB"))
c.close()
c.save(sys.argv[1])
