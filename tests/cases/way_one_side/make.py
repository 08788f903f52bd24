import sys

from craft import ACK, CLIENT, PSH, frame, opened, request, response


def talk(c, number, name):
    c.client(request(number))
    c.server(response(number))
    for i in range(6):
        c.client(frame(1, b"%s-%d" % (name, i), bytes([7, i, 5, 3])))
        c.server(frame(1, b"answer %d" % i))
    c.close()


whole = list(opened(4))
packets = whole[0][1].packets
for number, c in whole:
    before = len(packets)
    if number == 0:  # the client's direction alone
        talk(c, number, b"CLIENT-ALONE")
        packets[before:] = [packet for packet in packets[before:] if packet[11] == 1]
    elif number == 1:  # the server's
        talk(c, number, b"server")
        packets[before:] = [packet for packet in packets[before:] if packet[11] == 2]
    elif number == 2:  # sent again, with a frame behind it, before the answer
        head = request(number)
        c.client(head)
        c.packet(CLIENT, PSH | ACK, head + frame(1, b"TOO-EARLY", b"abcd"), c.seq[CLIENT] - len(head))
        c.seq[CLIENT] += len(frame(1, b"TOO-EARLY", b"abcd"))
        c.server(response(number))
        c.close()
    else:  # refused, and other requests behind it, of which the answers are missing too
        c.client(request(number))
        for path in b"abcdef":
            c.server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            c.client(b"GET /%c HTTP/1.1\r\nHost: server.example.com\r\n\r\n" % path)
        c.finish()
        packets[before:] = [packet for packet in packets[before:] if packet[11] == 1]
whole[0][1].save(sys.argv[1])
