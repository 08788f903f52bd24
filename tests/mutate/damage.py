"""Damaged copies of a capture: bytes changed, packets cut, removed, doubled and swapped.

What is no packet stays as it is, so that the keys of TLS in a pcapng file open the damaged copy too;
editcap, which changes bytes too, drops them, and Wireshark 4.0's can't write a file whose keys stand in
front of its interface: it is given a file without, and of what it writes the packets are taken.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import math
import random
import struct

RATES = (0.001, 0.01, 0.05)
SNAP_LENGTHS = (40, 54, 60, 66, 70, 80, 100, 150, 200)
SHUFFLES = ("remove", "double", "swap", "all")
SHUFFLED = 0.08       # of the packets
HEADERS_BYTES = 66    # Ethernet, IPv4, TCP with timestamps
TELLING = (0x00, 0x01, 0x7D, 0x7E, 0x7F, 0x80, 0x81, 0x88, 0xFE, 0xFF)
SECTION, PACKET, SECRETS = 0x0A0D0D0A, 6, 10  # types of pcapng's blocks
PCAP_ORDERS = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<",
               b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}


class PcapPacket:
    def __init__(self, order, block):
        self.order, self.before, self.data = order, block[:8], block[16:]
        self.length = struct.unpack_from(order + "I", block, 12)[0]

    def written(self, data):
        return self.before + struct.pack(self.order + "II", len(data), self.length) + data


class PcapngPacket:
    def __init__(self, order, block):
        have, self.length = struct.unpack_from(order + "II", block, 20)
        self.order, self.before, self.data = order, block[8:20], block[28:28 + have]
        self.options = block[28 + have + -have % 4:-4]

    def written(self, data):
        body = (self.before + struct.pack(self.order + "II", len(data), self.length) + data
                + bytes(-len(data) % 4) + self.options)
        size = struct.pack(self.order + "I", len(body) + 12)
        return struct.pack(self.order + "I", PACKET) + size + body + size


def pcap_parts(data):
    order, at = PCAP_ORDERS[data[:4]], 24
    yield data[:at]
    while at + 16 <= len(data):
        end = at + 16 + struct.unpack_from(order + "I", data, at + 8)[0]
        yield PcapPacket(order, data[at:end])
        at = end


def pcapng_parts(data):
    order, at = "<", 0
    while at + 12 <= len(data):
        if struct.unpack_from(order + "I", data, at)[0] == SECTION:
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, size = struct.unpack_from(order + "II", data, at)
        block = data[at:at + size]
        yield PcapngPacket(order, block) if kind == PACKET else block
        at += size


def parts_of(path):
    """Bytes that stay as they are, and packets."""
    data = path.read_bytes()
    return list((pcap_parts if data[:4] in PCAP_ORDERS else pcapng_parts)(data))


def changed_byte(old, rng):
    way = rng.randrange(3)
    return (rng.choice(TELLING) if way == 0 else old ^ 1 << rng.randrange(8) if way == 1 else
            rng.randrange(256))


def changed(data, rate, rng, first):
    """Each byte from `first` on is changed with the probability `rate`."""
    data, at = bytearray(data), first
    while True:
        at += int(math.log(1 - rng.random()) / math.log(1 - rate))
        if at >= len(data):
            return bytes(data)
        data[at] = changed_byte(data[at], rng)
        at += 1


def written(parts, change=lambda data: data):
    """The file's bytes, with each packet changed."""
    return b"".join(part if isinstance(part, bytes) else part.written(change(part.data))
                    for part in parts)


def changes(parts, rate, seed):
    """The headers stay whole with every other seed, so that more of what is in them is read."""
    rng, first = random.Random(f"{rate} {seed}"), HEADERS_BYTES * (seed % 2)
    return written(parts, lambda data: changed(data, rate, rng, first))


def shuffled(parts, how, seed):
    """Some packets removed, doubled or swapped with the next one."""
    rng = random.Random(f"{how}{seed}")
    fixed = [isinstance(part, bytes) for part in parts]
    parts = [part if still else part.written(part.data) for part, still in zip(parts, fixed)]
    for i, still in enumerate(fixed):
        if still or rng.random() > SHUFFLED:
            continue
        what = rng.choice(SHUFFLES[:3]) if how == "all" else how
        if what == "remove":
            parts[i] = b""
        elif what == "double":
            parts[i] += parts[i]
        elif i + 1 < len(parts) and not fixed[i + 1]:
            parts[i], parts[i + 1] = parts[i + 1], parts[i]
    return b"".join(parts)


def is_secrets(part):
    return isinstance(part, bytes) and SECRETS in (int.from_bytes(part[:4], order)
                                                   for order in ("little", "big"))


def without_secrets(parts):
    """The file's bytes, but for the keys of TLS."""
    return written([part for part in parts if not is_secrets(part)])


def with_packets_of(parts, other):
    """The file's bytes, its packets with the bytes of another file's packets, one for one."""
    theirs = [part.data for part in parts_of(other) if not isinstance(part, bytes)]
    if len(theirs) != sum(not isinstance(part, bytes) for part in parts):
        raise ValueError(f"{other} has {len(theirs)} packets, which is another number")
    datas = iter(theirs)
    return written(parts, lambda data: next(datas))


def copies(path, seeds):
    """(what was done, bytes of a capture file) one after the other."""
    parts = parts_of(path)
    yield "as it is", path.read_bytes()
    for rate in RATES:
        for seed in range(seeds):
            yield f"bytes changed at {rate}, seed {seed}", changes(parts, rate, seed)
    for length in SNAP_LENGTHS:
        yield f"cut to {length}", written(parts, lambda data: data[:length])
    for how in SHUFFLES:
        for seed in range(seeds):
            yield f"packets: {how}, seed {seed}", shuffled(parts, how, seed)
