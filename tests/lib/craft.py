"""Captures made by hand, for situations that no real program would bring about on request.

    c = Conversation(); c.open(); c.server(frame(1, b"hello")); c.close(); c.save(path)

One TCP connection over IPv4 and Ethernet, 10.0.0.1:50001 to 10.0.0.2:80, one millisecond a packet, every
data segment acknowledged. Checksums are zero: Wireshark does not check them by default.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import hashlib
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
CLIENT, SERVER = 0, 1
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
FIRST_TIME_NS = 1_700_000_000 * 10**9


def frame(opcode, payload=b"", key=None, fin=True, rsv=0):
    """One frame; key: four bytes, masks the payload. rsv: 4 is RSV1."""
    mask = 0x80 if key else 0
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += struct.pack(">BH", mask | 126, size)
    else:
        head += struct.pack(">BQ", mask | 127, size)
    if not key:
        return head + payload
    pad = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + key + masked.to_bytes(size, "big")


def accept(key=KEY):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def good_key(number):
    """A key that no other number gives."""
    return base64.b64encode(b"key of sixteen%02d" % number)


def request(number=0, edit=lambda lines: lines, key=None):
    """The head of a good request, and what `edit` makes of its lines."""
    return b"\r\n".join(edit([
        b"GET /chat HTTP/1.1", b"Host: server.example.com", b"Upgrade: websocket",
        b"Connection: Upgrade", b"Sec-WebSocket-Key: " + (key or good_key(number)),
        b"Sec-WebSocket-Version: 13"]) + [b"", b""])


def response(number=0, edit=lambda lines: lines, key=None):
    """The head of the answer to request(number)."""
    return b"\r\n".join(edit([
        b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept(key or good_key(number))]) + [b"", b""])


def without(name):
    """Drops the lines of this header."""
    return lambda lines: [x for x in lines if not x.lower().startswith(name.lower() + b":")]


def adding(*more):
    return lambda lines: lines + list(more)


def first_line(line):
    return lambda lines: [line] + lines[1:]


class Conversation:
    def __init__(self, mss=1400):
        self.mss, self.packets = mss, []
        self.address = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
        self.port, self.seq = [50001, 80], [1000, 5000]

    def packet(self, side, flags, payload=b"", data_seq=None):
        """One packet; data_seq for one that is not the next in order."""
        seq = self.seq[side] if data_seq is None else data_seq
        ack = self.seq[1 - side] if flags & ACK else 0
        tcp = struct.pack(">HHIIBBHHH", self.port[side], self.port[1 - side], seq & 0xFFFFFFFF,
                          ack & 0xFFFFFFFF, 5 << 4, flags, 64000, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0,
                         self.address[side], self.address[1 - side])
        self.packets.append(b"\x02\0\0\0\0" + bytes([2 - side]) + b"\x02\0\0\0\0" + bytes([1 + side])
                            + b"\x08\x00" + ip + tcp + payload)
        if data_seq is None:
            self.seq[side] += len(payload) + bool(flags & (SYN | FIN))

    def send(self, side, data):
        """Bytes, cut at the MSS, each segment acknowledged."""
        for at in range(0, len(data), self.mss):
            self.packet(side, PSH | ACK, data[at:at + self.mss])
            self.packet(1 - side, ACK)

    def client(self, data):
        self.send(CLIENT, data)

    def server(self, data):
        self.send(SERVER, data)

    def connect(self):
        """TCP's own handshake."""
        self.packet(CLIENT, SYN)
        self.packet(SERVER, SYN | ACK)
        self.packet(CLIENT, ACK)

    def open(self, request_lines=(), response_lines=()):
        """TCP handshake and opening handshake; the lists hold further header lines as bytes."""
        self.connect()
        self.client(b"\r\n".join([
            b"GET /chat HTTP/1.1", b"Host: server.example.com", b"Upgrade: websocket",
            b"Connection: Upgrade", b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Version: 13",
            *request_lines, b"", b""]))
        self.server(b"\r\n".join([
            b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + accept(), *response_lines, b"", b""]))

    def close(self, code=b"\x03\xe8"):
        """Close from the client, answered, and both FINs."""
        self.client(frame(8, code, b"\x37\xfa\x21\x3d"))
        self.server(frame(8, code))
        self.finish()

    def finish(self):
        """Both FINs."""
        self.packet(SERVER, FIN | ACK)
        self.packet(CLIENT, FIN | ACK)
        self.packet(SERVER, ACK)

    def save(self, path):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for number, packet in enumerate(self.packets):
                ns = FIRST_TIME_NS + number * 10**6
                out.write(struct.pack("<IIII", ns // 10**9, ns % 10**9 // 1000, len(packet),
                                      len(packet)) + packet)


def opened(count):
    """Connections behind their TCP handshake, (number, Conversation), from a port of its own each, all in
    one list of packets: the last one's save() writes them all."""
    packets = []
    for number in range(count):
        c = Conversation()
        c.packets, c.port[0] = packets, c.port[0] + number
        c.connect()
        yield number, c


def save_handshakes(path, edits):
    """A connection for each pair (edit of the request's lines, edit of the response's lines), with one
    message of the server and a closing handshake."""
    for number, c in opened(len(edits)):
        edit_request, edit_response = edits[number]
        c.client(request(number, edit_request))
        c.server(response(number, edit_response))
        c.server(frame(1, b"hello"))
        c.close()
    c.save(path)


def save_frames(path, talks, end=Conversation.close):
    """A connection for each list of (side, bytes), sent behind an opening handshake."""
    for number, c in opened(len(talks)):
        c.client(request(number))
        c.server(response(number))
        for side, data in talks[number]:
            c.send(side, data)
        end(c)
    c.save(path)
