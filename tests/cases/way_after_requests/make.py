import sys

from craft import Conversation, frame, request, response

PAGE = b"<html>not a frame</html>"
c = Conversation()
c.connect()
c.client(b"GET /index.html HTTP/1.1\r\nHost: server.example.com\r\n\r\n")
c.server(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
c.client(b"POST /log HTTP/1.1\r\nHost: server.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"5\r\nhello\r\n0\r\n\r\n")
c.server(b"HTTP/1.1 204 No Content\r\n\r\n")
c.client(b"HEAD /large HTTP/1.1\r\nHost: server.example.com\r\n\r\n")
c.server(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
c.client(request(1))
c.server(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"chat\"\r\nContent-Length: 6\r\n\r\nlog in")
c.client(request(2, lambda lines: lines + [b"Authorization: Basic YTpi"]))
# Data right behind the answer, and in its segment.
c.server(response(2) + frame(1, b"AT-ONCE") + frame(1, b"IN-ONE-SEGMENT"))
c.client(frame(1, b"LAST-OF-SIX-REQUESTS", b"abcd"))
c.close()
c.save(sys.argv[1])
