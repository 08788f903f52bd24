"""Writes the capture of this case: one connection a rule."""
import sys

import craft

packets = []


def connection(number):
    c = craft.Conversation()
    c.packets, c.port[0] = packets, c.port[0] + number
    c.connect()
    return c


for number in 0, 1:  # the same key twice
    c = connection(number)
    c.client(craft.request(7))
    c.server(craft.response(7))
    c.close()
c = connection(2)
c.client(craft.request(2))
c.server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
c.finish()
c = connection(3)
c.client(craft.request(3))
c.finish()
c = connection(4)
c.client(craft.request(4))
c.client(craft.frame(1, b"early", b"\x01\x02\x03\x04"))
c.server(craft.response(4))
c.close()
c.save(sys.argv[1])
