import sys

from craft import ACK, CLIENT, PSH, SERVER, adding, frame, opened, request, response


def answer_late(c, number):
    """Behind frames of a client that had it: the server's packets are late, not missing."""
    c.client(request(number))
    answer, place = response(number), c.seq[SERVER]
    c.seq[SERVER] += len(answer)
    for i in range(4):
        c.packet(CLIENT, PSH | ACK, frame(1, b"before it, %d" % i, bytes([7, i, 5, 3])))
    c.packet(SERVER, PSH | ACK, answer, place)
    c.server(frame(1, b"LATE-ANSWER"))
    c.close()


def key_again(c, number):
    """The answer to the first request is missing: the second one has the same key and more."""
    c.client(request(number))
    c.seq[SERVER] += 60
    c.packet(CLIENT, ACK)
    c.client(request(number, adding(b"Authorization: Basic eDp5")))
    c.server(response(number))
    c.server(frame(1, b"SECOND-REQUEST-WITH-THE-KEY"))
    c.close()


def answer_of_client(c, number):
    """No side answers itself."""
    c.client(request(number))
    c.client(response(number))
    c.server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    c.finish()


def word_before(c, number):
    """The end of a content, of which the rest was not captured, is no part of a method."""
    c.client(b"xyz" + request(number))
    c.server(response(number) + frame(1, b"BEHIND-A-CONTENT"))
    c.close()


CASES = [answer_late, key_again, answer_of_client, word_before]
for place, c in opened(len(CASES)):
    CASES[place](c, place)
c.save(sys.argv[1])
