"""Writes the capture of this case: one connection a rule that it just does not break."""
import sys

import craft
from craft import adding, first_line, without

same = adding()


def protocol(value):
    return adding(b"Sec-WebSocket-Protocol: " + value)


def extensions(value):
    return adding(b"Sec-WebSocket-Extensions: " + value)


CONNECTIONS = [
    (same, same),
    (same, lambda lines: [x.replace(b"Accept: ", b"ACCEPT:") for x in lines]),
    (same, adding(b"Sec-WebSocket-Accept-Old: x")),
    (same, lambda lines: [x.replace(b"Upgrade: websocket", b"upgrade: WebSocket") for x in lines]),
    (same, lambda lines: [x.replace(b": Upgrade", b": keep-alive, upgrade") for x in lines]),
    (protocol(b"mqtt, Chat"), protocol(b"Chat")),
    (protocol(b"chat, mqtt"), protocol(b"mqtt")),
    (extensions(b"permessage-deflate"), extensions(b"permessage-deflate")),
    (extensions(b"foo"), same),
    (extensions(b"permessage-deflate"), extensions(b", permessage-deflate ,")),
    (extensions(b"permessage-deflate; client_max_window_bits"),
     extensions(b"permessage-deflate; client_max_window_bits=9")),
    (extensions(b"permessage-deflate; server_max_window_bits=9"),
     extensions(b"permessage-deflate; server_max_window_bits=9")),
    (extensions(b"permessage-deflate; server_no_context_takeover"),
     extensions(b"permessage-deflate; server_no_context_takeover")),
]

craft.save_handshakes(sys.argv[1], CONNECTIONS)
