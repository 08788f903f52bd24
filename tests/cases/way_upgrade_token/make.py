import sys

from craft import frame, opened, request, response

TOKENS = ((b"WebSocket", b"WebSocket"), (b"WEBSOCKET", b"websocket"), (b"websocket", b"wEbSoCkEt"),
          (b"websocket, foo", b"websocket"), (b"foo/2, WebSocket", b"WebSocket"),
          (b"websocket,foo", b"websocket, foo"))
for number, c in opened(len(TOKENS)):
    ask, answer = TOKENS[number]
    c.client(request(number, lambda lines: [b"Upgrade: " + ask if x.startswith(b"Upgrade") else x for x in lines]))
    c.server(response(number, lambda lines: [b"Upgrade: " + answer if x.startswith(b"Upgrade") else x for x in lines]))
    c.client(frame(1, b"asked as " + ask, b"abc%d" % number))
    c.server(frame(1, b"answered as " + answer))
    c.close()
c.save(sys.argv[1])
