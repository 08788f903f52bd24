"""The captures that the tests of surfaces read: small ones made here, and recorded ones.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import struct
import sys
import threading
import tomllib
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


def cut_off(path):
    """The file ends inside a message on one side and inside a frame on the other."""
    talk = Talk()
    talk.open_at(b"/")
    talk.server(craft.frame(1, b"whole"))
    talk.server(craft.frame(1, b"begun, ", fin=False))
    talk.client(masked(2, bytes(range(200)))[:150])
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


COMMANDS = "\x1b[31mred \x9b2J \u2028 \x85 end"


def commands(path):
    """A peer that puts commands to a terminal wherever it can."""
    talk, bad = Talk(), COMMANDS.encode()
    talk.open_at(b"/a\x9b\x07\xc2\x9b?token=x", [b"Sec-WebSocket-Protocol: a" + bad, b"Origin: " + bad],
                 [b"Sec-WebSocket-Protocol: b" + bad, b"Sec-WebSocket-Extensions: c" + bad])
    talk.client(masked(1, bad))
    talk.server(craft.frame(9, bad))
    talk.client(masked(8, b"\x03\xe8" + bad))
    talk.server(craft.frame(8, b"\x03\xe8"))
    talk.finish()
    talk.save(path)


def everything(path):
    """A capture in which each colour and each button finds something."""
    talk = Talk()
    extension = b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"
    talk.open_at(b"/", [extension], [extension])
    talk.client(masked(1, b"text"))
    talk.client(craft.frame(2, b"binary", key=b"\x01\x02\x03\x04"))
    talk.server(craft.frame(1, deflated(b"deflated " * 30), rsv=4))
    talk.server(craft.frame(2, bytes(70000)))
    talk.server(craft.frame(9, b"slow"))
    # acknowledgements are a millisecond apart
    for _ in range(600):
        talk.packet(craft.SERVER, craft.ACK)
    talk.client(craft.frame(10, b"slow", key=b"\x05\x06\x07\x08"))
    talk.client(craft.frame(3, b"reserved", key=b"\x09\x0a\x0b\x0c"))
    lost = craft.frame(2, bytes(900))
    talk.packet(craft.SERVER, craft.PSH | craft.ACK, lost[:300])
    talk.seq[craft.SERVER] += 300
    talk.packet(craft.SERVER, craft.PSH | craft.ACK, lost[600:])
    for _ in range(6):
        talk.packet(craft.CLIENT, craft.ACK)
        talk.server(craft.frame(1, b"after"))
    talk.client(craft.frame(8, struct.pack(">H", 4000), key=b"\x0d\x0e\x0f\x10"))
    talk.server(craft.frame(8, struct.pack(">H", 4000)))
    talk.packet(craft.SERVER, craft.FIN | craft.ACK)
    talk.packet(craft.CLIENT, craft.FIN | craft.ACK)
    refused = Talk()
    refused.port[0] = 50002
    refused.packet(craft.CLIENT, craft.SYN)
    refused.packet(craft.SERVER, craft.SYN | craft.ACK)
    refused.packet(craft.CLIENT, craft.ACK)
    refused.client(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    refused.server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    refused.packet(craft.CLIENT, craft.RST)
    talk.packets += refused.packets
    talk.save(path)


MADE = {"many": many, "lost": lost, "cut_off": cut_off, "secrets": secrets,
        "commands": commands, "everything": everything}


class Captures:
    """Paths by name; made ones are made once, when they are asked for."""

    def __init__(self, env):
        self.env, self.paths, self.lock = env, {}, threading.Lock()

    def path(self, name):
        with self.lock:
            if name in MADE and name not in self.paths:
                path = self.env.new_path(f"-{name}.pcap")
                MADE[name](str(path))
                self.paths[name] = path
        if name in self.paths:
            return self.paths[name]
        for path in (SAMPLES / f"{name}.pcapng", CASES / name / f"{name}.pcap"):
            if path.is_file():
                return path
        raise FileNotFoundError(f"no capture {name}")

    def env_for(self, name):
        """The environment, with the preferences that the capture's case asks for."""
        case = CASES / name / "case.toml"
        spec = tomllib.loads(case.read_text(encoding="utf-8")) if case.is_file() else {}
        options = [word for pref in spec.get("prefs", ()) for word in ("-o", pref)]
        return WithOptions(self.env, options) if options else self.env


class WithOptions:
    """An environment whose tshark has further options."""

    def __init__(self, env, options):
        self.env, self.options = env, options

    def __getattr__(self, name):
        return getattr(self.env, name)

    def tshark(self, args, capture, timeout=300):
        return self.env.tshark([*args, *self.options], capture, timeout)
