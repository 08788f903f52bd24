"""Messages of a capture, put into other wrappings: see carriers.py.

    rewrap(items, path, carrier)     items: JSON Lines of a capture; path: of the capture to write

CARRIERS
  plain       each message in one frame
  deflate     permessage-deflate with context takeover
  fragments   in three fragments with a Ping between, and those over small segments
  http2       each connection in a stream of one HTTP/2 connection, the DATA frames 1,000 bytes long
  all         HTTP/2, compressed and in fragments at once
  midstream   plain, and the capture begins behind the handshakes
  later       plain, and the capture begins behind the first third of each connection's messages

Returns the options that tshark needs for it, and for each connection the number of its messages that are
not in the capture, by direction.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import pathlib
import sys
import urllib.parse
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import craft  # noqa: E402
import craft_h2  # noqa: E402
import jsonlines  # noqa: E402

CARRIERS = ("plain", "deflate", "fragments", "http2", "all", "midstream", "later")
PORT, FIRST_PORT = 8765, 50001
MASKS = (b"\x37\xfa\x21\x3d", None)
MSS = 60000
SMALL_MSS = 100
DATA_BYTES = 1000

Carrier = collections.namedtuple("Carrier", "deflate fragments http2 cut")
KINDS = {"plain": Carrier(False, False, False, None), "deflate": Carrier(True, False, False, None),
         "fragments": Carrier(False, True, False, None), "http2": Carrier(False, False, True, None),
         "all": Carrier(True, True, True, None), "midstream": Carrier(False, False, False, 0),
         "later": Carrier(False, False, False, 3)}


class Deflater:
    """permessage-deflate of one direction, with context takeover."""

    def __init__(self):
        self.stream = zlib.compressobj(9, zlib.DEFLATED, -15)

    def __call__(self, payload):
        data = self.stream.compress(payload) + self.stream.flush(zlib.Z_SYNC_FLUSH)
        # zlib flushes nothing where nothing is new
        return data[:-4] if payload else b"\0"


def frames(carrier, deflate, opcode, payload, side):
    """The frames of one message."""
    key, rsv = MASKS[side], 0
    if carrier.deflate:
        payload, rsv = deflate(payload), 4
    if not carrier.fragments:
        return [craft.frame(opcode, payload, key, rsv=rsv)]
    third = len(payload) // 3
    return [craft.frame(opcode, payload[:third], key, fin=False, rsv=rsv),
            craft.frame(9, b"between", key),
            craft.frame(0, payload[third:2 * third], key, fin=False),
            craft.frame(0, payload[2 * third:], key)]


class Http1:
    """One TCP connection a WebSocket, all in one list of packets."""

    def __init__(self, carrier):
        self.carrier, self.packets, self.talks, self.cut = carrier, [], {}, set()

    def open(self, stream, path, lines):
        talk = self.talks[stream] = craft.Conversation(SMALL_MSS if self.carrier.fragments else MSS)
        talk.port, talk.packets = [FIRST_PORT + stream, PORT], self.packets
        begin = len(self.packets)
        talk.connect()
        talk.client(b"\r\n".join([
            b"GET " + path + b" HTTP/1.1", b"Host: server.example.com:8765", b"Upgrade: websocket",
            b"Connection: Upgrade", b"Sec-WebSocket-Key: " + craft.good_key(stream),
            b"Sec-WebSocket-Version: 13", *lines, b"", b""]))
        talk.server(b"\r\n".join([
            b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + craft.accept(craft.good_key(stream)), *lines, b"", b""]))
        self.leave_out(begin)

    def leave_out(self, begin):
        if self.carrier.cut is not None:
            self.cut.update(range(begin, len(self.packets)))

    def send(self, stream, side, data, kept):
        begin = len(self.packets)
        self.talks[stream].send(side, data)
        if not kept:
            self.leave_out(begin)

    def save(self, path):
        for talk in self.talks.values():
            talk.close()
        last = next(iter(self.talks.values()))
        last.packets = [p for n, p in enumerate(self.packets) if n not in self.cut]
        last.save(path)
        return ["-d", f"tcp.port=={PORT},websocket"] if self.carrier.cut is not None else []


class Http2:
    """All in one HTTP/2 connection."""

    def __init__(self, carrier):
        self.carrier, self.made = carrier, craft_h2.Http2()
        self.made.mss = SMALL_MSS if carrier.fragments else MSS

    def open(self, stream, path, lines):
        fields = [(b":path", path) if name == b":path" else (name, value)
                  for name, value in craft_h2.REQUEST]
        own = [tuple(line.split(b": ")) for line in lines]
        self.made.request(2 * stream + 1, fields + [(name.lower(), value) for name, value in own])
        self.made.headers(craft.SERVER, 2 * stream + 1,
                          [(b":status", b"200")] + [(name.lower(), value) for name, value in own])

    def send(self, stream, side, data, _kept):
        for at in range(0, len(data), DATA_BYTES):
            self.made.data(side, 2 * stream + 1, data[at:at + DATA_BYTES])

    def save(self, path):
        self.made.finish()
        self.made.save(path)
        return ["-o", "websocket.over_http2:TRUE"]


def path_of(uri):
    parts = urllib.parse.urlsplit(uri)
    return ((parts.path or "/") + ("?" + parts.query if parts.query else "")).encode()


def is_message(item):
    return item["kind"] in ("text", "binary") and "incomplete" not in item


def rewrap(items, path, name):
    carrier = KINDS[name]
    wrapped = (Http2 if carrier.http2 else Http1)(carrier)
    counts = collections.Counter(item["stream"] for item in items if is_message(item))
    seen, left_out = collections.Counter(), collections.Counter()
    deflate = collections.defaultdict(Deflater)
    for item in items:
        stream = item["stream"]
        if item["kind"] == "open":
            lines = [b"Sec-WebSocket-Protocol: " + item["subprotocol"].encode()] if "subprotocol" in item else []
            if carrier.deflate:
                lines.append(b"Sec-WebSocket-Extensions: permessage-deflate")
            wrapped.open(stream, path_of(item["uri"]), lines)
        elif is_message(item):
            side = craft.CLIENT if item["dir"] == "c2s" else craft.SERVER
            kept = not carrier.cut or seen[stream] >= counts[stream] // carrier.cut
            opcode = 1 if item["kind"] == "text" else 2
            for data in frames(carrier, deflate[stream, side], opcode, jsonlines.body(item), side):
                wrapped.send(stream, side, data, kept)
            seen[stream] += 1
            left_out[stream, item["dir"]] += not kept
    return wrapped.save(path), left_out
