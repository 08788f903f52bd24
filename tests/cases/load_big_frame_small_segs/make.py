"""Writes the capture of this case: one 8 MiB frame from the server in segments of 1400 bytes."""
import sys

import craft

c = craft.Conversation(mss=1400)
c.open()
c.server(craft.frame(2, bytes(range(256)) * (8 << 12)))
c.server(craft.frame(1, b"LASTFRAME"))
c.close()
c.save(sys.argv[1])
