"""What a clean capture of WebSocket over plain TCP holds, found without Wireshark.

    reference = wire.Reference(recut.Capture(data))      every connection, its messages, where their bytes are
    there = wire.coverage(reference, damaged packets)    which of those bytes another capture still has

The TCP byte streams are put together, the opening handshake is found in them, the frames behind it
are read (RFC 6455, section 5.2) and put together to messages, permessage-deflate is undone (RFC 7692).
Connections that are not plain WebSocket (TLS, HTTP/2, other HTTP) are left out.

Only for captures that are known to be whole and right: an odd frame ends the program with WireError.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import dataclasses
import re
import struct
import zlib

import impair  # noqa: F401  (sets the path to recut)
import recut

TYPES = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
C2S, S2C = "c2s", "s2c"


class WireError(Exception):
    """The reference can't be made; the text says why."""


@dataclasses.dataclass
class Frame:
    start: int          # offsets in the byte stream of the direction
    body_at: int
    end: int
    fin: bool
    rsv1: bool
    opcode: int
    payload: bytes      # unmasked


@dataclasses.dataclass
class Message:
    """A message, or a control frame."""

    type: str
    frames: list
    wire: bytes             # payload as sent, unmasked
    body: bytes             # after decompression
    compressed: bool
    needs: int = 0          # so many earlier compressed messages of its direction have to be whole


@dataclasses.dataclass
class Direction:
    base: int                                       # sequence number of byte 0
    data: bytes = b""
    header_at: int = 0                              # where the HTTP header of the upgrade begins
    frames_at: int = 0                              # behind it
    frames: list = dataclasses.field(default_factory=list)
    items: list = dataclasses.field(default_factory=list)       # Messages, in the order of completion
    compressed: list = dataclasses.field(default_factory=list)  # those with RSV1, in order
    unfinished: object = None                       # what of a last message is there
    takeover: bool = True


@dataclasses.dataclass
class Connection:
    number: int         # as tcp.stream
    client: tuple       # address as bytes, port
    server: tuple
    deflate: bool = False
    way: dict = dataclasses.field(default_factory=dict)         # "c2s", "s2c": Direction
    chunks: list = dataclasses.field(default_factory=list)      # (ns, "c2s" or "s2c", offset, bytes)

    def side(self, way):
        return (self.client, self.server) if way == C2S else (self.server, self.client)


# --- TCP ----------------------------------------------------------------------------------------


def segments(link, packets):
    """Segments with payload or SYN; what can't be read is passed over."""
    for number, (ns, data, _) in enumerate(packets, 1):
        try:
            s = recut.parse_segment(link, ns, data, len(data), number)
        except (struct.error, IndexError, recut.NotClean):
            continue
        if s is not None:
            yield s


def tcp_connections(link, packets):
    """All TCP connections of a clean capture, with their bytes."""
    by_pair = {}
    for s in segments(link, packets):
        pair = frozenset(s.side)
        c = by_pair.get(pair)
        if c is None:
            syn_ack = s.flags & recut.SYN and s.flags & 0x10
            client, server = s.side[::-1] if syn_ack else s.side
            c = by_pair[pair] = Connection(len(by_pair), client, server)
        way = C2S if s.side[0] == c.client else S2C
        first = s.seq + bool(s.flags & recut.SYN) & 0xFFFFFFFF
        if way not in c.way:
            c.way[way] = Direction(first)
        elif s.flags & recut.SYN and first != c.way[way].base:
            raise WireError(f"packet {s.number}: addresses and ports are used a second time")
        add_bytes(c, way, s, first)
    return list(by_pair.values())


def add_bytes(c, way, s, first):
    d = c.way[way]
    at = recut.after(first, d.base)
    known = len(d.data) - at
    if not s.payload:
        return
    if known < 0:
        raise WireError(f"packet {s.number}: {-known} bytes are missing before it")
    new = s.payload[known:]
    if new and at >= 0:
        c.chunks.append((s.ns, way, len(d.data), new))
        d.data += new


# --- WebSocket ----------------------------------------------------------------------------------


def upgrade(c):
    """Where the frames begin in both directions; False: this is no plain WebSocket."""
    if set(c.way) != {C2S, S2C}:
        return False
    answer = re.search(rb"(?:^|(?<=\n))HTTP/1\.1 101 .*?\r\n\r\n", c.way[S2C].data, re.S)
    ask = re.search(rb"\r\nsec-websocket-key:.*?\r\n\r\n", c.way[C2S].data, re.S | re.I)
    if not answer or not ask:
        return False
    c.way[S2C].frames_at, c.way[C2S].frames_at = answer.end(), ask.end()
    c.way[S2C].header_at = answer.start()
    c.way[C2S].header_at = c.way[C2S].data.rfind(b"GET ", 0, ask.start())
    terms = b",".join(re.findall(rb"\r\nsec-websocket-extensions:(.*?)\r\n", answer[0], re.I | re.S))
    c.deflate = b"permessage-deflate" in terms
    c.way[C2S].takeover = b"client_no_context_takeover" not in terms
    c.way[S2C].takeover = b"server_no_context_takeover" not in terms
    return True


def unmask(payload, key):
    pad = key * (len(payload) // 4 + 1)
    return (int.from_bytes(payload, "big")
            ^ int.from_bytes(pad[:len(payload)], "big")).to_bytes(len(payload), "big")


def read_frame(data, at, in_part=False):
    """The frame at an offset; None where it does not end in the data. in_part: take what is there."""
    if at + 2 > len(data):
        return None
    first, second = data[at], data[at + 1]
    head, size = at + 2, second & 0x7F
    if size >= 126:
        width = 2 if size == 126 else 8
        size = int.from_bytes(data[head:head + width], "big")
        head += width
    key = data[head:head + 4] if second & 0x80 else b""
    head += 4 if second & 0x80 else 0
    if head > len(data) or (head + size > len(data) and not in_part):
        return None
    payload = data[head:head + size]
    return Frame(at, head, head + size, bool(first & 0x80), bool(first & 0x40), first & 15,
                 unmask(payload, key) if key else payload)


def read_frames(d):
    at = d.frames_at
    while (frame := read_frame(d.data, at)) is not None:
        d.frames.append(frame)
        at = frame.end


class Inflater:
    def __init__(self, takeover):
        self.takeover, self.state = takeover, None

    def inflate(self, wire):
        if self.state is None or not self.takeover:
            self.state = zlib.decompressobj(-15)
        body = self.state.decompress(wire + b"\0\0\xff\xff")
        if self.state.eof:
            self.state = None   # the sender ended its stream of blocks; the next one starts anew
        return body


def add_message(d, kind, frames, inflater):
    wire = b"".join(f.payload for f in frames)
    compressed = frames[0].rsv1 and frames[0].opcode < 8
    needs = len(d.compressed) if compressed and d.takeover else 0
    message = Message(kind, frames, wire, inflater.inflate(wire) if compressed else wire, compressed,
                      needs)
    if compressed:
        d.compressed.append(message)
    return message


def read_messages(d, name):
    inflater, open_frames = Inflater(d.takeover), []
    for f in d.frames:
        if f.opcode >= 8:
            if f.opcode not in TYPES or not f.fin:
                raise WireError(f"{name}: odd control frame at byte {f.start}")
            d.items.append(add_message(d, TYPES[f.opcode], [f], inflater))
            continue
        if (f.opcode == 0) != bool(open_frames) or f.opcode not in (0, 1, 2):
            raise WireError(f"{name}: odd data frame at byte {f.start}")
        open_frames.append(f)
        if f.fin:
            d.items.append(add_message(d, TYPES[open_frames[0].opcode], open_frames, inflater))
            open_frames = []
    finish(d, open_frames, inflater)


def finish(d, open_frames, inflater):
    """What an unfinished last message gives, with the bytes of an unfinished last frame."""
    last = read_frame(d.data, d.frames[-1].end if d.frames else d.frames_at, in_part=True)
    frames = open_frames + ([last] if last and last.opcode < 8 else [])
    if frames and frames[0].opcode in (1, 2):
        d.unfinished = add_message(d, TYPES[frames[0].opcode], frames, inflater)
        if d.unfinished.compressed:
            d.compressed.pop()


# --- both together ------------------------------------------------------------------------------


class Reference:
    """connections: those that are plain WebSocket; others: all other TCP connections."""

    def __init__(self, capture):
        self.link = capture.link
        self.connections, self.others = [], []
        for c in tcp_connections(capture.link, capture.packets):
            if not upgrade(c):
                self.others.append(c)
                continue
            self.connections.append(c)
            for way, d in c.way.items():
                read_frames(d)
                try:
                    read_messages(d, f"connection {c.number} {way}")
                except zlib.error as error:
                    raise WireError(f"connection {c.number} {way}: {error}") from None


class Spans:
    """A set of byte ranges."""

    def __init__(self):
        self.parts = []

    def add(self, start, end):
        self.parts.append((start, end))

    def close(self):
        """Sort and join; to be called once, before has()."""
        joined = []
        for start, end in sorted(self.parts):
            if joined and start <= joined[-1][1]:
                joined[-1][1] = max(end, joined[-1][1])
            else:
                joined.append([start, end])
        self.parts = joined
        return self

    def has(self, start, end):
        return start >= end or any(a <= start and end <= b for a, b in self.parts)


def coverage(reference, packets):
    """{(connection number, way): Spans} of the bytes that a damaged capture still has."""
    ways = {}
    for c in reference.connections:
        for way, d in c.way.items():
            ways[c.side(way)] = (c.number, way, d)
    there = collections.defaultdict(Spans)
    for s in segments(reference.link, packets):
        if s.side in ways and s.payload:
            number, way, d = ways[s.side]
            at = recut.after(s.seq, d.base)
            there[number, way].add(max(at, 0), at + len(s.payload))
    for spans in there.values():
        spans.close()
    return there
