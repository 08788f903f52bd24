#!/usr/bin/env python3
"""Write first inputs for the fuzz targets: small conversations in each target's own form.

    seeds.py FOLDER     makes FOLDER/stream, inflate, utf8, handshake and plugin

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import random
import struct
import sys
import zlib

SEED = 6455
CONVERSATIONS = 60
KEY = b"\x11\x22\x33\x44"

REQUEST = (b"GET /chat?token=x HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           b"Sec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n"
           b"Sec-WebSocket-Protocol: chat, mqtt\r\nSec-WebSocket-Extensions: permessage-deflate; "
           b"client_max_window_bits; server_max_window_bits=10, x-other; a=\"b\"\r\n\r\n")
RESPONSE = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n%s\r\n")
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
PROTOCOL = b"Sec-WebSocket-Protocol: %s\r\n"


def frame(opcode, payload, masked, fin=True, rsv=0, form=None):
    length = len(payload)
    if form is None:
        form = 0 if length < 126 else 2 if length < 65536 else 8
    short = {0: length, 2: 126, 8: 127}[form]
    head = bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short])
    head += length.to_bytes(form, "big") if form else b""
    if not masked:
        return head + payload
    return head + KEY + bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))


class Deflater:
    def __init__(self):
        self.stream = zlib.compressobj(9, zlib.DEFLATED, -15)

    def message(self, text):
        return (self.stream.compress(text) + self.stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def conversation(rng, deflate):
    """[(direction, bytes)], a frame each."""
    pressed = (Deflater(), Deflater())
    frames = []
    for _ in range(rng.randint(1, 10)):
        d = rng.randint(0, 1)
        masked = d == 0
        text = rng.choice([b"hello", b'{"a":[1,2]}', "caf\u00e9".encode(), b"x" * 130, b"\xff\xfe"])
        kind = rng.randint(0, 6)
        if kind == 0:
            frames += [(d, frame(9, text[:4], masked)), (1 - d, frame(10, text[:4], not masked))]
        elif kind == 1:
            frames += [(d, frame(1, text[:3], masked, fin=False)), (d, frame(9, b"", masked)),
                       (d, frame(0, text[3:], masked))]
        elif kind == 2 and deflate:
            frames.append((d, frame(1, pressed[d].message(text), masked, rsv=4)))
        elif kind == 3 and deflate:
            packed = pressed[d].message(text * 20)
            frames += [(d, frame(2, packed[:5], masked, fin=False, rsv=4)),
                       (d, frame(0, packed[5:], masked))]
        elif kind == 6 and deflate:  # longer than the window
            frames.append((d, frame(1, pressed[d].message(b"a" * 40000), masked, rsv=4)))
        elif kind == 4:
            frames.append((d, frame(2, text, masked, form=rng.choice([None, 2, 8]))))
        else:
            frames.append((d, frame(1, text, masked)))
    if rng.random() < 0.7:
        frames += [(0, frame(8, struct.pack("!H", 1000) + b"bye", True)),
                   (1, frame(8, struct.pack("!H", 1000), False))]
    return frames


def stream_seed(rng):
    deflate = rng.random() < 0.5
    cut = rng.randint(0, 1)
    head = bytes([rng.randrange(64) & ~3 & ~12 | 1 | deflate << 1 | 48, 0x77, rng.choice([0, 0, 7]),
                  0, rng.choice([0, 1, 7]), rng.randrange(256), 0, cut])
    body = b""
    for d, data in conversation(rng, deflate):
        step = d | (0 if cut or rng.random() < 0.6 else rng.randrange(8) << 1)
        data = data[:255]
        body += bytes([step, len(data)]) + data
    return head + body


def plugin_seed(rng):
    """See fuzz_plugin.c: steps of direction and kind, length, bytes."""
    deflate = rng.random() < 0.5
    extra = DEFLATE if deflate else b""
    if rng.random() < 0.4:
        extra += PROTOCOL % rng.choice([b"chat", b"mqtt", b"sip", b"wamp", b"graphql-ws"])
    steps = [(0, REQUEST), (1, RESPONSE % extra)] + conversation(rng, deflate)
    out = bytes([rng.randrange(256)])
    for d, data in steps:
        out += bytes([d | (0 if rng.random() < 0.85 else rng.randrange(256) & 0xFE)])
        out += struct.pack("!H", len(data)) + data
    return out


def handshake_seed(rng):
    extra = rng.choice([b"", DEFLATE, PROTOCOL % b"chat"])
    if rng.random() < 0.3:
        pairs = b"".join(a + b"\0" + b + b"\0" for a, b in (
            (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"),
            (b":path", b"/chat"), (b":authority", b"x"), (b"sec-websocket-version", b"13")))
        return b"\x01" + pairs + b"\xff:status\x00200\x00"
    return bytes([rng.choice([0, 2, 4, 8])]) + REQUEST + b"\xff" + RESPONSE % extra


def inflate_seed(rng):
    deflater = Deflater()
    out = bytes([rng.randrange(256), rng.choice([0, 0, 33, 2])])
    for _ in range(rng.randint(1, 5)):
        packed = deflater.message(rng.choice([b"hello", b"abc" * 50, bytes(rng.randbytes(40))]))[:255]
        out += bytes([rng.choice([0, 1, 0, 28, 30]), len(packed)]) + packed
    return out


def utf8_seed(rng):
    return "".join(chr(rng.choice([65, 0xe9, 0x20ac, 0x1f600, 0xd7ff, 0x10ffff]))
                   for _ in range(rng.randint(1, 40))).encode()


def main():
    folder = pathlib.Path(sys.argv[1])
    rng = random.Random(SEED)
    for name, make in (("stream", stream_seed), ("plugin", plugin_seed), ("utf8", utf8_seed),
                       ("handshake", handshake_seed), ("inflate", inflate_seed)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(CONVERSATIONS):
            (folder / name / f"seed-{i:02}").write_bytes(make(rng))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
