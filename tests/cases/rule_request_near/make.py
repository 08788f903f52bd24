"""Writes the capture of this case: one connection a rule that it just does not break."""
import sys

import craft
from craft import adding, first_line, without

same = adding()
CONNECTIONS = [
    (same, same),
    (lambda lines: [x.replace(b"Key: ", b"Key:   ") for x in lines], same),
    (adding(b"Sec-WebSocket-Key1: x"), same),
    (lambda lines: [x.replace(b"Sec-WebSocket-Version: ", b"SEC-WEBSOCKET-VERSION:") for x in lines],
     same),
    (lambda lines: [x.replace(b"Version: 13", b"Version:  13 ") for x in lines], same),
    (first_line(b"GET /POST HTTP/1.1"), same),
    (first_line(b"GET /HTTP/1.0 HTTP/1.1"), same),
    (lambda lines: [x.replace(b"Host: server.example.com", b"host:a:80") for x in lines], same),
    (lambda lines: [x.replace(b"Upgrade: websocket", b"Upgrade: h2c, WebSocket") for x in lines],
     same),
    (lambda lines: [x.replace(b": Upgrade", b": keep-alive, upgrade") for x in lines], same),
    (adding(b"Sec-WebSocket-Protocol: chat, Chat"), same),
    (adding(b'Sec-WebSocket-Extensions: foo; a="b", ,permessage-deflate'), same),
    (adding(b"User-Agent: Mozilla/5.0", b"Origin: http://a"), same),
    (adding(b"X-Cookie: id=1"), same),
    (adding(b"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover"), same),
    (adding(b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9; "
            b"client_max_window_bits=9"), same),
    (adding(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8"), same),
]

craft.save_handshakes(sys.argv[1], CONNECTIONS)
