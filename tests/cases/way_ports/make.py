import sys

from craft import Conversation, frame, request, response

packets = []
for number, port in enumerate((80, 443, 8080, 8443, 5000, 31337)):
    c = Conversation()
    c.packets, c.port = packets, [50001 + number, port]
    c.connect()
    c.client(request(number))
    c.server(response(number))
    c.client(frame(1, b"to port %d" % port, b"abc%d" % number))
    c.server(frame(1, b"from port %d" % port))
    c.close()
c.save(sys.argv[1])
