"""Writes the capture of this case: one connection a rule."""
import sys

import craft
from craft import adding, first_line, without

same = adding()


def protocol(value):
    return adding(b"Sec-WebSocket-Protocol: " + value)


def extensions(value):
    return adding(b"Sec-WebSocket-Extensions: " + value)


CONNECTIONS = [
    (same, lambda lines: lines[:3] + [b"Sec-WebSocket-Accept: " + craft.accept(b"other")]),
    (same, without(b"Sec-WebSocket-Accept")),
    (same, lambda lines: lines + lines[3:]),
    (same, without(b"Upgrade")),
    (same, without(b"Connection")),
    (protocol(b"chat"), protocol(b"Chat")),
    (protocol(b"chat, mqtt"), protocol(b"chat, mqtt")),
    (same, extensions(b"permessage-deflate")),
    (extensions(b"foo"), extensions(b"foo")),
    (extensions(b"permessage-deflate"), extensions(b"permessage-deflate;")),
    (extensions(b"permessage-deflate"), extensions(b"permessage-deflate; client_max_window_bits=9")),
    (extensions(b"permessage-deflate; server_max_window_bits=9"), extensions(b"permessage-deflate")),
    (extensions(b"permessage-deflate; server_no_context_takeover"),
     extensions(b"permessage-deflate")),
]

craft.save_handshakes(sys.argv[1], CONNECTIONS)
