import sys

from craft import adding, frame, opened, request, response

CONTENTS = [b"0\r\n\r\n", b"5;x=y\r\nhello\r\n0\r\nTrailer: yes\r\n\r\n"]

for number, c in opened(len(CONTENTS)):
    c.client(request(number, adding(b"Transfer-Encoding: chunked")) + CONTENTS[number])
    c.server(response(number))
    c.client(frame(1, b"BEHIND-CHUNKS-%d" % number, b"abcd"))
    c.close()
c.save(sys.argv[1])
