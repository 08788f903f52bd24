"""Writes the capture of this case: one connection a rule."""
import sys

import craft
from craft import adding, first_line, without

same = adding()
CONNECTIONS = [
    (without(b"Sec-WebSocket-Key"), without(b"Sec-WebSocket-Accept")),
    (lambda lines: without(b"Sec-WebSocket-Key")(lines) + [b"Sec-WebSocket-Key: c2hvcnQ="],
     lambda lines: without(b"Sec-WebSocket-Accept")(lines)
     + [b"Sec-WebSocket-Accept: " + craft.accept(b"c2hvcnQ=")]),
    (adding(b"Sec-WebSocket-Key: " + craft.good_key(91)), same),
    (without(b"Sec-WebSocket-Version"), same),
    (lambda lines: without(b"Sec-WebSocket-Version")(lines) + [b"Sec-WebSocket-Version: 8"], same),
    (first_line(b"POST /chat HTTP/1.1"), same),
    (first_line(b"GET /chat HTTP/1.0"), same),
    (without(b"Host"), same),
    (without(b"Upgrade"), same),
    (without(b"Connection"), same),
    (adding(b"Sec-WebSocket-Protocol: chat, chat"), same),
    (adding(b"Sec-WebSocket-Extensions: foo; ="), same),
    (adding(b"User-Agent: Mozilla/5.0"), same),
    (adding(b"Cookie: id=1"), same),
    (adding(b"Sec-WebSocket-Extensions: permessage-deflate; window=9"), same),
    (adding(b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9; "
            b"server_max_window_bits=9"), same),
    (adding(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=7"), same),
]

craft.save_handshakes(sys.argv[1], CONNECTIONS)
