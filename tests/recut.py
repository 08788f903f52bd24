#!/usr/bin/env python3
"""Cut the byte streams of a capture into other TCP segments.

    recut.py IN OUT MODE

MODE bytes        one byte a segment
     flight       what one side sends before anybody else says something goes in one segment, at most
                  60,000 bytes
     random:SEED  pieces of random size, across the borders of the old segments
     pieces:N     pieces of N bytes, across them too

IN is pcap or pcapng; Ethernet, loopback, Linux cooked or raw IP; IPv4 or IPv6. OUT is pcap with
nanoseconds; where IN carries TLS keys it is pcapng and carries them too.

Every byte keeps its sequence number, and the order of bytes between both directions and between
connections stays as it was. A new packet has the time and the acknowledgement number of the packet
that held its last byte. Pure acknowledgements go while bytes wait to be joined. Checksums are zero.

A packet that only repeats what was there is left out (and counted). Else only clean captures can be
cut otherwise: a partial overlap, a gap, bytes out of order, an IP fragment or a packet that was
captured in part ends the program with a message, status 2.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import random
import struct
import sys

FLIGHT_BYTES_MAX = 60000  # with headers it still fits the 16 bits of an IP length
RANDOM_BYTES_MAX = 3000   # about two segments of an Ethernet

LINK_NULL, LINK_ETHERNET, LINK_LOOP, LINK_SLL, LINK_SLL2 = 0, 1, 108, 113, 276
LINK_RAW = (12, 14, 101, 228, 229)

FIN, SYN, RST, PSH = 1, 2, 4, 8

BLOCK_IDB, BLOCK_SPB, BLOCK_EPB, BLOCK_DSB, BLOCK_SHB = 1, 3, 6, 10, 0x0A0D0D0A


class NotClean(Exception):
    """The capture can't be cut otherwise; the text says why."""


# --- capture files ------------------------------------------------------------------------------


class Capture:
    """link type, packets as (time in ns, bytes, original length), bodies of secrets blocks."""

    def __init__(self, data):
        self.packets, self.secrets, self.link = [], [], None
        magic = data[:4]
        if magic == b"\x0a\x0d\x0d\x0a":
            self._read_pcapng(data)
        else:
            self._read_pcap(data, magic)

    def _set_link(self, link):
        if self.link not in (None, link):
            raise NotClean("interfaces of different link types")
        self.link = link

    def _read_pcap(self, data, magic):
        kinds = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
                 b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}
        if magic not in kinds:
            raise NotClean("neither pcap nor pcapng")
        order, scale = kinds[magic]
        self._set_link(struct.unpack_from(order + "I", data, 20)[0] & 0x0FFFFFFF)
        at = 24
        while at + 16 <= len(data):
            sec, sub, have, length = struct.unpack_from(order + "IIII", data, at)
            self.packets.append((sec * 10**9 + sub * scale, data[at + 16:at + 16 + have], length))
            at += 16 + have

    def _read_pcapng(self, data):
        at, order, units = 0, "<", []
        while at + 12 <= len(data):
            if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
                order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
                units = []
            kind, size = struct.unpack_from(order + "II", data, at)
            body = data[at + 8:at + size - 4]
            if kind == BLOCK_IDB:
                self._set_link(struct.unpack_from(order + "H", body)[0])
                units.append(self._ns_per_tick(body[8:], order))
            elif kind == BLOCK_EPB:
                port, high, low, have, length = struct.unpack_from(order + "IIIII", body)
                ticks = high << 32 | low
                num, den = units[port]
                self.packets.append((ticks * num // den, body[20:20 + have], length))
            elif kind == BLOCK_SPB:
                raise NotClean("simple packet blocks have no time")
            elif kind == BLOCK_DSB:
                secret, length = struct.unpack_from(order + "II", body)
                self.secrets.append((secret, body[8:8 + length]))
            at += size

    @staticmethod
    def _ns_per_tick(options, order):
        """As a fraction, so that no time is rounded."""
        at = 0
        while at + 4 <= len(options):
            code, size = struct.unpack_from(order + "HH", options, at)
            if code == 9:  # if_tsresol
                value = options[at + 4]
                per_second = 2 ** (value & 0x7F) if value & 0x80 else 10 ** value
                return 10**9, per_second
            if code == 0:
                break
            at += 4 + (size + 3 & ~3)
        return 1000, 1


def write_pcap(path, link, packets):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link))
        out.writelines(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(p), len(p)) + p
                       for ns, p in packets)


def write_pcapng(path, link, packets, secrets):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    with open(path, "wb") as out:
        out.write(block(BLOCK_SHB, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        nanoseconds = struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0)
        out.write(block(BLOCK_IDB, struct.pack("<HHI", link, 0, 262144) + nanoseconds))
        for kind, secret in secrets:
            out.write(block(BLOCK_DSB, struct.pack("<II", kind, len(secret)) + secret))
        out.writelines(block(BLOCK_EPB, struct.pack("<IIIII", 0, ns >> 32, ns & 0xFFFFFFFF, len(p),
                                                    len(p)) + p) for ns, p in packets)


# --- packets ------------------------------------------------------------------------------------


def ip_offset(link, data):
    """Where the IP header begins; None where there is none."""
    if link == LINK_ETHERNET:
        at = 12
        while data[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
            at += 4
        return at + 2 if data[at:at + 2] in (b"\x08\x00", b"\x86\xdd") else None
    if link in (LINK_NULL, LINK_LOOP):
        return 4
    if link == LINK_SLL:
        return 16 if data[14:16] in (b"\x08\x00", b"\x86\xdd") else None
    if link == LINK_SLL2:
        return 20 if data[0:2] in (b"\x08\x00", b"\x86\xdd") else None
    if link in LINK_RAW:
        return 0
    raise NotClean(f"link type {link} is not known here")


class Segment:
    """One TCP segment: where it belongs, its headers as a template, its payload."""

    __slots__ = ("ns", "side", "ip_at", "tcp_at", "header", "payload", "seq", "ack", "flags",
                 "number")

    def copy_with(self, seq, payload, flags):
        """A packet as this one, with other bytes at another place."""
        head = bytearray(self.header)
        total = len(head) - self.ip_at + len(payload)
        if head[self.ip_at] >> 4 == 4:
            struct.pack_into(">H", head, self.ip_at + 2, total)
            struct.pack_into(">H", head, self.ip_at + 10, 0)
        else:
            struct.pack_into(">H", head, self.ip_at + 4, total - 40)
        struct.pack_into(">I", head, self.tcp_at + 4, seq & 0xFFFFFFFF)
        head[self.tcp_at + 13] = flags
        struct.pack_into(">H", head, self.tcp_at + 16, 0)
        return bytes(head) + payload


def transport_ipv4(data, ip, number):
    """Offset and protocol of the transport header, end of the IP packet."""
    total, fragment = struct.unpack_from(">H2xH", data, ip + 2)
    if fragment & 0x3FFF:
        raise NotClean(f"packet {number} is an IP fragment")
    # Zero: segmentation offload made a packet longer than the field can say.
    return ip + (data[ip] & 15) * 4, data[ip + 9], ip + total if total else len(data)


def transport_ipv6(data, ip, number):
    length, following = struct.unpack_from(">HB", data, ip + 4)
    at, end = ip + 40, ip + 40 + length if length else len(data)
    while following in (0, 43, 60):
        following, units = data[at], data[at + 1]
        at += 8 + units * 8
    if following == 44:
        raise NotClean(f"packet {number} is an IP fragment")
    return at, following, end


def parse_segment(link, ns, data, length, number):
    """A Segment, or None for what is not TCP."""
    ip = ip_offset(link, data)
    if ip is None or len(data) < ip + 20:
        return None
    version = data[ip] >> 4
    if version not in (4, 6):
        return None
    transport = transport_ipv4 if version == 4 else transport_ipv6
    at, protocol, end = transport(data, ip, number)
    if protocol != 6:
        return None
    if len(data) < length:
        raise NotClean(f"packet {number} was captured in part")
    s = Segment()
    s.ns, s.ip_at, s.tcp_at, s.number = ns, ip, at, number
    sport, dport, s.seq, s.ack, words, s.flags = struct.unpack_from(">HHIIBB", data, at)
    addresses = data[ip + 12:ip + 20] if version == 4 else data[ip + 8:ip + 40]
    half = len(addresses) // 2
    s.side = ((addresses[:half], sport), (addresses[half:], dport))
    start = at + (words >> 4) * 4
    s.header, s.payload = data[:start], data[start:end]
    return s


# --- cutting ------------------------------------------------------------------------------------


def after(a, b):
    """a - b in sequence space, as a signed number."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Recutter:
    """Packets in, packets out. Only one side of one connection has bytes waiting at any time."""

    def __init__(self, link, mode):
        self.link, self.out, self.next = link, [], {}
        self.waiting, self.start, self.held = bytearray(), 0, []
        self.mode, _, number = mode.partition(":")
        if (self.mode not in ("bytes", "flight", "random", "pieces") or
                (self.mode in ("random", "pieces")) != number.isdecimal()):
            raise NotClean(f"no mode {mode}: bytes, flight, random:SEED or pieces:N")
        self.random = random.Random(number)
        self.pieces = int(number or 1)
        self.tcp_bytes = self.repeats = 0

    def piece_max(self):
        if self.mode == "random":
            return self.random.randint(1, RANDOM_BYTES_MAX)
        return FLIGHT_BYTES_MAX if self.mode == "flight" else self.pieces

    def add(self, ns, data, length, number):
        s = parse_segment(self.link, ns, data, length, number)
        if s is None:
            self.flush()
            self.out.append((ns, data))
            return
        if not self.follow(s):
            self.repeats += 1
            return
        if self.held and self.held[0].side != s.side and (s.payload or s.flags & (SYN | FIN | RST)):
            self.flush()
        if not s.payload:
            self.add_empty(s)
            return
        if not self.held:
            self.start = s.seq
        self.held.append(s)
        self.waiting += s.payload
        self.tcp_bytes += len(s.payload)
        # A last packet's FIN goes with its last byte.
        self.flush(keep_tail=self.mode != "bytes" and not s.flags & (FIN | RST))

    def add_empty(self, s):
        if s.flags & (SYN | FIN | RST):
            self.flush()
        elif self.held:
            # It would acknowledge bytes that come later in the new capture.
            return
        self.out.append((s.ns, s.copy_with(s.seq, b"", s.flags)))

    def follow(self, s):
        """Sequence numbers: every byte once, in order, without a hole. False: nothing new in it."""
        back = (s.side[1], s.side[0])
        if s.flags & SYN:
            if s.payload:
                raise NotClean(f"packet {s.number} carries bytes with its SYN")
            if self.next.get(s.side) == (s.seq + 1) & 0xFFFFFFFF:
                return False
            if not s.flags & 0x10:
                self.next.pop(back, None)
            self.next[s.side] = (s.seq + 1) & 0xFFFFFFFF
            return True
        due = self.next.get(s.side, s.seq)
        if s.payload or s.flags & FIN:
            distance = after(s.seq, due)
            if distance < 0:
                if distance + len(s.payload) + bool(s.flags & FIN) > 0:
                    raise NotClean(f"packet {s.number} repeats a part of what was there")
                return False
            if distance > 0:
                raise NotClean(f"{distance} bytes are missing before packet {s.number}")
        if s.flags & 0x10 and back in self.next and after(s.ack, self.next[back]) > 0 \
                and not s.flags & RST:
            raise NotClean(f"packet {s.number} acknowledges bytes that are not there")
        if s.payload or s.flags & FIN:
            self.next[s.side] = (s.seq + len(s.payload) + bool(s.flags & FIN)) & 0xFFFFFFFF
        else:
            self.next.setdefault(s.side, s.seq)
        return True

    def flush(self, keep_tail=False):
        """Write what waits; with keep_tail only full pieces."""
        while self.held:
            size = min(self.piece_max(), len(self.waiting))
            if keep_tail and size == len(self.waiting):
                return
            self.write_piece(size)

    def write_piece(self, size):
        piece = bytes(self.waiting[:size])
        end = self.start + size
        while after(self.held[0].seq + len(self.held[0].payload), end) < 0:
            self.held.pop(0)
        owner = self.held[0]
        whole = after(owner.seq + len(owner.payload), end) == 0
        flags = owner.flags if whole else owner.flags & ~(FIN | RST | PSH)
        self.out.append((owner.ns, owner.copy_with(self.start, piece, flags)))
        if whole:
            self.held.pop(0)
        del self.waiting[:size]
        self.start = end & 0xFFFFFFFF


def recut(data, mode):
    """(Capture, packets, number of repeats left out) of a capture file's bytes."""
    capture = Capture(data)
    cutter = Recutter(capture.link, mode)
    for number, (ns, packet, length) in enumerate(capture.packets, 1):
        cutter.add(ns, packet, length, number)
    cutter.flush()
    if not cutter.tcp_bytes:
        raise NotClean("no TCP bytes in the capture")
    return capture, cutter.out, cutter.repeats


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: recut.py IN OUT bytes|flight|random:SEED|pieces:N")
    source, target, mode = sys.argv[1:]
    with open(source, "rb") as file:
        data = file.read()
    try:
        capture, packets, repeats = recut(data, mode)
    except NotClean as reason:
        print(f"recut: {source}: NOT RECUT: {reason}", file=sys.stderr)
        return 2
    if capture.secrets:
        write_pcapng(target, capture.link, packets, capture.secrets)
    else:
        write_pcap(target, capture.link, packets)
    print(f"recut: {mode}: {len(capture.packets)} packets in, {len(packets)} out"
          + (f", {repeats} repeats left out" if repeats else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
