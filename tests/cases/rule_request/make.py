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

packets = []
for number, (edit_request, edit_response) in enumerate(CONNECTIONS):
    c = craft.Conversation()
    c.packets, c.port[0] = packets, c.port[0] + number
    c.connect()
    c.client(craft.request(number, edit_request))
    c.server(craft.response(number, edit_response))
    c.server(craft.frame(1, b"hello"))
    c.close()
c.save(sys.argv[1])
