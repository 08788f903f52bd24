#!/usr/bin/env python3
"""Make captures that are hard to read when damaged, with their truth, the same way for the same seed.

    invent.py FOLDER --seed N [--files N] [--connections N]

Writes FOLDER/hard_N.pcapng and .truth.jsonl for measure.py. What real recordings seldom hold, and a search
for lost frames may fall for: payloads that look like frames (frames in frames, numbers with many zeros,
protocol buffers, runs of one byte), headers sent apart from their payload, segments cut anywhere, many
frames in one segment, ends of long messages in short segments, fragments, one masking key for all frames.
Frames inside frames are those of the other direction: of those of its own, behind a hole that took the
outer header, nothing tells that they are not the connection's.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import hashlib
import json
import pathlib
import random
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import craft  # noqa: E402

WAYS = ("c2s", "s2c")
NAMES = {1: "text", 2: "binary", 9: "ping", 10: "pong"}
WORDS = ["the", "state", "of", "a", "valve", "é", "漢字", "{\"id\":", "}", "[1,2]", "0", "\n", "temperature"]
CUTS = ("frame", "head apart", "anywhere", "joined", "joined and cut", "small")
SORTS = ("random", "text", "numbers", "frames", "protobuf", "one byte", "low bytes")


# --- payloads -----------------------------------------------------------------------------------


def text(rng, size):
    out = ""
    while len(out.encode()) < size:
        out += rng.choice(WORDS) + " "
    return out.encode()[:size].decode(errors="ignore").encode()


def body(rng, sort, size, side):
    if sort == "text":
        return text(rng, size)
    out = b""
    while len(out) < size:
        if sort == "random":
            out += rng.randbytes(size)
        elif sort == "numbers":
            out += struct.pack(rng.choice("<>") + rng.choice("HIQ"), rng.choice([0, 1, 2, 5, 128, 130, 1000]))
        elif sort == "protobuf":
            piece = text(rng, rng.randrange(1, 20))
            out += bytes([rng.randrange(1, 16) << 3 | 2, len(piece)]) + piece
        elif sort == "one byte":
            out += bytes([rng.choice([0, 1, 2, 0x80, 0x81, 0x82, 0x8a, 255])]) * size
        elif sort == "low bytes":
            out += bytes(rng.choice([0, 0, 1, 1, 2, 2, 3, 5, 126, 127, 128, 129, 130]) for _ in range(8))
        else:
            key = rng.randbytes(4) if side == craft.SERVER else None     # the wrong way round
            kind = rng.choice([1, 2, 2, 9])
            inner = text(rng, rng.randrange(60)) if kind == 1 else rng.randbytes(rng.randrange(60))
            out += craft.frame(kind, inner, key)
    return out[:size]


def size_of(rng):
    return rng.choice([rng.randrange(8), rng.randrange(126), rng.randrange(126), rng.randrange(1500),
                       rng.randrange(1300, 1700), rng.randrange(6000)])


# --- one direction ------------------------------------------------------------------------------


class Talker:
    """What one side of a connection sends, and how."""

    def __init__(self, rng, side, deflate):
        self.rng, self.side, self.deflate = rng, side, deflate
        self.cut, self.sorts = rng.choice(CUTS), rng.sample(SORTS, 3)
        self.fragments = rng.random() < 0.3
        self.key = rng.randbytes(4) if rng.random() < 0.2 else None
        self.held = b""
        self.packer = None

    def frame(self, opcode, payload, fin=True, rsv=0):
        key = (self.key or self.rng.randbytes(4)) if self.side == craft.CLIENT else None
        return craft.frame(opcode, payload, key, fin, rsv)

    def packed(self, payload):
        if self.packer is None or self.deflate == "nct":
            self.packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        return (self.packer.compress(payload) + self.packer.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def message(self):
        """(opcode, body, frames)"""
        rng = self.rng
        if rng.random() < 0.05:
            opcode, payload = rng.choice([9, 10]), rng.randbytes(rng.randrange(20))
            return opcode, payload, [self.frame(opcode, payload)]
        sort, size = rng.choice(self.sorts), size_of(rng)
        opcode, payload = (1 if sort == "text" else 2), body(rng, sort, size, self.side)
        rsv = 4 if self.deflate and rng.random() < 0.8 else 0
        wire = self.packed(payload) if rsv else payload
        parts = rng.randrange(1, 4) if self.fragments else 1
        at = [0, *sorted(rng.randrange(len(wire) + 1) for _ in range(parts - 1)), len(wire)]
        frames = [self.frame(opcode if i == 0 else 0, wire[at[i]:at[i + 1]], i == parts - 1,
                             rsv if i == 0 else 0) for i in range(parts)]
        return opcode, payload, frames

    def writes(self, frames):
        rng = self.rng
        for frame in frames:
            if self.cut == "head apart":
                head = 2 + {126: 2, 127: 8}.get(frame[1] & 127, 0) + (4 if frame[1] & 128 else 0)
                yield from (x for x in (frame[:head], frame[head:]) if x)
            elif self.cut in ("anywhere", "small"):
                most = 40 if self.cut == "small" else 1400
                while frame:
                    size = rng.randrange(1, most)
                    yield frame[:size]
                    frame = frame[size:]
            elif self.cut.startswith("joined"):
                self.held += frame
                if rng.random() < 0.3:
                    size = len(self.held) if self.cut == "joined" else len(self.held) // 1400 * 1400
                    if size:
                        yield self.held[:size]
                    self.held = self.held[size:]
            else:
                yield frame


def connection(rng, number, messages):
    """(packets, truth lines)"""
    talk = craft.Conversation()
    talk.port[0] = 50001 + number
    deflate = rng.choice(["", "", "nct", "takeover"])
    terms = b"permessage-deflate"
    if deflate == "nct":
        terms += b"; server_no_context_takeover; client_no_context_takeover"
    offer = [b"Sec-WebSocket-Extensions: " + terms] if deflate else []
    talk.open(offer, offer)
    sides, log = [Talker(rng, side, deflate) for side in (craft.CLIENT, craft.SERVER)], []
    for _ in range(messages):
        talker = rng.choice(sides)
        opcode, payload, frames = talker.message()
        for data in talker.writes(frames):
            talk.send(talker.side, data)
        log.append({"conn": number, "dir": WAYS[talker.side], "type": NAMES[opcode], "len": len(payload),
                    "sha256": hashlib.sha256(payload).hexdigest(), "sport": talk.port[0],
                    "dport": talk.port[1], "seen": "recv"})
    for talker in sides:
        if talker.held:
            talk.send(talker.side, talker.held)
    talk.finish()
    return talk.packets, log


def make(folder, seed, number, connections):
    rng, all_packets, lines = random.Random(seed * 1000 + number), [], []
    for n in range(connections):
        packets, log = connection(rng, n, rng.randrange(10, 60))
        all_packets += packets
        lines += log
    whole = craft.Conversation()
    whole.packets = all_packets
    whole.save(folder / f"hard_{number}.pcapng")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"hard_{number}.truth.jsonl").write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--connections", type=int, default=20)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for number in range(args.files):
        make(args.folder, args.seed, number, args.connections)


if __name__ == "__main__":
    main()
