"""Captures to measure with: deterministic, of any size, made with Python's standard library alone.

Each workload is a function of an open Capture and of one number, its size. Frames are put into TCP
segments as a socket would do it, with acknowledgements; checksums are zero, as in a capture taken
where the network card computes them. Nothing of it is ever sent anywhere.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import hashlib
import random
import struct
import zlib

SEGMENT = 1448
ACK_EVERY = 8
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SYN, ACK, PUSH, FIN = 2, 16, 8, 1
CLIENT, SERVER = 0, 1
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
FINAL, COMPRESSED = 0x80, 0x40
# Bytes held back before they are written.
BUFFERED = 1 << 22
WORDS = ("ask bid close depth event feed group high index join key low market name open price quote "
         "rate size time update volume width zone").split()


class Capture:
    """A classic pcap file (Ethernet, IPv4, TCP). Counts what is put into it."""

    def __init__(self, path, seed):
        self.random = random.Random(seed)
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        self.pending, self.pending_bytes = [], 0
        self.microseconds = 1_700_000_000_000_000
        self.packets = self.frames = self.messages = self.payload = 0

    def packet(self, bytes_):
        self.microseconds += 5 + len(bytes_) // 100
        seconds, rest = divmod(self.microseconds, 1_000_000)
        self.pending += (struct.pack("<IIII", seconds, rest, len(bytes_), len(bytes_)), bytes_)
        self.pending_bytes += len(bytes_)
        self.packets += 1
        if self.pending_bytes > BUFFERED:
            self.flush()

    def flush(self):
        self.file.write(b"".join(self.pending))
        self.pending, self.pending_bytes = [], 0

    def close(self):
        self.flush()
        self.file.close()

    def frame(self, sender, first, payload):
        """The bytes of a frame; those of a client are masked."""
        length = len(payload)
        masked = 0x80 if sender == CLIENT else 0
        if length < 126:
            head = bytes((first, masked | length))
        elif length < 65536:
            head = struct.pack("!BBH", first, masked | 126, length)
        else:
            head = struct.pack("!BBQ", first, masked | 127, length)
        self.frames += 1
        self.payload += length
        if first & FINAL and not first & 8:
            self.messages += 1
        if not masked:
            return head + payload
        key = self.random.randbytes(4)
        return head + key + unmask(payload, key)

    def text(self, low, high):
        """A JSON object of about so many bytes."""
        wanted = self.random.randint(low, high)
        parts = ['{"id":%d' % self.random.randint(1, 10**6)]
        size = len(parts[0])
        while size < wanted:
            part = ',"%s":%.2f' % (self.random.choice(WORDS), self.random.random() * 1000)
            parts.append(part)
            size += len(part)
        return ("".join(parts) + "}").encode()


def unmask(payload, key):
    length = len(payload)
    repeated = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(length, "big")


class Connection:
    """One TCP connection, with an opening handshake unless told otherwise."""

    def __init__(self, capture, number, extension=b"", shake=True):
        self.capture = capture
        client = struct.pack("!BBH", 10, number >> 16 & 255, number & 0xFFFF)
        server = bytes((192, 0, 2, 1))
        self.addresses = (client + server, server + client)
        port = 20000 + number % 40000
        self.ports = (struct.pack("!HH", port, 80), struct.pack("!HH", 80, port))
        self.sequence = [capture.random.getrandbits(31), capture.random.getrandbits(31)]
        self.unanswered = [0, 0]
        if shake:
            self.shake_hands(extension)

    def segment(self, sender, flags, data=b""):
        other = 1 - sender
        acknowledged = self.sequence[other] if flags & ACK else 0
        self.capture.packet(b"".join((
            b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0\x45\0", struct.pack("!H", 40 + len(data)),
            b"\0\0\x40\0\x40\x06\0\0", self.addresses[sender], self.ports[sender],
            struct.pack("!IIBBHI", self.sequence[sender], acknowledged, 0x50, flags, 65535, 0),
            data)))
        spent = len(data) + (1 if flags & (SYN | FIN) else 0)
        self.sequence[sender] = self.sequence[sender] + spent & 0xFFFFFFFF
        self.unanswered[other] = 0

    def send(self, sender, data):
        for at in range(0, len(data), SEGMENT):
            self.segment(sender, ACK | PUSH, data[at:at + SEGMENT])
            self.unanswered[sender] += 1
            if self.unanswered[sender] >= ACK_EVERY:
                self.segment(1 - sender, ACK)

    def frame(self, sender, first, payload):
        self.send(sender, self.capture.frame(sender, first, payload))

    def shake_hands(self, extension):
        key = base64.b64encode(self.capture.random.randbytes(16))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        offer = b"Sec-WebSocket-Extensions: " + extension + b"\r\n" if extension else b""
        self.segment(CLIENT, SYN)
        self.segment(SERVER, SYN | ACK)
        self.segment(CLIENT, ACK)
        self.send(CLIENT, b"GET /feed HTTP/1.1\r\nHost: www.example.com\r\nUpgrade: websocket\r\n"
                  b"Connection: Upgrade\r\nOrigin: http://www.example.com\r\n"
                  b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n" + offer + b"\r\n")
        self.send(SERVER, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n" + offer + b"\r\n")

    def end(self):
        self.frame(CLIENT, FINAL | CLOSE, b"\x03\xe8")
        self.frame(SERVER, FINAL | CLOSE, b"\x03\xe8")
        for sender in (CLIENT, SERVER):
            self.segment(sender, FIN | ACK)
        self.segment(CLIENT, ACK)


# --- the workloads: a capture, and how many of what the name says --------------------------------


def short_messages(capture, frames, connections, a_packet=8):
    texts = [capture.text(20, 200) for _ in range(2000)]
    all_ = [Connection(capture, i) for i in range(connections)]
    while capture.frames < frames:
        sender = capture.random.getrandbits(1)
        count = min(capture.random.randint(1, a_packet), frames - capture.frames)
        capture.random.choice(all_).send(sender, b"".join(
            capture.frame(sender, FINAL | TEXT, capture.random.choice(texts)) for _ in range(count)))


def small(capture, frames):
    """text messages of 20 to 200 bytes, on 100 connections, 1 to 8 in a packet"""
    short_messages(capture, frames, 100)


def long(capture, frames):
    """the same on one connection"""
    short_messages(capture, frames, 1)


def deflate(capture, messages):
    """messages of 200 to 2,000 bytes with permessage-deflate and context takeover, on 50 connections"""
    all_ = [(Connection(capture, i, b"permessage-deflate"),
             [zlib.compressobj(6, zlib.DEFLATED, -15) for _ in (CLIENT, SERVER)]) for i in range(50)]
    for _ in range(messages):
        connection, deflaters = capture.random.choice(all_)
        sender = capture.random.getrandbits(1)
        text = capture.text(200, 2000)
        wire = deflaters[sender].compress(text) + deflaters[sender].flush(zlib.Z_SYNC_FLUSH)
        connection.frame(sender, FINAL | COMPRESSED | TEXT, wire[:-4])


def large(capture, messages):
    """binary messages of 1 MiB, of both sides"""
    connection = Connection(capture, 0)
    for i in range(messages):
        connection.frame(i % 2, FINAL | BINARY, capture.random.randbytes(1 << 20))


def fragmented(capture, messages):
    """messages of 8 fragments, with a Ping and its Pong in between, on 20 connections"""
    all_ = [Connection(capture, i) for i in range(20)]
    for i in range(messages):
        connection = capture.random.choice(all_)
        sender = capture.random.getrandbits(1)
        control = capture.random.randrange(1, 8)
        for part in range(8):
            if part == control:
                connection.frame(sender, FINAL | PING, b"%08d" % i)
                connection.frame(1 - sender, FINAL | PONG, b"%08d" % i)
            connection.frame(sender, (TEXT if part == 0 else 0) | (FINAL if part == 7 else 0),
                             capture.text(60, 400))


def many(capture, connections):
    """connections of 5 messages from handshake to FIN, 200 at a time"""
    def talk(number):
        connection = Connection(capture, number)
        for i in range(5):
            yield
            connection.frame(i % 2, FINAL | TEXT, capture.text(20, 200))
        yield
        connection.end()
    begun, running = 0, []
    while running or begun < connections:
        while begun < connections and len(running) < 200:
            running.append(talk(begun))
            begun += 1
        at = capture.random.randrange(len(running))
        if next(running[at], running) is running: # at its end
            running[at] = running[-1]
            running.pop()


def huge(capture, size):
    """one binary frame of so many bytes"""
    block = capture.random.randbytes(1 << 20)
    connection = Connection(capture, 0)
    connection.frame(SERVER, FINAL | BINARY, (block * (size // len(block) + 1))[:size])
    connection.frame(SERVER, FINAL | TEXT, b"{}")


def fragments(capture, count):
    """one message of so many fragments of 1,000 bytes"""
    connection = Connection(capture, 0)
    for i in range(count):
        connection.frame(SERVER, (BINARY if i == 0 else 0) | (FINAL if i == count - 1 else 0),
                         capture.random.randbytes(1000))


def pings(capture, count):
    """Pings of different payloads, all answered only behind the last one"""
    connection = Connection(capture, 0)
    for i in range(count):
        connection.frame(CLIENT, FINAL | PING, b"%08d" % i)
    for i in range(count):
        connection.frame(SERVER, FINAL | PONG, b"%08d" % i)


def crowded(capture, frames):
    """messages of 2 bytes, as many in a packet as go in"""
    connection = Connection(capture, 0)
    for _ in range(frames // 300):
        connection.send(SERVER, b"".join(capture.frame(SERVER, FINAL | TEXT, b"ok")
                                         for _ in range(300)))


# Name to function, and to the size that is measured by default.
WORKLOADS = {
    "small": (small, 300_000),
    "deflate": (deflate, 60_000),
    "large": (large, 120),
    "fragmented": (fragmented, 20_000),
    "many": (many, 8_000),
    "long": (long, 300_000),
    "huge": (huge, 50_000_000),
    "fragments": (fragments, 20_000),
    "pings": (pings, 20_000),
    "crowded": (crowded, 100_000),
}


def make(name, size, path):
    """Writes the workload. Returns the Capture with its counts."""
    capture = Capture(path, f"{name} {size}")
    WORKLOADS[name][0](capture, size)
    capture.close()
    return capture
