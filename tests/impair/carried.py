"""What Wireshark itself shows of the streams of HTTP/2 and HTTP/3, with wsx out of the way.

    seen = carried.look(env, capture path, options)         of a capture, clean or damaged
    d = carried.direction(seen, key, takeover)              the WebSocket bytes of a clean stream, its messages
    spans = carried.spans(seen, key, d)                     which of these bytes another capture's `seen` still has

A key is (sender's port, receiver's port, stream). HTTP/2: the DATA frames that its dissector finds; which of
the clean ones they are, is told by their bytes and their order. HTTP/3: the STREAM frames of QUIC that could be
decrypted, each with its offset; the frames of HTTP/3 are read here.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import dataclasses
import difflib
import xml.etree.ElementTree as ElementTree

import wire

ALONE = ("--disable-protocol", "websocket")
HTTP3_DATA, HTTP3_HEADERS = 0, 1
# Longer sums of the two lists are not compared piece by piece.
PIECES_MAX = 5000


@dataclasses.dataclass
class Carried(wire.Direction):
    pieces: list = dataclasses.field(default_factory=list)  # HTTP/2: (begin, end) of each DATA frame
    places: list = dataclasses.field(default_factory=list)  # HTTP/3: (begin, QUIC begin, end) of DATA


class Seen:
    def __init__(self):
        self.data = collections.defaultdict(list)       # key: DATA of HTTP/2, as (packet, bytes)
        self.holes = collections.defaultdict(list)      # sender's, receiver's port: packets behind a hole
        self.quic = collections.defaultdict(list)       # key: (offset, bytes) of QUIC
        self.headers = collections.defaultdict(dict)    # key: {name: value} of HTTP/2

        self.unread = set()     # keys whose begin was decrypted and not taken for HTTP/3

    def has_request(self, key):
        return self.headers[key].get(":protocol") == "websocket" or self.has_head(key)

    def has_answer(self, key):
        return ":status" in self.headers[key] or self.has_head(key)

    def has_head(self, key):
        """HTTP/3: the first frame of the stream, where Wireshark knows that it is HTTP/3."""
        if key in self.unread:
            return False
        spans = wire.Spans()
        for offset, data in self.quic.get(key, ()):
            spans.add(offset, offset + len(data))
        spans.close()
        head = next((data for offset, data in self.quic.get(key, ()) if offset == 0), b"")
        if len(head) < 3 or head[0] != HTTP3_HEADERS:
            return False
        length, behind = varint(head, 1)
        return spans.has(0, behind + length)


def field(element, name):
    return element.find(f".//field[@name='{name}']")


def number(element, name, otherwise=None):
    found = field(element, name)
    return otherwise if found is None else int(found.get("show"), 0)


def look_at_tcp(seen, ends, packet, ports, proto):
    """Does the packet's payload follow what came before it? One that HTTP/2 is not given changes nothing."""
    at, length = number(proto, "tcp.seq_raw"), number(proto, "tcp.len")
    given = any(p.get("name") in ("http2", "tls") for p in packet.iter("proto"))
    late = ports in ends and (at - ends[ports]) % 2**32 >= 2**31
    if not length or (late and not given):
        return
    if ports in ends and at != ends[ports]:
        seen.holes[ports].append(packet_number(packet))
    captured = field(proto, "tcp.payload")
    have = len(captured.get("value")) // 2 if captured is not None else 0
    ends[ports] = (at + min(have, length)) % 2**32


def packet_number(packet):
    return int(packet.find(".//field[@name='num']").get("show"))


def look_at_http2(seen, ports, at, proto):
    for stream in proto.iter("field"):
        if stream.get("name") != "http2.stream":
            continue
        key = (*ports, number(stream, "http2.streamid"))
        data = field(stream, "http2.data.data")
        if data is not None and data.get("value"):
            seen.data[key].append((at, bytes.fromhex(data.get("value"))))
        for header in stream.iter("field"):
            if header.get("name") == "http2.header" and field(header, "http2.header.name") is not None:
                value = field(header, "http2.header.value")
                seen.headers[key].setdefault(field(header, "http2.header.name").get("show"),
                                             "" if value is None else value.get("show"))


def look_at_quic(seen, ports, is_http3, proto):
    for frame in proto.iter("field"):
        data = field(frame, "quic.stream_data") if frame.get("name") == "quic.frame" else None
        if data is not None and data.get("value"):
            key = (*ports, number(frame, "quic.stream.stream_id"))
            offset = number(frame, "quic.stream.offset", 0)
            seen.quic[key].append((offset, bytes.fromhex(data.get("value"))))
            if not offset and not is_http3:
                seen.unread.add(key)


def look(env, capture, options=()):
    words = ["-T", "pdml", "-J", "tcp udp tls http2 quic"]
    done = env.tshark([*words, *options, *ALONE], capture)
    if done.rc != 0:
        raise wire.WireError(f"tshark ended with {done.rc}: {done.stderr.decode(errors='replace')[-200:]}")
    seen, ends = Seen(), {}
    in_order = "tcp.reassemble_out_of_order:TRUE" in options
    for packet in ElementTree.fromstring(done.stdout).iter("packet"):
        ports = None
        for proto in packet.iter("proto"):
            name = proto.get("name")
            if name in ("tcp", "udp"):
                ports = tuple(number(proto, f"{name}.{end}port") for end in ("src", "dst"))
                if name == "tcp" and not in_order:
                    look_at_tcp(seen, ends, packet, ports, proto)
            elif name == "http2" and ports:
                look_at_http2(seen, ports, packet_number(packet), proto)
            elif name == "quic" and ports:
                is_http3 = any(p.get("name") == "http3" for p in packet.iter("proto"))
                look_at_quic(seen, ports, is_http3, proto)
    return seen


# --- the clean capture ----------------------------------------------------------------------------


def varint(data, at):
    """(value, offset behind it), RFC 9000 16."""
    size = 1 << (data[at] >> 6)
    return int.from_bytes(data[at:at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


def quic_bytes(pieces):
    data = b""
    for offset, piece in sorted(pieces):
        if offset > len(data):
            raise wire.WireError("bytes of a QUIC stream are missing in the clean capture")
        data += piece[len(data) - offset:]
    return data


def fill_from_http3(d, data):
    at = 0
    while at < len(data):
        kind, behind = varint(data, at)
        length, behind = varint(data, behind)
        if kind == HTTP3_DATA:
            d.places.append((len(d.data), behind, len(d.data) + length))
            d.data += data[behind:behind + length]
        at = behind + length


def direction(seen, key, takeover):
    """None: nothing of it is shown."""
    d = Carried(0, takeover=takeover)
    for _, piece in seen.data.get(key, ()):
        d.pieces.append((len(d.data), len(d.data) + len(piece)))
        d.data += piece
    if key in seen.quic:
        fill_from_http3(d, quic_bytes(seen.quic[key]))
    wire.read_frames(d)
    wire.read_messages(d, str(key))
    return d if d.data else None


# --- the damaged one ------------------------------------------------------------------------------


def same_pieces(clean, there):
    """{clean piece: which one of there it is}, in order as far as can be, and the others anywhere."""
    if len(clean) + len(there) > PIECES_MAX:
        raise wire.WireError("too many pieces to compare")
    blocks = difflib.SequenceMatcher(None, clean, there, autojunk=False).get_matching_blocks()
    found = {b.a + i: b.b + i for b in blocks for i in range(b.size)}
    left, taken = collections.defaultdict(list), set(found.values())
    for i, piece in enumerate(there):
        if i not in taken:
            left[piece].append(i)
    for i, piece in enumerate(clean):
        if i not in found and left[piece]:
            found[i] = left[piece].pop(0)
    return found


def http2_runs(seen, key, d):
    """Runs of bytes that are there and have no hole in them: which stream the bytes in a hole were of,
    HTTP/2 does not tell."""
    there = seen.data.get(key, [])
    same = same_pieces([d.data[a:b] for a, b in d.pieces], [piece for _, piece in there])
    runs, before = [], None
    for i in sorted(same):
        at = there[same[i]][0]
        low, high = sorted((at, there[before][0] if before is not None else at))
        follows = before is not None and same[i] == before + 1 and runs[-1][1] == d.pieces[i][0]
        if follows and not any(low < hole <= high for hole in seen.holes[key[:2]]):
            runs[-1][1] = d.pieces[i][1]
        else:
            runs.append(list(d.pieces[i]))
        before = same[i]
    return runs


def spans(seen, key, d):
    """The bytes of the clean direction that are there."""
    if d.pieces:
        result = wire.Spans()
        result.parts = http2_runs(seen, key, d) # not joined
        return result
    result, quic = wire.Spans(), wire.Spans()
    for offset, data in seen.quic.get(key, ()):
        quic.add(offset, offset + len(data))
    quic.close()
    for begin, place, end in d.places:
        for a, b in quic.parts:
            low, high = max(a, place), min(b, place + end - begin)
            if low < high:
                result.add(begin + low - place, begin + high - place)
    return result.close()
