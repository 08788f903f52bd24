"""The cases of the Autobahn WebSocket conformance suite: what its side sends, and what is wrong with it.

Case numbers, payloads and the ways in which bytes are chopped into TCP writes are the suite's; sizes of
groups 9, 12 and 13 (speed and volume) are smaller. `due` holds the rules that a frame breaks when it is
read in its place; what a connection's end proves is worked out in make.py, which plays the cases. Knows
nothing of packets or captures.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import dataclasses
import functools
import itertools
import random
import struct
import zlib

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, PROTOCOL_ERROR, BAD_PAYLOAD = 1000, 1002, 1007
HELLO = b"Hello, world!"
BYTES = bytes([0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF])
MIXED = b"BAsd7&jh23"
KOSME = bytes.fromhex("cebae1bdb9cf83cebcceb5")
EDITED = b"edited"
UMLAUTS = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()
# The suite waits here: what was written before is on the wire, and a peer's answer to it is heard.
WAIT = "wait"


@dataclasses.dataclass
class Frame:
    """One frame as the suite writes it. Neither sync nor chop: it shares TCP segments with its neighbours."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    chop: int = 0          # bytes of each TCP write, 0 = one write
    sync: bool = False     # a TCP write of its own
    parts: tuple = ()      # payload bytes of each write, with a wait after each
    due: tuple = ()        # rules that this frame breaks
    polite: bool = False   # a Close that the suite knows it sent: it will not send another as an answer
    plain: bytes = None    # on the last frame of a compressed message: the message


@dataclasses.dataclass
class Case:
    id: str
    steps: list
    fail: int = 0          # close code with which a peer fails the connection, 0 = nothing is wrong
    offer: str = ""        # Sec-WebSocket-Extensions of the request
    answer: str = ""       # and of the response
    window: tuple = (15, 15)        # bits of the client's and of the server's compressor
    takeover: tuple = (True, True)  # context takeover, in the same order
    compress: list = None  # messages to compress: (opcode, payload, fragment size or 0)

    @property
    def group(self):
        return self.id.split(".")[0]


def close(code=NORMAL, reason=b"", due=()):
    return Frame(CLOSE, struct.pack(">H", code) + reason, due=due, polite=True)


def fragments(opcode, payload, size, due_at=None, due=()):
    """A message in frames of `size` bytes; the frame that holds byte `due_at` breaks `due`."""
    frames = []
    for at in range(0, max(len(payload), 1), size):
        bad = due_at is not None and at <= due_at < at + size
        frames.append(Frame(CONT if at else opcode, payload[at:at + size],
                            fin=at + size >= len(payload), due=due if bad else ()))
    return frames


# --- 1 to 5 -------------------------------------------------------------------------------------


def framing():
    sizes = ((0, 0), (125, 0), (126, 0), (127, 0), (128, 0), (65535, 0), (65536, 0), (65536, 997))
    for part, (opcode, byte) in enumerate(((TEXT, b"*"), (BINARY, b"\xfe")), 1):
        for number, (size, chop) in enumerate(sizes, 1):
            yield Case(f"1.{part}.{number}", [Frame(opcode, byte * size, chop=chop)])


def pings():
    full = b"\xfe" * 125
    yield Case("2.1", [Frame(PING)])
    yield Case("2.2", [Frame(PING, HELLO)])
    yield Case("2.3", [Frame(PING, BYTES)])
    yield Case("2.4", [Frame(PING, full)])
    yield Case("2.5", [Frame(PING, full + b"\xfe", due=("frame-control-too-long",))], PROTOCOL_ERROR)
    yield Case("2.6", [Frame(PING, full, chop=1)])
    yield Case("2.7", [Frame(PONG), close()])
    yield Case("2.8", [Frame(PONG, b"unsolicited pong payload"), close()])
    yield Case("2.9", [Frame(PONG, b"unsolicited pong payload"), Frame(PING, b"ping payload")])
    for number, chop in ((10, 0), (11, 1)):
        yield Case(f"2.{number}", [Frame(PING, b"payload-%d" % n, chop=chop) for n in range(10)])


def reserved_bits():
    due = ("frame-rsv-nonzero",)

    def later(number, rsv, **write):
        return Case(f"3.{number}", [Frame(TEXT, HELLO, **write), Frame(TEXT, HELLO, rsv=rsv, due=due, **write),
                                    Frame(PING, **write)], PROTOCOL_ERROR)

    yield Case("3.1", [Frame(TEXT, HELLO, rsv=1, due=due)], PROTOCOL_ERROR)
    yield later(2, 2)
    yield later(3, 3, sync=True)
    yield later(4, 4, chop=1)
    yield Case("3.5", [Frame(BINARY, BYTES, rsv=5, due=due)], PROTOCOL_ERROR)
    yield Case("3.6", [Frame(PING, HELLO, rsv=6, due=due)], PROTOCOL_ERROR)
    yield Case("3.7", [Frame(CLOSE, rsv=7, due=due)], PROTOCOL_ERROR)


def opcodes():
    due = ("frame-opcode-reserved",)
    for part, first in ((1, 3), (2, 11)):
        yield Case(f"4.{part}.1", [Frame(first, due=due)], PROTOCOL_ERROR)
        yield Case(f"4.{part}.2", [Frame(first + 1, HELLO, due=due)], PROTOCOL_ERROR)
        for number, payload, chop in ((3, b"", 0), (4, HELLO, 0), (5, HELLO, 1)):
            yield Case(f"4.{part}.{number}",
                       [Frame(TEXT, HELLO, chop=chop),
                        Frame(first - 1 + number, payload, chop=chop, due=due),
                        Frame(PING, chop=chop)], PROTOCOL_ERROR)


def fragmentation():
    writes = ({}, {"sync": True}, {"chop": 1})
    orphan = ("frame-continuation-orphan",)
    one, two, three = b"fragment1", b"fragment2", b"fragment3"
    for number, opcode in ((1, PING), (2, PONG)):
        yield Case(f"5.{number}", [Frame(opcode, one, fin=False, due=("frame-control-fragmented",)),
                                   Frame(CONT, two, due=orphan)], PROTOCOL_ERROR)
    for number, write in enumerate(writes, 3):
        yield Case(f"5.{number}", [Frame(TEXT, one, fin=False, **write), Frame(CONT, two, **write)])
    for number, write in enumerate(writes, 6):
        yield Case(f"5.{number}", [Frame(TEXT, one, fin=False, **write), Frame(PING, b"ping payload", **write),
                                   Frame(CONT, two, **write)])
    for number, (fin, write) in enumerate(itertools.product((True, False), writes), 9):
        yield Case(f"5.{number}", [Frame(CONT, b"non-continuation payload", fin=fin, due=orphan, **write),
                                   Frame(TEXT, HELLO, **write)], PROTOCOL_ERROR)
    yield Case("5.15", [Frame(TEXT, one, fin=False), Frame(CONT, two), Frame(CONT, three, fin=False, due=orphan),
                        Frame(TEXT, b"fragment4")], PROTOCOL_ERROR)
    for number, fin in ((16, False), (17, True)):
        yield Case(f"5.{number}", [Frame(CONT, one, fin=fin, due=orphan), Frame(TEXT, two, fin=False),
                                   Frame(CONT, three)] * 2, PROTOCOL_ERROR)
    yield Case("5.18", [Frame(TEXT, one, fin=False), Frame(TEXT, two, due=("frame-message-interleaved",))],
               PROTOCOL_ERROR)
    for number, sync in ((19, False), (20, True)):
        part = [Frame(CONT, b"fragment%d" % n, fin=n == 5, sync=sync) for n in range(2, 6)]
        yield Case(f"5.{number}", [Frame(TEXT, one, fin=False, sync=sync), part[0],
                                   Frame(PING, b"pongme 1!", sync=sync), WAIT, part[1], part[2],
                                   Frame(PING, b"pongme 2!", sync=sync), part[3]])


# --- 6 ------------------------------------------------------------------------------------------

# One line a group from 6.5 on: valid ones, then the others (hexadecimal). Order within a group is the suite's.
LONELY = ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))
LAST_MISSING = ("c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf")
SURROGATES = ("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf")


def sequences():
    """(valid, bytes) of each case, one list a subgroup, from 6.5 on."""
    def good(*texts):
        return [(True, bytes.fromhex(t)) for t in texts]

    def bad(*texts):
        return [(False, bytes.fromhex(t)) for t in texts]

    yield [(True, b"hello" + bytes.fromhex(t) + b"world") for t in ("24", "c2a2", "e282ac", "f0a4ada2")] \
        + [(True, KOSME)]
    ends = (2, 5, 7, 9, 11)                     # where a character of KOSME ends
    yield [(n in ends, KOSME[:n]) for n in range(1, len(KOSME) + 1)]
    yield good("00", "c280", "e0a080", "f0908080")
    yield bad("f888808080", "fc8480808080")
    yield good("7f", "dfbf", "efbfbf", "f48fbfbf")
    yield bad("f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf")
    yield good("ed9fbf", "ee8080", "efbfbd", "f48fbfbf") + bad("f4908080")
    yield bad("80", "bf", *(("80bf" * 3)[:2 * n] for n in range(2, 7))) + [(False, bytes(range(0x80, 0xBF)))]
    yield [(False, b"".join(bytes([n, 0x20]) for n in range(first, end))) for first, end in LONELY]
    yield bad(*LAST_MISSING)
    yield bad("".join(LAST_MISSING))
    yield bad("fe", "ff", "fefeffff")
    yield bad("c0af", "e080af", "f08080af", "f8808080af", "fc80808080af")
    yield bad("c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf")
    yield bad("c080", "e08080", "f0808080", "f880808080", "fc8080808080")
    yield bad(*SURROGATES)
    yield bad(*(high + low for high in SURROGATES[:4] for low in ("edb080", "edbfbf")))
    planes = [chr((plane << 16) + 0xFFFE + last).encode() for plane in range(17) for last in (0, 1)]
    yield [(True, text) for text in planes]
    yield good("efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbfbe", "efbfbf")


def utf8():
    due = ("message-utf8-invalid",)
    yield Case("6.1.1", [Frame(TEXT)])
    yield Case("6.1.2", [Frame(TEXT, fin=False), Frame(CONT, fin=False), Frame(CONT)])
    yield Case("6.1.3", [Frame(TEXT, fin=False), Frame(CONT, b"middle frame payload", fin=False), Frame(CONT)])
    yield Case("6.2.1", [Frame(TEXT, UMLAUTS)])
    cut = UMLAUTS.index("\u00fc".encode())
    yield Case("6.2.2", [Frame(TEXT, UMLAUTS[:cut], fin=False), Frame(CONT, UMLAUTS[cut:])])
    yield Case("6.2.3", fragments(TEXT, UMLAUTS, 1))
    yield Case("6.2.4", fragments(TEXT, KOSME, 1))
    surrogate = KOSME + b"\xed\xa0\x80" + EDITED
    yield Case("6.3.1", [Frame(TEXT, surrogate, due=due)], BAD_PAYLOAD)
    yield Case("6.3.2", fragments(TEXT, surrogate, 1, 12, due), BAD_PAYLOAD)
    beyond = KOSME + b"\xf4\x90\x80\x80" + EDITED       # byte 12 proves it
    for number, cuts in ((1, (11, 15)), (2, (12, 13))):
        first, second = cuts
        yield Case(f"6.4.{number}", [Frame(TEXT, beyond[:first], fin=False), WAIT,
                                     Frame(CONT, beyond[first:second], fin=False, due=due), WAIT,
                                     Frame(CONT, beyond[second:])], BAD_PAYLOAD)
        yield Case(f"6.4.{number + 2}", [Frame(TEXT, beyond, due=due, parts=(
            first, second - first, len(beyond) - second))], BAD_PAYLOAD)
    for part, group in enumerate(sequences(), 5):
        for number, (valid, text) in enumerate(group, 1):
            yield Case(f"6.{part}.{number}", [Frame(TEXT, text, due=() if valid else due)],
                       0 if valid else BAD_PAYLOAD)


# --- 7 ------------------------------------------------------------------------------------------


def closes():
    text = b"Hello World!"
    yield Case("7.1.1", [Frame(TEXT, text)])
    yield Case("7.1.2", [close(), Frame(CLOSE)])
    yield Case("7.1.3", [close(), Frame(PING)])
    yield Case("7.1.4", [close(), Frame(TEXT, text)])
    yield Case("7.1.5", [Frame(TEXT, b"fragment1", fin=False), close(), Frame(CONT, b"fragment2")])
    long = (MIXED * (1 << 15))[:1 << 18]
    yield Case("7.1.6", [Frame(TEXT, long), Frame(TEXT, text), close(), Frame(PING)])
    yield Case("7.3.1", [Frame(CLOSE, polite=True)])
    yield Case("7.3.2", [Frame(CLOSE, b"a", due=("close-body-one-byte",), polite=True)], PROTOCOL_ERROR)
    yield Case("7.3.3", [close()])
    yield Case("7.3.4", [close(NORMAL, text)])
    yield Case("7.3.5", [close(NORMAL, b"*" * 123)])
    yield Case("7.3.6", [close(NORMAL, b"*" * 124, ("frame-control-too-long",))], PROTOCOL_ERROR)
    yield Case("7.5.1", [close(NORMAL, KOSME + b"\xed\xa0\x80" + EDITED, ("close-reason-utf8",))], BAD_PAYLOAD)
    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for number, code in enumerate(good, 1):
        yield Case(f"7.7.{number}", [close(code)])
    # The last two are informational to the suite; RFC 6455 7.4.2 defines no code over 4999.
    bad = [f"7.9.{n}" for n in range(1, 10)] + ["7.13.1", "7.13.2"]
    for name, code in zip(bad, (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)):
        yield Case(name, [close(code, due=("close-code-invalid",))], PROTOCOL_ERROR)


# --- 9 and 10 -----------------------------------------------------------------------------------


def volume():
    kinds = ((TEXT, b"*", MIXED), (BINARY, b"\xfe", bytes([0, 0xFE, 0x23, 0xFA, 0xF0])))
    for part, (opcode, _, pattern) in enumerate(kinds, 1):
        for number, size in enumerate((65536, 98304, 131072, 163840, 196608, 262144), 1):
            yield Case(f"9.{part}.{number}", [Frame(opcode, (pattern * size)[:size])])
    for part, (opcode, byte, _) in enumerate(kinds, 3):
        sizes = (64, 256, 1024, 4096, 16384, 32768, 65535, 65536, 65537)
        for number, size in enumerate(sizes, 1):
            yield Case(f"9.{part}.{number}", fragments(opcode, byte * 65536, size))
    for part, (opcode, _, pattern) in enumerate(kinds, 5):
        for number, chop in enumerate((64, 128, 256, 512, 1024, 2048), 1):
            yield Case(f"9.{part}.{number}", [Frame(opcode, (pattern * 65536)[:65536], chop=chop)])
    for part, (opcode, byte, _) in enumerate(kinds, 7):
        for number, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            yield Case(f"9.{part}.{number}", [s for _ in range(12) for s in (Frame(opcode, byte * size), WAIT)])


def automatic():
    yield Case("10.1.1", fragments(TEXT, b"*" * 65536, 1300))


# --- 12 and 13 ----------------------------------------------------------------------------------

# (bytes of a message, messages, automatic fragment size)
MESSAGES = ((16, 8, 0), (64, 8, 0), (256, 8, 0), (1024, 8, 0), (4096, 4, 0), (8192, 3, 0), (9000, 3, 0),
            (10000, 3, 0), (12000, 2, 0), (16384, 2, 0), (8192, 3, 256), (9000, 3, 256), (10000, 3, 256),
            (12000, 2, 256), (16384, 2, 256), (16384, 2, 1024), (20000, 2, 4096), (70000, 2, 32768))
DATA_BYTES = 90000


def words(seed, forms):
    """Bytes that compress as prose or markup does: `forms` with words in place of %s."""
    chance = random.Random(seed)
    stock = ["".join(chance.choice("etaoinshrdlu") for _ in range(chance.randint(2, 9))) for _ in range(400)]
    out = []
    while sum(map(len, out)) < DATA_BYTES:
        out.extend(chance.choice(forms).replace("%s", chance.choice(stock)) for _ in range(1000))
    return "".join(out).encode()[:DATA_BYTES]


def picture():
    chance, value, out = random.Random(2), 128, bytearray()
    while len(out) < DATA_BYTES:
        value = min(255, max(0, value + chance.choice((-2, -1, 0, 0, 0, 1, 2))))
        out += bytes([value]) * chance.choice((1, 1, 2, 3, 5))
    return bytes(out[:DATA_BYTES])


@functools.cache
def data_sets():
    """(opcode, bytes) in the order of subgroups 12.1 to 12.5; 13 uses the first."""
    return ((TEXT, words(1, ('{"id": "%s", ', '"%s": [1, 2, 3], ', '"%s": null}, '))), (BINARY, picture()),
            (BINARY, words(3, ("%s ", "%s ", "%s, ", "%s.\r\n"))),
            (TEXT, words(4, ("<p class='%s'>", "%s ", "%s</p>\n", "<a href='/%s'>"))),
            (BINARY, zlib.compress(random.Random(5).randbytes(DATA_BYTES))[:DATA_BYTES]))


# What the suite asks for as a client: its offers, then what a server makes of them (window bits asked of
# the server, context takeover of the server). 8 is allowed, although zlib can't make it: its nearest
# window, 512, never refers back by more than 250 bytes.
def offer(no_takeover=False, bits=0):
    return ("permessage-deflate; client_no_context_takeover; client_max_window_bits"
            + ("; server_no_context_takeover" if no_takeover else "")
            + (f"; server_max_window_bits={bits}" if bits else ""))


PARAMETERS = ((False, 0), (True, 0), (False, 8), (False, 15), (True, 8), (True, 15), (True, 8))


def compressed(name, data, row, no_takeover, bits, role, narrow=8):
    """A case of group 12 or 13; role 0: the suite is the client and asks, 1: the server and demands."""
    opcode, source = data
    size, count, fragment = MESSAGES[row]
    start = row * 1000
    texts = [(source * 3)[start + n * size:start + (n + 1) * size] for n in range(count)]
    bits = narrow if bits == 8 else bits
    used = bits or 15
    asked, answer = offer(), "permessage-deflate"
    if role == 0:
        asked = offer(no_takeover, bits)
        if name.startswith("13.7."):
            asked = ", ".join((offer(True, bits), offer(True), offer()))
    side = ("server", "client")[role]
    answer += f"; {side}_no_context_takeover" if no_takeover else ""
    answer += f"; {side}_max_window_bits={bits}" if bits else ""
    window, takeover = [15, 15], [True, True]
    window[1 - role], takeover[1 - role] = used, not no_takeover
    return Case(name, [], 0, asked, answer, tuple(window), tuple(takeover),
                [(opcode, text, fragment) for text in texts])


def compression(role):
    sets = data_sets()
    for part, data in enumerate(sets, 1):
        for row in range(len(MESSAGES)):
            yield compressed(f"12.{part}.{row + 1}", data, row, False, 0, role)
    for part, (no_takeover, bits) in enumerate(PARAMETERS, 1):
        for row in range(len(MESSAGES)):
            # Suites on newer zlibs ask for 9, older ones for 8.
            yield compressed(f"13.{part}.{row + 1}", sets[0], row, no_takeover, bits, role, 8 + row % 2)


def all_cases(role):
    """The suite's 517 cases; role 0: the suite is the client, 1: the server."""
    return list(itertools.chain(framing(), pings(), reserved_bits(), opcodes(), fragmentation(), utf8(), closes(),
                                volume(), automatic(), compression(role)))
