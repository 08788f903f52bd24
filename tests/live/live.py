"""`-z websocket,messages` while packets come: each message is printed as it completes.

live:pipe    tshark reads a capture from a pipe; each packet is written when the line of the one before
             has come. Needs no rights.
live:lo      tshark captures on the loopback interface, and a client and a server in this program talk.
             Needs the right to capture: root hands on just that. Without it the test says so and is left
             out.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import pathlib
import queue
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "lib"))
import craft  # noqa: E402
import wsxenv  # noqa: E402

LINE_SECONDS = 20     # for a line to come; dumpcap hands packets on about twice a second
START_SECONDS = 30
KEY = b"\x37\xfa\x21\x3d"
BASE = ["tshark", "-n", "-l", "-q", "-z", "websocket,messages"]


class Lines:
    """tshark, and its output line by line as it comes."""

    def __init__(self, env, prefix, args):
        self.process = subprocess.Popen(
            [*prefix, *BASE, *args], env=env.environ, cwd=env.scratch, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.err = queue.Queue(), queue.Queue()
        self.said = b""
        for source, target in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            threading.Thread(target=self.read, args=(source, target), daemon=True).start()

    @staticmethod
    def read(source, target):
        for line in source:
            target.put(line)
        target.put(None)

    def next(self, seconds=LINE_SECONDS):
        """The next line; None when none comes."""
        try:
            return self.out.get(timeout=seconds)
        except queue.Empty:
            return None

    def waits_for(self, word):
        """Until tshark has said it on standard error; False when it ended or says nothing."""
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            try:
                line = self.err.get(timeout=0.2)
            except queue.Empty:
                continue
            if line is None:
                return False
            self.said += line
            if word in line:
                return True
        return False

    def end(self):
        self.process.kill()
        self.process.wait()


def expect(problems, line, kind, **values):
    """Whether a line is there and says that. Anything else on standard output is no JSON."""
    if line is None:
        problems.append(f"no line for {kind} {values} while the capture goes on")
        return
    try:
        item = json.loads(line)
    except ValueError:
        problems.append(f"not JSON: {line[:100]!r}")
        return
    wrong = {k: item.get(k) for k, v in {"kind": kind, **values}.items() if item.get(k) != v}
    if wrong:
        problems.append(f"expected {kind} {values}, got {line[:200]!r}")


TALK = [(craft.CLIENT, 1, "first"), (craft.SERVER, 1, "second"), (craft.SERVER, 9, "ping"),
        (craft.CLIENT, 10, "ping"), (craft.SERVER, 1, "last")]
KINDS = {1: "text", 9: "ping", 10: "pong"}


def frame_of(side, opcode, text):
    return craft.frame(opcode, text.encode(), key=KEY if side == craft.CLIENT else None)


def expect_talk(problems, line, side, opcode, text):
    values = {"dir": "c2s" if side == craft.CLIENT else "s2c"}
    if opcode == 1:
        values["text"] = text
    expect(problems, line, KINDS[opcode], **values)


def pipe_test(env):
    """Each line comes before the next packet is written."""
    problems, lines = [], Lines(env, env.prefix, ["-i", "-"])
    talk, sent = craft.Conversation(), 0

    def write():
        nonlocal sent
        for packet in talk.packets[sent:]:
            lines.process.stdin.write(struct.pack("<IIII", 1_700_000_000 + sent, 0, len(packet),
                                                  len(packet)) + packet)
            sent += 1
        lines.process.stdin.flush()

    try:
        lines.process.stdin.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        talk.open()
        write()
        expect(problems, lines.next(START_SECONDS), "open", status=101)
        for side, opcode, text in TALK:
            talk.send(side, frame_of(side, opcode, text))
            write()
            expect_talk(problems, lines.next(), side, opcode, text)
            if problems:
                return problems
        talk.close()
        write()
        expect(problems, lines.next(), "close", dir="c2s", code=1000)
        expect(problems, lines.next(), "close", dir="s2c", code=1000)
        expect(problems, lines.next(), "end", cause="fin")
        lines.process.stdin.close()
        if lines.next() is not None:
            problems.append("more on standard output at the end")
    finally:
        lines.end()
    return problems


def capture_prefix(env):
    """Runs a program as an ordinary user who may capture; None when that can't be had."""
    if not env.root:
        return env.prefix
    prefix = ["setpriv", f"--reuid={wsxenv.NOBODY}", f"--regid={wsxenv.NOBODY}", "--clear-groups",
              "--inh-caps=+net_raw,+net_admin", "--ambient-caps=+net_raw,+net_admin"]
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else None


def skip(why):
    print(f"skip live:lo: {why}", flush=True)
    return []


def loopback_test(env):
    prefix = capture_prefix(env)
    if prefix is None or not shutil.which("dumpcap"):
        return skip("no way to hand on the right to capture")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    lines = Lines(env, prefix, ["-i", "lo", "-f", f"tcp port {port}", "-d", f"tcp.port=={port},http"])
    try:
        if not lines.waits_for(b"Capturing on"):
            return skip(f"tshark can't capture on lo: {lines.said[-200:]!r}")
        time.sleep(1)  # dumpcap opens the interface behind the message
        return loopback_talk(lines, listener, port)
    finally:
        lines.end()
        listener.close()


def loopback_talk(lines, listener, port):
    problems = []
    client = socket.create_connection(("127.0.0.1", port))
    server = listener.accept()[0]
    ends = {craft.CLIENT: (client, server), craft.SERVER: (server, client)}

    def send(side, data):
        ends[side][0].sendall(data)
        ends[side][1].recv(65536)

    with client, server:
        send(craft.CLIENT, craft.request(1))
        send(craft.SERVER, craft.response(1))
        first = lines.next()
        if first is None and lines.process.poll() is not None:
            return skip("tshark ended: it has no right to capture")
        expect(problems, first, "open", status=101, server=f"127.0.0.1:{port}")
        for side, opcode, text in TALK:
            send(side, frame_of(side, opcode, text))
            expect_talk(problems, lines.next(), side, opcode, text)
            if problems:
                return problems
    return problems


def tests(env):
    yield "live:pipe", lambda: pipe_test(env)
    yield "live:lo", lambda: loopback_test(env)
