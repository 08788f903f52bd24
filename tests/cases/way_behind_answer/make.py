import sys

from craft import adding, frame, opened, request, response


def fold(lines):
    return lines + [b"X-Note: one", b"  two"]


def junk(lines):
    return lines + [b"no header at all"]


ANSWERS = [(fold, b"BEHIND-A-FOLD"), (junk, b"BEHIND-A-LINE-WITHOUT-COLON"),
           (adding(b"Content-Length: 5"), b"CONTENT-LENGTH"),
           (adding(b"Content-Length: 0"), b"CONTENT-LENGTH-ZERO"),
           (adding(b"Transfer-Encoding: chunked"), b"CHUNKED")]
for number, c in opened(2 * len(ANSWERS)):
    edit, text = ANSWERS[number // 2]
    c.client(request(number))
    if number % 2:
        c.server(response(number, edit))
        c.server(frame(1, text + b"-LATER"))
    else:
        c.server(response(number, edit) + frame(1, text) + frame(1, b"second"))
    c.server(frame(1, b"third"))
    c.client(frame(1, b"client", b"abcd"))
    c.close()
c.save(sys.argv[1])
