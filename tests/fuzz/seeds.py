#!/usr/bin/env python3
"""Write first inputs for the fuzz targets, in each target's own form: small invented conversations, and
those of the sample captures.

    seeds.py FOLDER     makes FOLDER/stream, inflate, utf8, handshake, plugin and apps

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import json
import pathlib
import random
import re
import struct
import sys
import zlib

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
import wsxenv  # noqa: E402

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


# --- from captures ------------------------------------------------------------------------------

CAPTURE_BYTES_MAX = 400_000
INPUT_BYTES_MAX = 1500        # of one input: shorter ones are gone through more often
MESSAGE_MAX = 700
CONNECTIONS = 4               # of one capture


def captures():
    folders = (TESTS.parent / "sample-captures", TESTS / "apps2" / "captures", TESTS / "cases")
    return [path for folder in folders for path in sorted(folder.rglob("*.pcap*"))
            if path.stat().st_size <= CAPTURE_BYTES_MAX]


def segments(env, path):
    """{tcp.stream: [(direction, bytes)]} of a capture; a connection's first packet is the client's. Of several
    segments in a packet, as in a tunnel, the last."""
    fields = ["tcp.stream", "tcp.srcport", "tcp.payload"]
    done = env.tshark(["-Y", "tcp", "-T", "fields", "-E", "occurrence=l", *[w for f in fields for w in ("-e", f)]], path)
    streams, clients = {}, {}
    for line in done.stdout.decode().splitlines():
        stream, port, payload = line.split("\t")
        client = clients.setdefault(stream, port)
        if payload:
            streams.setdefault(stream, []).append((int(port != client), bytes.fromhex(payload)))
    return streams


def in_pieces(steps):
    """Inputs of bounded size, made of steps in order; the second half of a long one is not wanted."""
    out = b""
    for step in steps:
        if len(out) + len(step) > INPUT_BYTES_MAX:
            break
        out += step
    return out


def plugin_input(rng, stream):
    steps = [bytes([d]) + struct.pack("!H", len(data)) + data
             for d, whole in stream for data in [whole[:1400]]]
    return bytes([rng.randrange(256)]) + in_pieces(steps)


def stream_input(stream):
    """What follows the handshake; NULL when there is none in plain text."""
    joined = b"".join(data for _, data in stream)
    if b"Sec-WebSocket-Accept" not in joined:
        return None
    deflate = b"permessage-deflate" in joined
    frames = [(d, data) for d, data in stream if not data.startswith((b"GET ", b"HTTP/1"))]
    steps = [bytes([d, len(data)]) + data for d, whole in frames for data in [whole[:255]]]
    return bytes([1 | deflate << 1 | 48, 0x77, 0, 0, 0, 0, 0, 0]) + in_pieces(steps)


def offers():
    """Rows of fuzz_apps.c: (path without its query, subprotocol or None)."""
    source = (TESTS / "fuzz" / "fuzz_apps.c").read_text(encoding="utf-8")
    body = source[source.index("} offers[] = {"):]
    rows = re.findall(r'^    \{"([^"]*)", (NULL|"([^"]*)")\},$', body, re.M)
    return [(path, token or None) for path, _, token in rows]


def offer_of(connection, rows):
    """The row that a connection fits best; the last one chooses by the bytes alone."""
    token = connection.get("subprotocol")
    uri = connection.get("uri", "")
    for number, (_, offered) in enumerate(rows):
        if token and offered == token:
            return number
    for number, (path, offered) in enumerate(rows):
        head = path.split("?")[0].split("/")[1]
        if not offered and head and f"/{head}" in uri:
            return number
    return len(rows) - 1


def apps_inputs(env, rng, path, rows):
    done = env.tshark(["-q", "-z", "websocket,messages"], path)
    connections, messages = {}, {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        item = json.loads(line)
        if item["kind"] == "open":
            connections[item["stream"]] = item
        elif item["kind"] in ("text", "binary"):
            data = item["text"].encode() if "text" in item else base64.b64decode(item["base64"])
            says = (item["dir"] == "s2c") | (item["kind"] == "binary") << 1
            messages.setdefault(item["stream"], []).append(
                bytes([says]) + struct.pack("!H", len(data[:MESSAGE_MAX])) + data[:MESSAGE_MAX])
    for stream in sorted(messages)[:CONNECTIONS]:
        number = offer_of(connections.get(stream, {}), rows)
        yield bytes([rng.randrange(256), number]) + in_pieces(messages[stream])
        yield bytes([7, number]) + in_pieces(messages[stream][len(messages[stream]) // 2:])


def from_captures(folder):
    try:
        env = wsxenv.shared()
    except wsxenv.SetupError as error:
        print(f"seeds.py: none from captures: {error}", file=sys.stderr)
        return
    rng, rows = random.Random(SEED), offers()
    for path in captures():
        for stream, data in sorted(segments(env, path).items())[:CONNECTIONS]:
            (folder / "plugin" / f"{path.stem}-{stream}").write_bytes(plugin_input(rng, data))
            made = stream_input(data)
            if made:
                (folder / "stream" / f"{path.stem}-{stream}").write_bytes(made)
        if "cases" not in path.parts:
            for number, made in enumerate(apps_inputs(env, rng, path, rows)):
                (folder / "apps" / f"{path.stem}-{number}").write_bytes(made)


def apps_seed(rng):
    number = rng.randrange(len(offers()))
    texts = [b'{"id":1,"method":"a","params":[]}', b'[1,"a",{}]', b"CONNECT\n\n\0", b'42["a",1]',
             b'{"protocol":"json","version":1}\x1e', b'["1","1","a","b",{}]', b"\x00abc"]
    steps = [bytes([rng.randrange(4)]) + struct.pack("!H", len(text)) + text
             for text in rng.sample(texts, 3)]
    return bytes([rng.randrange(256), number]) + b"".join(steps)


def main():
    folder = pathlib.Path(sys.argv[1])
    rng = random.Random(SEED)
    for name, make in (("stream", stream_seed), ("plugin", plugin_seed), ("utf8", utf8_seed),
                       ("handshake", handshake_seed), ("inflate", inflate_seed), ("apps", apps_seed)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(CONVERSATIONS):
            (folder / name / f"seed-{i:02}").write_bytes(make(rng))
    from_captures(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
