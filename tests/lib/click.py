"""Clicking packets in any order: Wireshark's other way to dissect, through sharkd.

A person opens a file and clicks on packets as they like. Each click dissects one packet again, with a
tree, long after the first pass. The tree and the columns must be what they are in order, and what
`tshark -2 -V` shows.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import random
import re
import threading

SEED = 6455
SECONDS_MAX = 120

# Parts of a tree that depend on how the program was called, not on the packet: the frame's own part
# has times between displayed packets and colour rules.
NOT_COMPARED = re.compile(r"^Frame \d+:")

# On a connection with several requests, HTTP of Wireshark 4.0 names the request that it saw last.
HTTP_REQUEST = re.compile(r"^ *\[(Full request|Request) URI: ")


class ClickError(Exception):
    """sharkd failed or did not answer."""


class Sharkd:
    def __init__(self, env, capture, preferences=()):
        """preferences: texts NAME:VALUE, set before the capture is opened."""
        self.process = env.popen(["sharkd", "-"])
        self.asked = 0
        # A program that hangs would hang the tests.
        self.timer = threading.Timer(SECONDS_MAX, self.process.kill)
        self.timer.start()
        for name, value in (text.split(":", 1) for text in preferences):
            self.ask("setconf", name=name, value=value)
        self.ask("load", file=str(env.open_copy(capture)))

    def ask(self, method, **params):
        self.asked += 1
        request = {"jsonrpc": "2.0", "id": self.asked, "method": method}
        if params:
            request["params"] = params
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline().decode("utf-8", "replace"))
        except (OSError, ValueError):
            raise ClickError(f"sharkd gave no answer to {method} {params}") from None
        if "result" not in answer:
            raise ClickError(f"sharkd, {method} {params}: {answer.get('error')}")
        return answer["result"]

    def click(self, number):
        """Columns and tree of one packet."""
        answer = self.ask("frame", frame=number, proto=True, columns=True)
        return {"columns": answer.get("col"), "tree": answer.get("tree")}

    def close(self):
        self.timer.cancel()
        self.process.kill()
        self.process.communicate()


def tree_lines(nodes, depth=0):
    """A sharkd tree as lines of `tshark -V`."""
    lines = []
    for node in nodes or []:
        if depth == 0 and NOT_COMPARED.match(node["l"]):
            continue
        # tshark writes the brackets of generated items itself.
        label = f"[{node['l']}]" if node.get("g") else node["l"]
        lines.append("    " * depth + label)
        lines += tree_lines(node.get("n"), depth + 1)
    return lines


def tshark_lines(text):
    """{packet number: lines of its tree without the Frame part} from `tshark -V`."""
    packets, number, skip = {}, 0, False
    for line in text.split("\n"):
        if line.startswith("Frame ") and NOT_COMPARED.match(line):
            number, skip = number + 1, True
            packets[number] = []
        elif number and line and not line.startswith(" "):
            skip = False
        if number and line and not skip:
            packets[number].append(line)
    return packets


def only_ours(lines):
    """The subtrees that wsx draws: those whose head begins with WebSocket."""
    out, depth = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if depth is not None and indent > depth:
            out.append(line)
            continue
        depth = None
        if re.match(r"\[?WebSocket\b", line.lstrip(" ")):
            out.append(line)
            depth = indent
    return out


def same_tree(one, other):
    """Trees of sharkd: all their fields, but for what HTTP makes of its own memory."""
    if one == other:
        return True
    lines = [[line for line in tree_lines(tree) if not HTTP_REQUEST.match(line)]
             for tree in (one, other)]
    return lines[0] == lines[1]


def compare(env, capture, second_pass_text, preferences=()):
    """Texts of what differs. second_pass_text: of `tshark -2 -V` with the same preferences."""
    problems = []
    sharkd = Sharkd(env, capture, preferences)
    try:
        count = sharkd.ask("status")["frames"]
        in_order = {n: sharkd.click(n) for n in range(1, count + 1)}
    finally:
        sharkd.close()
    order = list(range(1, count + 1)) * 2
    random.Random(SEED).shuffle(order)
    sharkd = Sharkd(env, capture, preferences)
    try:
        for number in order:
            got = sharkd.click(number)
            if got["columns"] != in_order[number]["columns"]:
                problems.append(f"packet {number}: columns not as in order")
            if not same_tree(got["tree"], in_order[number]["tree"]):
                problems.append(f"packet {number}: tree not as in order")
    finally:
        sharkd.close()
    expected = tshark_lines(second_pass_text)
    if len(expected) != count:
        problems.append(f"sharkd has {count} packets, tshark {len(expected)}")
    for number in sorted(expected):
        ours, theirs = (only_ours(lines) for lines in
                        (tree_lines(in_order.get(number, {}).get("tree")), expected[number]))
        if ours != theirs:
            line = next((a or b for a, b in zip(ours + [None] * len(theirs),
                                                theirs + [None] * len(ours)) if a != b), "")
            problems.append(f"packet {number}: not as tshark -2 -V shows it, first at: {line[:160]}")
    if not any(only_ours(lines) for lines in expected.values()):
        problems.append("no packet has a WebSocket part: nothing was compared")
    return problems
