import sys

from craft import frame, opened, request, response

GET = b"GET /a HTTP/1.1\r\nHost: server.example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

for number, c in opened(3):
    if number == 0:
        c.client(GET + request(number))
        c.server(OK + response(number) + frame(1, b"ANSWERS-IN-ONE-SEGMENT"))
    elif number == 1:
        c.client(GET + request(number))
        c.server(OK)
        c.server(response(number) + frame(1, b"ANSWERS-APART"))
    else:
        c.client(GET + GET + request(number))
        c.server(OK + OK)
        c.server(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        c.server(response(number) + frame(1, b"THIRD-REQUEST"))
    c.close()
c.save(sys.argv[1])
