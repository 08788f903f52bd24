import gzip
import sys

from craft import first_line, frame, opened, request, response

MASK = b"abcd"


def head(*lines):
    return b"\r\n".join(lines) + b"\r\n\r\n"


def message(first, content, *lines):
    return head(first, b"Host: server.example.com", b"Content-Length: %d" % len(content), *lines) + content


def whole(c, number, text):
    """A connection that is none of these: it is to be found behind what looks like one."""
    c.client(request(number))
    c.server(response(number) + frame(1, text))
    c.close()


def uploaded(c, number):
    c.client(message(b"POST /log HTTP/1.1", request(number)))
    c.server(head(b"HTTP/1.1 204 No Content"))
    c.finish()


def uploaded_apart(c, number):
    content = request(number)
    parts = message(b"POST /log HTTP/1.1", content)
    c.client(parts[:-len(content)])
    c.client(content)
    c.server(head(b"HTTP/1.1 204 No Content"))
    whole(c, number, b"BEHIND-AN-UPLOAD")


def uploaded_packed(c, number):
    content = gzip.compress(b"log:\r\n" + request(number) + b"end", mtime=0)
    c.client(message(b"POST /log HTTP/1.1", content, b"Content-Encoding: gzip"))
    c.server(head(b"HTTP/1.1 204 No Content"))
    c.finish()


def page(c, number):
    c.client(head(b"GET /page HTTP/1.1", b"Host: server.example.com"))
    c.server(message(b"HTTP/1.1 200 OK", b"x" * 2000 + response(number) + b"end"))
    c.finish()


def page_apart(c, number):
    content = response(number) + b"end"
    parts = message(b"HTTP/1.1 200 OK", content)
    c.client(head(b"GET /page HTTP/1.1", b"Host: server.example.com"))
    c.server(parts[:-len(content)])
    c.server(content)
    whole(c, number, b"BEHIND-A-PAGE")


def page_packed(c, number):
    c.client(head(b"GET /page HTTP/1.1", b"Host: server.example.com"))
    content = gzip.compress(b"how to:\r\n" + response(number) + b"end", mtime=0)
    c.server(message(b"HTTP/1.1 200 OK", content, b"Content-Encoding: gzip"))
    c.finish()


def page_without_length(c, number):
    c.client(head(b"GET /page HTTP/1.1", b"Host: server.example.com"))
    c.server(head(b"HTTP/1.1 200 OK", b"Connection: close") + b"how to:\r\n" + response(number) + b"end")
    c.finish()


def refused_with_answer(c, number):
    content = response(number)
    parts = message(b"HTTP/1.1 401 Unauthorized", content)
    c.client(request(number))
    c.server(parts[:-len(content)])
    c.server(content)
    whole(c, number, b"BEHIND-A-REFUSAL")


def asks_with_content(c, number):
    c.client(request(number, lambda lines: lines + [b"Content-Length: 5"]) + b"hello")
    c.server(response(number) + frame(1, b"REQUEST-WITH-CONTENT"))
    c.close()


def asks_with_content_apart(c, number):
    c.client(request(number, lambda lines: lines + [b"Content-Length: 5"]))
    c.client(b"hello")
    c.server(response(number))
    c.client(frame(1, b"CONTENT-IN-ITS-OWN-SEGMENT", MASK))
    c.close()


def other_method(c, number):
    c.client(request(number, first_line(b"PROPFIND /chat HTTP/1.1")))
    c.server(response(number) + frame(1, b"OTHER-METHOD"))
    c.close()


CASES = [uploaded, uploaded_apart, uploaded_packed, page, page_apart, page_packed, page_without_length,
         refused_with_answer, asks_with_content, asks_with_content_apart, other_method]
for place, c in opened(len(CASES)):
    CASES[place](c, place)
c.save(sys.argv[1])
