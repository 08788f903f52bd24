"""HTTP/2 connections made by hand, without TLS: see craft.py. Headers are sent without compression.

    h = Http2(); h.request(1); h.response(1); h.data(SERVER, 1, frame(1, b"hello")); h.save(path)

SPDX-License-Identifier: GPL-2.0-or-later
"""
import struct

import craft
from craft import CLIENT, SERVER

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, GOAWAY, CONTINUATION = 0, 1, 3, 4, 5, 7, 9
END_STREAM, ACKNOWLEDGED, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32
EXTENDED_CONNECT = 8
CANCEL = 8

REQUEST = ((b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"),
           (b":path", b"/chat"), (b":authority", b"server.example.com"),
           (b"sec-websocket-version", b"13"))


def counted(text):
    """RFC 7541 5.2, a string without Huffman coding."""
    rest, more = len(text) - 127, b""
    if rest < 0:
        return bytes([len(text)]) + text
    while rest > 127:
        more, rest = more + bytes([rest & 127 | 128]), rest >> 7
    return b"\x7f" + more + bytes([rest]) + text


def literal(name, value):
    """RFC 7541 6.2.2, a literal without indexing."""
    return b"\0" + counted(name) + counted(value)


def h2_frame(kind, stream, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Http2(craft.Conversation):
    def __init__(self, server_settings=((EXTENDED_CONNECT, 1),), port=50001, client_settings=(),
                 packets=None):
        super().__init__()
        self.port[0] = port
        if packets is not None:
            self.packets = packets
        self.packet(CLIENT, craft.SYN)
        self.packet(SERVER, craft.SYN | craft.ACK)
        self.packet(CLIENT, craft.ACK)
        self.client(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.setting(client_settings))
        if server_settings is not None:
            self.settings(server_settings)
            self.client(h2_frame(SETTINGS, 0, flags=ACKNOWLEDGED))

    @staticmethod
    def setting(pairs):
        return h2_frame(SETTINGS, 0, b"".join(struct.pack(">HI", *p) for p in pairs))

    def settings(self, pairs, side=SERVER):
        self.send(side, self.setting(pairs))

    def headers(self, side, stream, fields, flags=0):
        block = b"".join(literal(*field) for field in fields)
        self.send(side, h2_frame(HEADERS, stream, block, END_HEADERS | flags))

    def block(self, side, stream, parts, flags=0, apart=False, kind=HEADERS):
        """A field block in several frames: parts of its fields, or of their bytes. apart: a packet each."""
        parts = [p if isinstance(p, bytes) else b"".join(literal(*field) for field in p) for p in parts]
        frames = [h2_frame(kind if not n else CONTINUATION, stream, part,
                           (0 if n else flags) | (END_HEADERS if n == len(parts) - 1 else 0))
                  for n, part in enumerate(parts)]
        for data in frames if apart else [b"".join(frames)]:
            self.send(side, data)

    def request(self, stream, fields=REQUEST):
        self.headers(CLIENT, stream, fields)

    def response(self, stream, status=b"200", flags=0):
        self.headers(SERVER, stream, ((b":status", status),), flags)

    def data(self, side, stream, payload=b"", flags=0):
        self.send(side, h2_frame(DATA, stream, payload, flags))

    def reset(self, side, stream, code=CANCEL):
        self.send(side, h2_frame(RST_STREAM, stream, struct.pack(">I", code)))

    def finish(self):
        self.packet(CLIENT, craft.FIN | craft.ACK)
        self.packet(SERVER, craft.FIN | craft.ACK)
        self.packet(CLIENT, craft.ACK)
