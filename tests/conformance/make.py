#!/usr/bin/env python3
"""Captures of the conformance cases: plays each case between the suite and a correct peer, and says what
a judge has to find.

    make.py FOLDER        writes GROUP-ROLE-MANNER.pcap for every group

ROLE is what the suite is: client or server. MANNER is how the peer takes what is wrong:
clean   nothing is wrong: echoes, Pongs, a closing handshake; all cases that are valid
polite  fails the connection with a Close as soon as it can see the fault; the suite answers
drop    ends the TCP connection without a word as soon as it can see the fault
hasty   sends Close and FIN at once and does not wait for the answer
late    sees the fault at the end of what the suite has to send, then as polite

cases.py says which rules a frame breaks. Here: what follows from the order of Closes, from messages that
never end, and from the end of the connection.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import codecs
import dataclasses
import pathlib
import random
import struct
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import cases  # noqa: E402
import craft  # noqa: E402
from cases import CLOSE, CONT, PING, PONG, TEXT, WAIT, Frame  # noqa: E402

ROLES = ("client", "server")
MANNERS = ("clean", "polite", "drop", "hasty", "late")
PORT = 9001
DIRECTIONS = ("c2s", "s2c")
UNFINISHED = "message-unfinished"
TAIL = b"\x00\x00\xff\xff"


@dataclasses.dataclass
class Expected:
    """What is right for one connection. Rules are those of severity error and warning."""

    id: str
    due: dict                    # c2s, s2c, open, end: the rules that must be there, no others
    may: set                     # rules that may be there besides
    loose: str = ""              # a direction in which anything more may be found
    messages: dict = None        # c2s, s2c: (kind, bytes) in order; only where nothing is wrong
    cause: str = "fin"           # how the connection ends


class Peer:
    """A correct endpoint: frames in, answers out. failed: the close code once it has failed the connection."""

    def __init__(self, late):
        self.late, self.failed, self.closed = late, 0, False
        self.open, self.text, self.decoder = None, b"", None

    def fail(self, code):
        self.failed = code
        return []

    def utf8(self, data, final):
        try:
            self.decoder.decode(data, final)
        except UnicodeDecodeError:
            return False
        return True

    def partial(self, frame, data):
        """The first bytes of a text frame; what a fail-fast endpoint makes of them."""
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        if not self.late and not self.utf8(data, False):
            self.fail(cases.BAD_PAYLOAD)

    def control(self, frame):
        if len(frame.payload) > 125 or not frame.fin:
            return self.fail(cases.PROTOCOL_ERROR)
        if frame.opcode == PING:
            return [Frame(PONG, frame.payload)]
        if frame.opcode == PONG:
            return []
        body, code = frame.payload, cases.NORMAL
        if len(body) == 1:
            return self.fail(cases.PROTOCOL_ERROR)
        if body:
            code = struct.unpack(">H", body[:2])[0]
            if not (code in (1000, 1001, 1002, 1003) or 1007 <= code <= 1014 or 3000 <= code <= 4999):
                return self.fail(cases.PROTOCOL_ERROR)
            try:
                body[2:].decode("utf-8")
            except UnicodeDecodeError:
                return self.fail(cases.BAD_PAYLOAD)
        self.closed = True
        return [Frame(CLOSE, struct.pack(">H", code) if body else b"")]

    def feed(self, frame, compressed):
        if self.failed or self.closed:
            return []
        reserved = frame.opcode not in (0, 1, 2, 8, 9, 10)
        if reserved or frame.rsv & (3 if compressed else 7):
            return self.fail(cases.PROTOCOL_ERROR)
        if frame.opcode >= 8:
            return self.control(frame)
        if (frame.opcode == CONT) != (self.open is not None):
            return self.fail(cases.PROTOCOL_ERROR)
        if frame.opcode != CONT:
            self.open, self.text = frame.opcode, b""
            self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text += frame.payload
        if self.open == TEXT and not compressed and not self.utf8(frame.payload, frame.fin):
            return self.fail(cases.BAD_PAYLOAD)
        if not frame.fin:
            return []
        opcode, self.open = self.open, None
        return [Frame(opcode, self.text if frame.plain is None else frame.plain)]


class Deflater:
    """One side's compressor."""

    def __init__(self, bits, takeover):
        self.bits, self.takeover, self.zlib = -max(bits, 9), takeover, None

    def message(self, data):
        if not self.zlib or not self.takeover:
            self.zlib = zlib.compressobj(6, zlib.DEFLATED, self.bits)
        out = self.zlib.compress(data) + self.zlib.flush(zlib.Z_SYNC_FLUSH)
        assert out.endswith(TAIL)
        return out[:-len(TAIL)]

    def frames(self, opcode, data, size=0):
        wire = self.message(data)
        made = cases.fragments(opcode, wire, size or len(wire))
        made[0].rsv, made[-1].plain = 4, data
        return made


class Play:
    """One case between the suite and a peer."""

    def __init__(self, case, number, role, manner, chance):
        self.case, self.number, self.manner, self.chance = case, number, manner, chance
        self.suite, self.peer_side = role, 1 - role
        self.late = manner == "late"
        self.peer = Peer(self.late)
        self.conv = craft.Conversation()
        self.conv.port = [40000 + number, PORT]
        self.waiting = b""                   # written by the suite, not on the wire yet
        self.answers = []                    # of the peer, to be written when the suite's segment is out
        self.close_sent = [False, False]
        self.polite_close = False            # the suite knows that it sent Close
        self.open = [False, False]           # a message is under way
        self.heard = self.over = False       # the peer's failing has shown; the peer ended the connection
        self.fin_with_data = number % 3 == 1
        self.expected = Expected(case.id, {"c2s": set(), "s2c": set(), "open": set(), "end": set()}, set(),
                                 messages={"c2s": [], "s2c": []})
        self.assembly = [None, b""], [None, b""]
        self.deflaters = [Deflater(*p) for p in zip(case.window, case.takeover)] if case.compress else None

    # --- the wire

    def handshake(self):
        conv, key = self.conv, base64.b64encode(self.chance.randbytes(16))
        for side, flags in ((0, craft.SYN), (1, craft.SYN | craft.ACK), (0, craft.ACK)):
            conv.packet(side, flags)
        # A browser offers compression to the suite's server, which accepts it in groups 12 and 13 only.
        offer = self.case.offer or ("permessage-deflate; client_max_window_bits" if self.suite else "")
        lines = [f"GET /runCase?case={self.number + 1}&agent=peer HTTP/1.1", "Host: 127.0.0.1:9001",
                 "Upgrade: WebSocket", "Connection: Upgrade", "Pragma: no-cache",
                 "Cache-Control: no-cache", "Sec-WebSocket-Key: " + key.decode(), "Sec-WebSocket-Version: 13"]
        conv.client("\r\n".join(lines + [f"Sec-WebSocket-Extensions: {offer}"] * bool(offer) + ["", ""]).encode())
        lines = ["HTTP/1.1 101 Switching Protocols", ("Upgrade: WebSocket", "upgrade: websocket")[self.number % 2],
                 "Connection: Upgrade",
                 ("Sec-WebSocket-Accept: ", "sec-websocket-accept: ")[self.number % 2] + craft.accept(key).decode()]
        extension = [f"Sec-WebSocket-Extensions: {self.case.answer}"] if self.case.answer else []
        conv.server("\r\n".join(lines + extension + ["", ""]).encode())

    def encode(self, side, frame):
        key = None
        if side == 0:
            key = bytes(self.chance.randint(1, 255) for _ in range(4))
        return craft.frame(frame.opcode, frame.payload, key, frame.fin, frame.rsv)

    def note(self, side, frame):
        """Rules and messages of a frame that goes out."""
        due = self.expected.due[DIRECTIONS[side]]
        due.update(frame.due)
        if self.close_sent[side]:
            due.add("close-control-after" if frame.opcode >= 8 else "close-data-after")
        if frame.opcode == CLOSE:
            self.close_sent[side] = True
        self.keep(side, frame)
        if frame.opcode in (1, 2):
            self.open[side] = self.open[side] or not frame.fin
        elif frame.opcode == CONT and frame.fin:
            self.open[side] = False

    def keep(self, side, frame):
        kinds = {TEXT: "text", 2: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
        log, assembly = self.expected.messages[DIRECTIONS[side]], self.assembly[side]
        if frame.opcode >= 8:
            log.append((kinds.get(frame.opcode, "frame"), frame.payload))
            return
        if frame.opcode != CONT:
            assembly[:] = [frame.opcode, b""]
        assembly[1] += frame.payload
        if frame.fin:
            log.append((kinds.get(assembly[0], "frame"),
                        assembly[1] if frame.plain is None else frame.plain))

    def flush(self):
        if self.waiting:
            self.conv.send(self.suite, self.waiting)
            self.waiting = b""
        answers, self.answers = self.answers, []
        for frame in answers:
            self.peer_write(frame)
        if self.peer.failed and not self.heard and not self.late:
            self.peer_fails()

    def peer_write(self, frame):
        side, last = self.peer_side, frame.opcode == CLOSE
        frames = [frame]
        # A peer may leave short messages uncompressed.
        if self.deflaters and frame.opcode in (1, 2) and not (self.suite and len(frame.payload) < 32):
            frames = self.deflaters[side].frames(frame.opcode, frame.payload)
        for one in frames:
            self.note(side, one)
            data = self.encode(side, one)
            if last and side == 1 and self.fin_with_data and self.close_sent[0]:
                self.conv.packet(1, craft.PSH | craft.ACK | craft.FIN, data)
                self.conv.packet(0, craft.ACK)
                self.end(1, already=True)
            else:
                self.conv.send(side, data)

    def peer_fails(self):
        self.heard = True
        if self.manner == "drop":
            self.end(self.peer_side, reset=self.number % 2 == 0)
            return
        self.peer_write(Frame(CLOSE, struct.pack(">H", self.peer.failed)))
        if self.manner == "hasty" and not self.over:
            self.end(self.peer_side)

    def end(self, first, reset=False, already=False):
        """The end of the TCP connection, begun by a side."""
        self.over, conv = True, self.conv
        if reset:
            conv.packet(first, craft.RST | craft.ACK)
            self.expected.cause = "rst"
            return
        if not already:
            conv.packet(first, craft.FIN | craft.ACK)
            conv.packet(1 - first, craft.ACK)
        conv.packet(1 - first, craft.FIN | craft.ACK)
        conv.packet(first, craft.ACK)

    # --- the suite

    def suite_write(self, frame):
        wire = self.encode(self.suite, frame)
        self.polite_close = self.polite_close or frame.polite
        if frame.parts:
            return self.suite_parts(frame, wire)
        if frame.chop or frame.sync:
            self.flush()
        if self.over:
            return None
        self.note(self.suite, frame)
        size = frame.chop or len(wire)
        if frame.chop or frame.sync:
            for at in range(0, len(wire) - size, size):
                self.conv.send(self.suite, wire[at:at + size])
            self.waiting = wire[(len(wire) - 1) // size * size:]
        else:
            self.waiting += wire
        self.answers += self.peer.feed(frame, bool(self.deflaters))
        if frame.chop or frame.sync:
            self.flush()
        return None

    def suite_parts(self, frame, wire):
        """A text frame in several writes, with a wait after each."""
        at, head = 0, len(wire) - len(frame.payload)
        for size in frame.parts[:-1]:
            end = at + size
            self.conv.send(self.suite, wire[head + at if at else 0:head + end])
            self.peer.partial(frame, frame.payload[:end])
            at = end
            if self.peer.failed:
                break
        if not self.peer.failed:
            self.conv.send(self.suite, wire[head + at:])
            self.note(self.suite, frame)
            self.answers += self.peer.feed(frame, False)
            return
        # The frame stays unfinished. The suite's answer to the Close would be read as its payload, and
        # what of it is left over as a frame.
        self.expected.due[DIRECTIONS[self.suite]].update(frame.due)
        self.expected.loose = DIRECTIONS[self.suite]
        self.expected.may = {UNFINISHED, "close-unanswered"}
        self.peer_fails()
        if not self.over:
            answer = Frame(CLOSE, struct.pack(">H", self.peer.failed))
            self.conv.send(self.suite, self.encode(self.suite, answer))
            self.end(1)

    def suite_steps(self):
        for step in self.case.steps:
            if self.over:
                return
            if step == WAIT:
                self.flush()
                if self.peer.failed and not self.late:
                    return
                continue
            self.suite_write(step)
        for opcode, text, size in self.case.compress or ():
            for frame in self.deflaters[self.suite].frames(opcode, text, size):
                self.suite_write(frame)
            self.flush()

    def run(self):
        self.handshake()
        self.suite_steps()
        if not self.over:
            self.flush()
        if self.late and self.peer.failed and not self.over and not self.heard:
            self.peer_fails()
        if not self.over and not self.heard and not self.polite_close:
            self.suite_write(cases.close())
            self.flush()
        if not self.over and self.heard and not self.polite_close:
            answer = Frame(CLOSE, struct.pack(">H", self.peer.failed))
            self.note(self.suite, answer)
            self.conv.send(self.suite, self.encode(self.suite, answer))
        if not self.over:
            self.end(1)
        return self.conv, self.judge()

    def judge(self):
        expected, end = self.expected, self.expected.due["end"]
        assert (self.peer.failed or 0) == self.case.fail, f"{self.case.id}: the peer fails with {self.peer.failed}"
        if not any(self.close_sent):
            end.add("close-missing")
        elif not all(self.close_sent) and not expected.loose:
            end.add("close-unanswered")
        if any(self.open):
            end.add(UNFINISHED)
        wrong = any(expected.due[d] for d in DIRECTIONS)
        if wrong:
            expected.messages = None
        return expected


def wanted(manner, case):
    return (manner == "clean") == (not case.fail)


def save(path, conversations):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        ns = craft.FIRST_TIME_NS
        for conversation in conversations:
            for packet in conversation.packets:
                ns += 10**6
                out.write(struct.pack("<IIII", ns // 10**9, ns % 10**9 // 1000, len(packet), len(packet)) + packet)


def build(path, group, role, manner):
    """Writes a capture with one connection a case; returns what is expected of each, in order.
    Nothing is written when the group has no case of that manner."""
    chosen = [(n, c) for n, c in enumerate(cases.all_cases(ROLES.index(role)))
              if c.group == group and wanted(manner, c)]
    if not chosen:
        return []
    chance = random.Random(f"{group} {role} {manner}")
    played = [Play(case, number, ROLES.index(role), manner, chance).run() for number, case in chosen]
    save(path, [conversation for conversation, _ in played])
    return [expected for _, expected in played]


def main():
    folder = pathlib.Path(sys.argv[1])
    for group in dict.fromkeys(c.group for c in cases.all_cases(0)):
        for role in ROLES:
            for manner in MANNERS:
                path = folder / f"{group}-{role}-{manner}.pcap"
                count = len(build(path, group, role, manner))
                if count:
                    print(f"{path.name}: {count} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make.py FOLDER")
    main()
