"""What a frame, a connection, a message in a packet, a fragment, an outstanding Ping, an open request, a
message of an application's unit that does not end and a segment in which frames are searched for cost must
not grow with their number.

One capture holds each of them at two or three sizes, one stage behind the other. callgrind counts the
instructions spent in the plugin's entry points, with all that they call; counts do not depend on how
busy the machine is. A stage ends with a compressed message on a connection of its own: the plugin's
function that inflates is called nowhere else in the capture, and callgrind writes its counts so far
when it is entered.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import pathlib
import re
import shutil
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "lib")]
import workloads as w  # noqa: E402

MARK = "wsx_inflate_message"
# None of these calls another one: callgrind counts from entering one until it is left. Optimised as
# a whole, a plugin's own functions may bear a suffix.
ENTRIES = ("dissect_tcp", "dissect_end")
SUFFIX = r"(\.lto_priv\.\d+)?"
SECONDS_MAX = 600
# The largest size may cost so much more for each unit than the smallest. What is set up once for a
# stage makes the smallest dearer, never the largest.
GROWTH_MAX = 1.25


def frames(capture, number, count):
    connection = w.Connection(capture, number)
    for i in range(count):
        connection.frame(i % 2, w.FINAL | w.TEXT, b"frame %06d" % i)


def connections(capture, number, count):
    for i in range(count):
        connection = w.Connection(capture, number + i)
        connection.frame(w.CLIENT, w.FINAL | w.TEXT, b"hello")
        connection.end()


def messages_in_a_packet(capture, number, count):
    """As many messages in all at each size, `count` of them in a packet."""
    connection = w.Connection(capture, number)
    for _ in range(1600 // count):
        connection.send(w.SERVER, b"".join(
            capture.frame(w.SERVER, w.FINAL | w.TEXT, b"m%d" % (i % 9)) for i in range(count)))


def fragments(capture, number, count):
    connection = w.Connection(capture, number)
    for i in range(count):
        connection.frame(w.SERVER, (w.BINARY if i == 0 else 0) | (w.FINAL if i == count - 1 else 0),
                         b"%064d" % i)


def pings_outstanding(capture, number, count):
    connection = w.Connection(capture, number)
    for i in range(count):
        connection.frame(w.CLIENT, w.FINAL | w.PING, b"%08d" % i)
    for i in range(count):
        connection.frame(w.SERVER, w.FINAL | w.PONG, b"%08d" % i)


def crowd(connection, sender, kind, texts):
    """20 messages in a packet: what is to be seen must not vanish behind the cost of packets."""
    frames = [connection.capture.frame(sender, w.FINAL | kind, text) for text in texts]
    for at in range(0, len(frames), 20):
        connection.send(sender, b"".join(frames[at:at + 20]))


def requests_open(capture, number, count):
    """Pings of Engine.IO, all without an id: each pong answers the oldest."""
    connection = w.Connection(capture, number)
    crowd(connection, w.SERVER, w.TEXT, [b'0{"sid":"a","pingInterval":25000}'] + [b"2"] * count)
    crowd(connection, w.CLIENT, w.TEXT, [b"3"] * count)


def body_without_end(capture, number, count):
    """Of a STOMP frame, behind one by which the protocol is known."""
    connection = w.Connection(capture, number)
    crowd(connection, w.SERVER, w.TEXT,
          [b"MESSAGE\n\n\0", b"MESSAGE\n\n"] + [b"body\n\n" * 20] * count)


def head_without_end(capture, number, count):
    """The same of its headers, up to what is taken for a head."""
    connection = w.Connection(capture, number)
    crowd(connection, w.SERVER, w.TEXT, [b"MESSAGE\n\n\0", b"MESSAGE\n"] + [b"a:b\n"] * count)


def unit_too_long(capture, number, count):
    """An MQTT packet of 256 MiB, of which 64 are kept at most, behind a CONNECT."""
    connection = w.Connection(capture, number)
    connect = b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0"
    crowd(connection, w.CLIENT, w.BINARY,
          [connect, b"\x30\xff\xff\xff\x7f"] + [b"%0200d" % 0] * count)


def segments_searched(capture, number, count):
    """Behind a loss every second byte begins what looks like frames without end."""
    connection = w.Connection(capture, number)
    connection.sequence[w.SERVER] += 100
    for _ in range(count):
        connection.send(w.SERVER, b"\x82\0" * 50)


# Kind, its sizes, and how many units a stage of a size has.
KINDS = (
    (frames, (1000, 2000, 4000), lambda size: size),
    (connections, (60, 120, 240), lambda size: size),
    (messages_in_a_packet, (25, 100, 320), lambda size: 1600),
    (fragments, (750, 1500, 3000), lambda size: size),
    # of more than 1,024 the oldest are given up, with findings
    (pings_outstanding, (250, 500, 1000), lambda size: 2 * size),
    (requests_open, (1000, 8000), lambda size: 2 * size),
    (body_without_end, (500, 2000), lambda size: size),
    (head_without_end, (500, 2000), lambda size: size),
    (unit_too_long, (500, 2000), lambda size: size),
    (segments_searched, (25, 50, 100), lambda size: size),
)


class Marker:
    """The connection whose compressed messages end the stages."""

    def __init__(self, capture):
        self.connection = w.Connection(capture, 1, b"permessage-deflate")
        self.deflater = zlib.compressobj(6, zlib.DEFLATED, -15)

    def put(self):
        wire = self.deflater.compress(b"stage") + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        self.connection.frame(w.SERVER, w.FINAL | w.COMPRESSED | w.TEXT, wire[:-4])


def make(path):
    capture = w.Capture(path, "growth")
    marker = Marker(capture)
    number = 10
    for kind, sizes, _ in KINDS:
        for size in sizes:
            marker.put()
            kind(capture, number, size)
            number += 1000
    marker.put()
    capture.close()


def entries(env):
    """The entry points' names as the plugin that is tested has them."""
    listed = env.run(["nm", str(env.plugin)]).stdout.decode()
    names = [re.search(rf" t ({entry}{SUFFIX})$", listed, re.M) for entry in ENTRIES]
    if None in names:
        raise ValueError("the plugin has no function " + ", ".join(ENTRIES))
    return [name[1] for name in names]


def instructions(env, path):
    """Instructions of each part of the run: before the first mark, then one number a stage."""
    out = env.scratch / "growth"
    result = env.run([
        "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--dump-before={MARK}",
        *(f"--toggle-collect={entry}" for entry in entries(env)), "tshark", "-n", "-r",
        str(env.open_copy(path))], timeout=SECONDS_MAX)
    if result.rc != 0:
        raise ValueError("callgrind: " + result.stderr.decode(errors="replace")[-300:])
    parts = sorted(env.scratch.glob("growth.*"), key=lambda part: int(part.suffix[1:]))
    counts = []
    for part in parts:
        counts.append(int(re.search(r"^(?:summary|totals): (\d+)", part.read_text(), re.M)[1]))
        part.unlink()
    return counts


def judge(kind, sizes, units, counts):
    costs = [count / units(size) for size, count in zip(sizes, counts)]
    shown = ", ".join(f"{size}: {cost:.0f}" for size, cost in zip(sizes, costs))
    if costs[-1] > costs[0] * GROWTH_MAX:
        return [f"{kind.__name__}: instructions for each grow with their number: {shown}"]
    return []


def growth_test(env):
    if not os.path.exists("/proc/self/maps"):
        print("growth: left out, valgrind needs /proc")
        return []
    if not shutil.which("valgrind"):
        return ["valgrind is not installed"]
    path = env.new_path(".pcap")
    make(path)
    counts = instructions(env, path)
    stages = sum(len(sizes) for _, sizes, _ in KINDS)
    if len(counts) < stages + 1:
        return [f"{len(counts)} parts of {stages + 1} were counted: was {MARK} called at each mark?"]
    problems, at = [], 1
    for kind, sizes, units in KINDS:
        problems += judge(kind, sizes, units, counts[at:at + len(sizes)])
        at += len(sizes)
    return problems


def tests(env, quick=False):
    if not quick:
        yield "growth", lambda: growth_test(env)
