"""Captures of what an attacker may send: each function writes one file and says what must come out.

    builders: name -> (function(path, size), quick size, full size)

SPDX-License-Identifier: GPL-2.0-or-later
"""
import random
import struct
import sys
import pathlib
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import craft  # noqa: E402
from craft import CLIENT, SERVER, frame  # noqa: E402

KEY = b"\x37\xfa\x21\x3d"
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate"
SEGMENT_MAX = 65000  # bytes of a segment that still fit into an IPv4 packet
LAST = b"the last message"
SPLIT_TEXT = b"split "
HEAD_TOO_LONG = 20000


def opened(deflate=False, mss=SEGMENT_MAX, request=(), response=()):
    talk = craft.Conversation(mss)
    lines = (DEFLATE,) if deflate else ()
    talk.open([*lines, *request], [*lines, *response])
    return talk


def closed(talk, path):
    """A message and the end: what is right behind the attack."""
    talk.server(frame(1, LAST))
    talk.close()
    talk.save(path)


def save_openings(path, edits):
    """A connection for each pair (edit of the request's lines, edit of the answer's lines), with one
    message; then the one that must be right."""
    packets = []
    for number, (request, response) in enumerate(edits):
        talk = craft.Conversation(SEGMENT_MAX)
        talk.connect()
        talk.client(craft.request(number, request))
        talk.server(craft.response(number, response))
        talk.server(frame(1, b"hello"))
        talk.close()
        packets += moved(talk, number)
    last = opened()
    last.packets[:0] = packets
    closed(last, path)


def press(data_pieces):
    """One compressed message."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = b"".join(packer.compress(piece) for piece in data_pieces)
    return (out + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def zeros(mebibytes):
    block = bytes(1 << 20)
    return (block for _ in range(mebibytes))


def bomb(path, mebibytes):
    talk = opened(deflate=True)
    talk.server(frame(2, press(zeros(mebibytes)), rsv=4))
    closed(talk, path)


def bombs_many(path, count):
    """Many messages of 8 MiB each, in one connection."""
    talk = opened(deflate=True)
    packed = press(zeros(8))
    for _ in range(count):
        # the window is full of zeros from the second one on: the same bytes give the same
        talk.server(frame(2, packed, rsv=4))
    closed(talk, path)


def bombs_connections(path, count):
    """A message of 8 MiB in each of many connections, all open at the same time."""
    talk = opened(deflate=True)
    opening = list(talk.packets)
    talk.packets.clear()
    talk.server(frame(2, press(zeros(8)), rsv=4))
    message, talk.packets = talk.packets, opening
    packets = [p for number in range(count) for p in moved(talk, number)]
    talk.packets = message
    packets += [p for number in range(count) for p in moved(talk, number)]
    last = opened()
    last.packets[:0] = packets
    closed(last, path)


def length_huge(path, _size):
    """2^63 - 1 bytes promised, some sent; the other direction goes on."""
    talk = opened()
    talk.client(b"\x82\xff" + struct.pack(">Q", (1 << 63) - 1) + KEY + b"x" * 5000)
    closed(talk, path)


def length_msb(path, _size):
    talk = opened()
    talk.client(b"\x82\xff" + struct.pack(">Q", (1 << 64) - 1) + KEY + b"x" * 5000)
    talk.server(frame(1, LAST))
    talk.close()
    talk.save(path)


def fragments(path, count):
    talk = opened()
    data = [frame(1, b"a", fin=False)]
    data += [frame(0, b"b", fin=False)] * (count - 2)
    data.append(frame(0, b"c"))
    talk.server(b"".join(data))
    closed(talk, path)


def pings(path, count):
    """Never answered; each has another payload."""
    talk = opened()
    talk.client(b"".join(frame(9, struct.pack(">Q", i), KEY) for i in range(count)))
    talk.server(frame(10, struct.pack(">Q", count - 1)))
    closed(talk, path)


def frames_small(path, count):
    """As many frames in a segment as fit: two bytes each."""
    talk = opened()
    talk.server(frame(2, b"") * count)
    closed(talk, path)


def frames_bad(path, count):
    """Each breaks several rules."""
    talk = opened()
    talk.client(b"\xf3\x00" * count)
    closed(talk, path)


def moved(talk, number):
    """Its packets, with another client address and port for each number."""
    address = struct.pack(">I", 0x0A010000 + number // 50000)
    port = struct.pack(">H", 1024 + number % 50000)
    by_client = talk.address[CLIENT]
    out = []
    for packet in talk.packets:
        if packet[26:30] == by_client:
            out.append(packet[:26] + address + packet[30:34] + port + packet[36:])
        else:
            out.append(packet[:30] + address + packet[34:36] + port + packet[38:])
    return out


def connections(path, count):
    """Connections of one small message each, all open to the end."""
    one = opened()
    one.server(frame(1, b"hello"))
    last = opened()
    last.packets[:0] = [packet for number in range(count) for packet in moved(one, number)]
    closed(last, path)


def header_large(path, kibibytes):
    extra = [b"X-Filler-%d: %s" % (i, b"x" * 1000) for i in range(kibibytes)]
    closed(opened(request=extra), path)


def header_lines_large(path, kibibytes):
    """Connections with one header line of the full size each, in the request and in the answer."""
    size = kibibytes * 1024
    edits = []
    for line in (b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Protocol: ", b"Sec-WebSocket-Version: ",
                 b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Extensions: ", b"Cookie: ", b"Origin: ",
                 b"Sec-WebSocket-Extensions: a; b=\"", b"Connection: "):
        value = b"x" * (size - len(line))
        edits += [(craft.adding(line + value), craft.adding()),
                  (craft.adding(), craft.adding(line + value))]
    edits.append((craft.first_line(b"GET /" + b"x" * size + b" HTTP/1.1"), craft.adding()))
    save_openings(path, edits)


def lines_repeated(path, count):
    """Connections with one header line again and again, in the request and in the answer."""
    edits = []
    for line in (b"Sec-WebSocket-Key: " + craft.KEY, b"Sec-WebSocket-Version: 13",
                 b"Sec-WebSocket-Accept: " + craft.accept(), b"Sec-WebSocket-Protocol: chat",
                 DEFLATE, b"Upgrade: websocket", b"Connection: Upgrade", b"Origin: http://a"):
        edits += [(craft.adding(*[line] * count), craft.adding()),
                  (craft.adding(), craft.adding(*[line] * count))]
    save_openings(path, edits)


def extensions_many(path, count):
    offers = b"Sec-WebSocket-Extensions: " + b", ".join(b"x-%d; a=1; b" % i for i in range(count))
    lines = [b"Sec-WebSocket-Protocol: p%d" % i for i in range(count // 10)]
    closed(opened(request=[offers, DEFLATE, *lines]), path)


def parameters_many(path, count):
    """One extension with thousands of parameters, offered and accepted."""
    line = DEFLATE + b"; server_no_context_takeover" * count
    closed(opened(request=[DEFLATE, line], response=[line]), path)


def request_long(number, size):
    filler = [b"X-Filler: " + b"x" * 1000] * (size // 1000)
    return craft.request(number, craft.adding(*filler))


def heads_unfinished(path, count):
    """Requests whose end comes when all others have begun, behind one that is longer than what is kept of any."""
    begun, rest = [], []
    for number in range(count + 1):
        talk = craft.Conversation(SEGMENT_MAX)
        head = request_long(number, HEAD_TOO_LONG if number == 0 else 1000)
        talk.connect()
        for at in range(0, len(head) - 10, 5000):
            talk.client(head[at:min(at + 5000, len(head) - 10)])
        begun += moved(talk, number)
        talk.packets.clear()
        talk.client(head[-10:])
        talk.server(craft.response(number))
        talk.server(frame(1, b"hello"))
        talk.close()
        rest += moved(talk, number)
    last = craft.Conversation(100)
    last.open()
    last.packets[:0] = begun + rest
    closed(last, path)


def head_traps(path, kibibytes):
    """A body full of what looks like the beginning of a request line."""
    talk = craft.Conversation(SEGMENT_MAX)
    talk.packet(CLIENT, craft.SYN)
    talk.packet(SERVER, craft.SYN | craft.ACK)
    talk.packet(CLIENT, craft.ACK)
    body = b"GET " * (kibibytes * 256)
    talk.client(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    talk.save(path)


def search_traps(path, kibibytes):
    """Framing is lost, and every second byte begins what may be a long frame, a few bytes a
    segment."""
    talk = opened()
    talk.seq[SERVER] += 100
    data = b"\x82\x7e" * (kibibytes * 512)
    for at in range(0, len(data), 16):
        talk.packet(SERVER, craft.PSH | craft.ACK, data[at:at + 16])
        if at % 1600 == 0:
            talk.packet(CLIENT, craft.ACK)
    talk.client(frame(1, LAST, KEY))
    talk.save(path)


def late_segments(path, count):
    """Each segment but the first comes before the one that it follows."""
    talk = opened()
    data = frame(2, bytes(count * 10))
    pieces = [(at, data[at:at + 10]) for at in range(0, len(data), 10)]
    random.Random(1).shuffle(pieces)
    start = talk.seq[SERVER]
    for at, piece in pieces:
        talk.packet(SERVER, craft.PSH | craft.ACK, piece, data_seq=start + at)
    talk.seq[SERVER] = start + len(data)
    talk.packet(CLIENT, craft.ACK)
    closed(talk, path)


def early_segments(path, count):
    """Frames that a client sends before it has its answer."""
    talk = craft.Conversation()
    talk.packet(CLIENT, craft.SYN)
    talk.packet(SERVER, craft.SYN | craft.ACK)
    talk.packet(CLIENT, craft.ACK)
    talk.client(b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: " + craft.KEY + b"\r\nSec-WebSocket-Version: 13\r\n\r\n")
    for _ in range(count):
        talk.packet(CLIENT, craft.PSH | craft.ACK, frame(2, b"x", KEY))
    talk.server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + craft.accept() + b"\r\n\r\n")
    closed(talk, path)


def fin_before(path, _size):
    """A FIN that was sent before the WebSocket began, seen again."""
    talk = opened()
    talk.server(frame(1, LAST))
    talk.packet(CLIENT, craft.FIN | craft.ACK, b"x", data_seq=talk.seq[CLIENT] - 50)
    talk.packet(SERVER, craft.RST)
    talk.save(path)


def payload_throws(path, _size):
    """A message that its dissector can't read to the end, and another one in the same packet."""
    talk = opened(request=[b"Sec-WebSocket-Protocol: mqtt"],
                  response=[b"Sec-WebSocket-Protocol: mqtt"])
    talk.server(frame(2, b"\x10\x7f\x00\x04MQ") + frame(2, b"\xc0\x00"))
    closed(talk, path)


def frames_split(path, count):
    """Messages in frames that lie in two segments each."""
    talk = opened()
    for number in range(count):
        data = frame(1, SPLIT_TEXT * 50)
        talk.server(data[:200])
        talk.server(data[200:])
        talk.client(frame(1, SPLIT_TEXT * (number % 3 * 20), KEY)[:4])
        talk.client(frame(1, SPLIT_TEXT * (number % 3 * 20), KEY)[4:])
    closed(talk, path)


def pong_earlier(path, _size):
    """A Pong whose time stamp lies before its Ping's."""
    talk = opened()
    talk.client(frame(9, b"p", KEY))
    talk.server(frame(10, b"p"))
    closed(talk, path)
    data = bytearray(path.read_bytes())
    at, last_ping = 24, None
    while at < len(data):
        seconds, micro, captured, _ = struct.unpack_from("<IIII", data, at)
        payload = bytes(data[at + 16 + 54:at + 16 + captured])
        if payload == frame(9, b"p", KEY):
            last_ping = (seconds, micro)
        if payload == frame(10, b"p"):
            struct.pack_into("<II", data, at, last_ping[0], last_ping[1] - 50)
        at += 16 + captured
    path.write_bytes(data)


BUILDERS = {
    # name: (function, quick size, full size)
    "bomb": (bomb, 80, 1024),
    "bombs_many": (bombs_many, 4, 20),  # what is printed of more is over the sealed environment's bound
    "bombs_connections": (bombs_connections, 4, 20),
    "length_huge": (length_huge, 1, 1),
    "length_msb": (length_msb, 1, 1),
    "fragments": (fragments, 20_000, 200_000),
    "pings": (pings, 5_000, 50_000),
    "frames_small": (frames_small, 30_000, 300_000),
    "frames_bad": (frames_bad, 3_000, 300_000),
    "findings_many": (frames_bad, 6_000, 1_500_000),  # more is over that bound, too
    "connections": (connections, 300, 100_000),
    "header_large": (header_large, 64, 64),
    "header_lines_large": (header_lines_large, 64, 64),
    "lines_repeated": (lines_repeated, 400, 4_000),
    "parameters_many": (parameters_many, 2_000, 4_000),
    "extensions_many": (extensions_many, 2_000, 4_000),
    "heads_unfinished": (heads_unfinished, 200, 20_000),
    "head_traps": (head_traps, 60, 600),
    "search_traps": (search_traps, 60, 1_000),
    "late_segments": (late_segments, 3_000, 30_000),
    "early_segments": (early_segments, 5_000, 100_000),
    "frames_split": (frames_split, 100, 20_000),
    "fin_before": (fin_before, 1, 1),
    "payload_throws": (payload_throws, 1, 1),
    "pong_earlier": (pong_earlier, 1, 1),
}
