"""The captures that the tests of surfaces read: small ones made here, and recorded ones.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import struct
import sys
import pathlib
import zlib

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
import craft  # noqa: E402

SAMPLES = TESTS.parent / "sample-captures"
CASES = TESTS / "cases"
KEY = b"\x11\x22\x33\x44"
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SECRET = b"hunter2-query"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


def masked(opcode, payload=b"", **more):
    return craft.frame(opcode, payload, key=KEY, **more)


def deflated(text):
    """permessage-deflate of one message, its tail removed."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (squeeze.compress(text) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Talk(craft.Conversation):
    """A conversation whose request target can be chosen."""

    def open_at(self, target, request_lines=(), response_lines=()):
        self.packet(craft.CLIENT, craft.SYN)
        self.packet(craft.SERVER, craft.SYN | craft.ACK)
        self.packet(craft.CLIENT, craft.ACK)
        self.client(b"\r\n".join([
            b"GET " + target + b" HTTP/1.1", b"Host: server.example.com", b"Upgrade: websocket",
            b"Connection: Upgrade", b"Sec-WebSocket-Key: " + craft.KEY,
            b"Sec-WebSocket-Version: 13", *request_lines, b"", b""]))
        self.server(b"\r\n".join([
            b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + craft.accept(), *response_lines, b"", b""]))


def many(path):
    """Messages of many kinds, with several frames in one packet, control frames between them."""
    talk = Talk()
    deflate = b"Sec-WebSocket-Extensions: permessage-deflate"
    takeover = deflate + b"; server_no_context_takeover; client_no_context_takeover"
    talk.open_at(b"/chat?room=7&name=A%20B", [deflate, b"Origin: http://page.example"], [takeover])
    talk.client(masked(1, b"plain words") + masked(9, b"ping") + masked(1, b'{"json": [1, 2]}'))
    talk.server(craft.frame(10, b"ping") + craft.frame(1, "gr\u00fc\u00dfe \U0001F600".encode())
                + craft.frame(2, PNG) + craft.frame(2, b'{"in": "binary"}')
                + craft.frame(2, b"\x00\x01\x02\xff"))
    talk.server(craft.frame(1, deflated(b"squeezed " * 40), rsv=4)
                + craft.frame(1, b"begin ", fin=False) + craft.frame(9, b"")
                + craft.frame(0, b"end"))
    talk.client(masked(10, b"") + masked(1, b"<a>xml</a>") + masked(1, b"")
                + masked(1, b"nul \x00 and \"quotes\" \\ \x1b \x7f"))
    talk.client(masked(1, b"not utf-8 \xff\xfe") + masked(3, b"reserved"))
    talk.server(craft.frame(1, b"unfinished", fin=False))
    talk.close(struct.pack(">H", 1000) + b"done")
    talk.save(path)


def lost(path):
    """A segment is missing: one message has a hole, the next one is whole."""
    talk = Talk()
    talk.open_at(b"/lost")
    whole = craft.frame(2, bytes(range(256)) * 4)
    talk.packet(craft.SERVER, craft.PSH | craft.ACK, whole[:500])
    talk.seq[craft.SERVER] += 300
    talk.packet(craft.SERVER, craft.PSH | craft.ACK, whole[800:])
    for number in range(6):
        talk.packet(craft.CLIENT, craft.ACK)
        talk.server(craft.frame(1, b"after %d" % number))
    talk.close()
    talk.save(path)


def secrets(path):
    """Credentials everywhere that hs-cleartext-credentials looks."""
    talk = Talk()
    talk.open_at(b"/feed?room=1&token=" + SECRET + b"&x=" + JWT,
                 [b"Cookie: sid=secret-cookie", b"Authorization: Bearer secret-bearer",
                  b"Sec-WebSocket-Protocol: chat, " + JWT, b"User-Agent: tester/1"],
                 [b"Sec-WebSocket-Protocol: " + JWT])
    talk.client(masked(1, b"hello"))
    talk.close()
    talk.save(path)


MADE = {"many": many, "lost": lost, "secrets": secrets}
RECORDED = ("proto_graphql", "proto_sip", "proto_jsonrpc", "ws_plain_close", "chromium_wss")


class Captures:
    """Paths by name; made ones are made once."""

    def __init__(self, env):
        self.env, self.paths = env, {}

    def path(self, name):
        if name in MADE:
            if name not in self.paths:
                self.paths[name] = self.env.new_path(f"-{name}.pcap")
                MADE[name](str(self.paths[name]))
            return self.paths[name]
        for path in (SAMPLES / f"{name}.pcapng", CASES / name / f"{name}.pcap"):
            if path.is_file():
                return path
        raise FileNotFoundError(f"no capture {name}")
