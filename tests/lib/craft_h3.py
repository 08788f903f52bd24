"""HTTP/3 connections made by hand, the keys in the file: see craft_h2.py, whose methods are the same.

    h = Http3(); h.request(0); h.response(0); h.data(SERVER, 0, frame(1, b"hello")); h.save(path)

A reader needs the secrets of TLS and never checks where they come from: they are made up here, as are the
handshake messages, of which only what a reader looks at is there. AES and GCM are written out below, slow and
without any claim to safety, so that no package is needed.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import hashlib
import hmac
import struct

from craft import CLIENT, FIRST_TIME_NS, SERVER

END_STREAM = 1
EXTENDED_CONNECT = 8
CANCEL = 0x10C
DATA, HEADERS, SETTINGS = 0, 1, 4
VERSION = 1
SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001 5.2
UP, DOWN = 2, 3  # the control streams

REQUEST = ((b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"),
           (b":path", b"/chat"), (b":authority", b"server.example.com"),
           (b"sec-websocket-version", b"13"))


# ---- AES-128-GCM (FIPS 197, NIST SP 800-38D) ----

def _make_sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ (p << 1 & 0xFF) ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q = (q ^ q << shift) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        turned = q
        for turn in range(1, 5):
            turned ^= (q << turn | q >> (8 - turn)) & 0xFF
        box[p] = turned ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


SBOX = _make_sbox()


def _double(x):
    return (x << 1 ^ (0x1B if x & 0x80 else 0)) & 0xFF


def round_keys(key):
    words, constant = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = list(words[-1])
        if i % 4 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _double(constant)
        words.append([a ^ b for a, b in zip(words[-4], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 44, 4)]


def aes(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for turn in range(1, 11):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if turn < 10:
            mixed = []
            for c in range(0, 16, 4):
                column, every = state[c:c + 4], state[c] ^ state[c + 1] ^ state[c + 2] ^ state[c + 3]
                mixed += [column[i] ^ every ^ _double(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, keys[turn])]
    return bytes(state)


def _times(x, y):
    z = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def seal(keys, nonce, plain, associated):
    """Cipher text and tag."""
    blocks = (len(plain) + 15) // 16
    stream = b"".join(aes(keys, nonce + struct.pack(">I", i + 2)) for i in range(blocks))
    text = bytes(a ^ b for a, b in zip(plain, stream))
    h, tag = int.from_bytes(aes(keys, bytes(16)), "big"), 0
    padded = b"".join(x + bytes(-len(x) % 16) for x in (associated, text))
    for at in range(0, len(padded), 16):
        tag = _times(tag ^ int.from_bytes(padded[at:at + 16], "big"), h)
    tag = _times(tag ^ (len(associated) * 8 << 64 | len(text) * 8), h)
    first = int.from_bytes(aes(keys, nonce + struct.pack(">I", 1)), "big")
    return text + (tag ^ first).to_bytes(16, "big")


# ---- keys (RFC 8446 7.1, RFC 9001 5) ----

def expand(secret, label, size):
    label = b"tls13 " + label
    info = struct.pack(">HB", size, len(label)) + label + b"\0"
    return hmac.digest(secret, info + b"\1", "sha256")[:size]


class Keys:
    def __init__(self, secret):
        self.keys = round_keys(expand(secret, b"quic key", 16))
        self.iv = expand(secret, b"quic iv", 12)
        self.mask_keys = round_keys(expand(secret, b"quic hp", 16))

    def protect(self, head, number, plain):
        """A packet; the packet number is the last two bytes of the head."""
        nonce = (int.from_bytes(self.iv, "big") ^ number).to_bytes(12, "big")
        sealed = seal(self.keys, nonce, plain, head)
        mask = aes(self.mask_keys, sealed[2:18])
        first = head[0] ^ (mask[0] & (0x0F if head[0] & 0x80 else 0x1F))
        last = bytes(a ^ b for a, b in zip(head[-2:], mask[1:3]))
        return bytes([first]) + head[1:-2] + last + sealed


# ---- QUIC and HTTP/3 ----

def varint(value):
    for bits, prefix in ((6, 0), (14, 1), (30, 2), (62, 3)):
        if value < 1 << bits:
            size = (bits + 2) // 8
            return (prefix << bits | value).to_bytes(size, "big")
    raise ValueError(value)


def literal(name, value):
    """RFC 9204 4.5.6, a literal with a literal name; both shorter than 127 bytes."""
    head = bytes([0x20 | len(name)]) if len(name) < 7 else bytes([0x27, len(name) - 7])
    return head + name + bytes([len(value)]) + value


def h3_frame(kind, payload):
    return varint(kind) + varint(len(payload)) + payload


def ack(largest):
    """RFC 9000 19.3: all packets up to this number."""
    return b"\2" + varint(largest) + b"\0\0" + varint(largest)


def _extension(kind, data):
    return struct.pack(">HH", kind, len(data)) + data


def _message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


ALPN = _extension(16, b"\0\3\2h3")


class Http3:
    def __init__(self, server_settings=((EXTENDED_CONNECT, 1),), port=50001, client_settings=(),
                 packets=None, acks=False):
        """acks: each packet says what its sender has received, as real ones do when there is something new."""
        self.packets, self.offsets, self.acks = [] if packets is None else packets, {}, acks
        self.port = [port, 443]
        self.numbers = [0, 0]
        self.ids = [bytes([side + 1]) * 6 + struct.pack(">H", port) for side in (CLIENT, SERVER)]
        self.random = hashlib.sha256(b"client random %d" % port).digest()
        self.secrets = {}
        self.hello()
        self.settings(client_settings, CLIENT)
        if server_settings is not None:
            self.settings(server_settings)

    def secret(self, label):
        self.secrets[label] = hashlib.sha256(label.encode() + self.random).digest()
        return Keys(self.secrets[label])

    def datagram(self, side, payload):
        udp = struct.pack(">HHHH", self.port[side], self.port[1 - side], 8 + len(payload), 0) + payload
        address = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0, address[side],
                         address[1 - side])
        self.packets.append(b"\x02\0\0\0\0" + bytes([2 - side]) + b"\x02\0\0\0\0" + bytes([1 + side])
                            + b"\x08\x00" + ip + udp)

    def long_packet(self, side, kind, keys, plain, to):
        number, token = 0, b"\0" if kind == 0 else b""
        size = struct.pack(">H", 0x4000 | 2 + len(plain) + 16)
        head = (bytes([0xC1 | kind << 4]) + struct.pack(">I", VERSION) + bytes([len(to)]) + to
                + bytes([8]) + self.ids[side] + token + size + struct.pack(">H", number))
        return keys.protect(head, number, plain)

    def hello(self):
        """The handshake messages, as far as a reader looks at them."""
        first = hashlib.sha256(b"first destination" + self.random).digest()[:8]
        root = hmac.digest(SALT, first, "sha256")
        initial = [Keys(expand(root, b"client in", 32)), Keys(expand(root, b"server in", 32))]
        handshake = self.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET")
        self.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
        self.keys = [self.secret("CLIENT_TRAFFIC_SECRET_0"), self.secret("SERVER_TRAFFIC_SECRET_0")]
        extensions = _extension(43, b"\2\3\4") + ALPN
        client = _message(1, b"\3\3" + self.random + b"\0" + b"\0\2\x13\1" + b"\1\0"
                          + struct.pack(">H", len(extensions)) + extensions)
        extensions = _extension(43, b"\3\4")
        server = _message(2, b"\3\3" + hashlib.sha256(b"server random").digest() + b"\0" + b"\x13\1\0"
                          + struct.pack(">H", len(extensions)) + extensions)
        encrypted = _message(8, struct.pack(">H", len(ALPN)) + ALPN)

        def crypto(data, size=0):
            plain = b"\6\0" + varint(len(data)) + data
            return plain + bytes(max(0, size - len(plain)))

        self.datagram(CLIENT, self.long_packet(CLIENT, 0, initial[0], crypto(client, 1150), first))
        self.datagram(SERVER, self.long_packet(SERVER, 0, initial[1], crypto(server), self.ids[CLIENT])
                      + self.long_packet(SERVER, 2, handshake, crypto(encrypted), self.ids[CLIENT]))

    def frames(self, side, plain):
        """One packet with these QUIC frames."""
        if self.acks and self.numbers[1 - side]:
            plain = ack(self.numbers[1 - side] - 1) + plain
        plain += bytes(max(0, 4 - len(plain)))
        head = b"\x41" + self.ids[1 - side] + struct.pack(">H", self.numbers[side])
        self.datagram(side, self.keys[side].protect(head, self.numbers[side], plain))
        self.numbers[side] += 1

    def stream(self, side, stream, data, fin=False):
        offset = self.offsets.get((side, stream), 0)
        self.offsets[side, stream] = offset + len(data)
        self.frames(side, bytes([0x0E | fin]) + varint(stream) + varint(offset) + varint(len(data)) + data)

    def settings(self, pairs, side=SERVER):
        stream = UP if side == CLIENT else DOWN
        kind = b"" if (side, stream) in self.offsets else b"\0"
        payload = b"".join(varint(n) + varint(v) for n, v in pairs)
        self.stream(side, stream, kind + h3_frame(SETTINGS, payload))

    def headers(self, side, stream, fields, flags=0):
        block = b"\0\0" + b"".join(literal(*field) for field in fields)
        self.stream(side, stream, h3_frame(HEADERS, block), bool(flags & END_STREAM))

    def request(self, stream, fields=REQUEST):
        self.headers(CLIENT, stream, fields)

    def response(self, stream, status=b"200", flags=0):
        self.headers(SERVER, stream, ((b":status", status),), flags)

    def data(self, side, stream, payload=b"", flags=0):
        for at in range(0, max(1, len(payload)), 1000):
            piece = payload[at:at + 1000]
            last = at + 1000 >= len(payload)
            self.stream(side, stream, h3_frame(DATA, piece) if piece else b"",
                        bool(flags & END_STREAM) and last)

    def reset(self, side, stream, code=CANCEL):
        self.frames(side, b"\4" + varint(stream) + varint(code) + varint(self.offsets.get((side, stream), 0)))

    def finish(self):
        """CONNECTION_CLOSE of HTTP/3's own, without an error."""
        self.frames(CLIENT, b"\x1d" + varint(0x100) + b"\0")

    def key_log(self):
        return "".join(f"{label} {self.random.hex()} {secret.hex()}\n"
                       for label, secret in self.secrets.items()).encode()

    def save(self, path, others=()):
        """pcapng; others: connections whose packets are among these, for their keys."""
        log = b"".join(h.key_log() for h in (self, *others))
        log += b"\n" * (-len(log) % 4)
        with open(path, "wb") as out:
            def block(kind, body):
                size = 12 + len(body)
                out.write(struct.pack("<II", kind, size) + body + struct.pack("<I", size))

            block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
            block(1, struct.pack("<HHI", 1, 0, 262144))
            block(10, struct.pack("<II", 0x544C534B, len(log)) + log)
            for number, packet in enumerate(self.packets):
                us = FIRST_TIME_NS // 1000 + number * 1000
                block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xFFFFFFFF, len(packet), len(packet))
                      + packet + bytes(-len(packet) % 4))
