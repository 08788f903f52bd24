#!/usr/bin/env python3
"""The surfaces of tshark must tell the same as the JSON Lines: messages, bytes, closes, findings.

    surfaces.py [PATTERN]     run the tests alone; tests(env) offers them to others

On a plain capture, a compressed one, one with lost packets, and one that ends in the middle of things,
in one pass and with -2.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import collections
import fnmatch
import pathlib
import re
import struct
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "lib"))
import craft  # noqa: E402
import jsonlines  # noqa: E402
import wsxenv  # noqa: E402

SAMPLES = wsxenv.ROOT / "sample-captures"
CASES = TESTS / "cases"
# name, capture, how it is damaged
CAPTURES = (
    ("plain", "ws_plain_frag", ()),
    ("closes", "ws_plain_close", ()),
    ("compressed", "ws_pmd_frag_mtu1500", ()),
    ("several", "proxy_nginx", ()),
    ("loss", "ws_pmd_frag_mtu1500", ("--drop", "0.05", "--seed", "1")),
    ("loss-plain", "ws_plain_frag", ("--drop", "0.08", "--seed", "2")),
    ("cut", "ws_pmd_frag_mtu1500", ("--cut-end", "0.45", "--seed", "3")),
    ("midstream", "ws_plain_frag", ("--skip", "0.3", "--seed", "4")),
    ("code-0", "cl_00000", ()),
    ("late", "loss_ooo_pmd", ()),
    ("broken", "msg_data_in_frag", ()),
    ("refused", "hs_401_retry_ok", ()),
    ("http2", "h2_two_streams_pmd", ()),
)
OPTIONS = {"http2": ["-o", "websocket.over_http2:TRUE"],
           "midstream": ["-d", "tcp.port==9000,websocket"]}
DIRECTIONS = {"c2s": "Client to server", "s2c": "Server to client"}
ARROWS = {"c2s": "→", "s2c": "←"}
# -z websocket,connections shortens values of these columns, to no fewer characters than these, and its lines to
# TABLE_WIDTH if that is possible so.
COLUMN_FLOORS = {"Client": 21, "Server": 21, "URI": 20, "Subprotocol": 11}
TABLE_WIDTH = 200


def capture_path(env, name, damage):
    path = SAMPLES / f"{name}.pcapng"
    if (CASES / name).is_dir():
        path = CASES / name / f"{name}.pcap"
    if not damage:
        return path
    target = env.new_path(".pcapng")
    done = subprocess.run([sys.executable, "-B", str(TESTS / "impair" / "impair.py"), str(path),
                           str(target), *damage], capture_output=True, text=True)
    if done.returncode:
        raise jsonlines.BadOutput(f"impair.py: {done.stderr.strip()[-300:]}")
    return target


def output(env, path, name, options=()):
    done = env.tshark(["-q", *options, "-z", name], path)
    if done.rc != 0:
        raise jsonlines.BadOutput(f"-z {name}: tshark ended with {done.rc}: "
                                  f"{done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout.decode("utf-8", "replace")


# --- what the JSON Lines say --------------------------------------------------------------------


def length(item):
    if "len" in item:
        return item["len"]
    return 0 if item.get("raw") else item["have"]


class Truth:
    def __init__(self, items):
        self.items = items
        self.streams = sorted(i["stream"] for i in items if i["kind"] == "open")
        self.messages = collections.Counter()
        self.bytes = collections.Counter()
        self.kinds = collections.Counter(i["kind"] for i in items)
        self.closes = collections.Counter()
        self.rules = {(i["stream"], rule) for i in items for rule in i.get("rules", ())}
        self.rtts = collections.defaultdict(list)
        self.ends = {i["stream"]: i["cause"] for i in items if i["kind"] == "end"}
        for item in items:
            key = item["stream"], item.get("dir")
            if item["kind"] in ("text", "binary"):
                self.messages[key] += 1
                self.bytes[key] += length(item)
            elif item["kind"] == "close":
                self.closes[item.get("code")] += 1
            elif item["kind"] == "pong" and "rtt" in item:
                self.rtts[key].append(item["rtt"])

    def total(self, counter, direction):
        return sum(n for (_, d), n in counter.items() if d == direction)


def differs(problems, what, expected, got):
    if expected != got:
        problems.append(f"{what}: {got}, the JSON Lines say {expected}")


# --- the surfaces -------------------------------------------------------------------------------


def check_lines(text):
    """[(packet, stream, rule)] of -z websocket,check, and the number in its last line."""
    lines = text.splitlines()
    count = re.fullmatch(r"wsx: (\d+) findings", lines[-1] if lines else "")
    if not count:
        raise jsonlines.BadOutput("check: no count in the last line")
    found = [re.match(r"(\d+) (\d+) ([a-z0-9-]+): \S", line) for line in lines[:-1]]
    if not all(found):
        raise jsonlines.BadOutput(f"check: not a finding: {lines[found.index(None)][:120]}")
    return [(int(f[1]), int(f[2]), f[3]) for f in found], int(count[1])


def judge_check(truth, text, problems):
    lines, count = check_lines(text)
    differs(problems, "check: count", len(lines), count)
    differs(problems, "check: rules", sorted(truth.rules), sorted({(s, r) for _, s, r in lines}))
    return count


def tree_nodes(text):
    """{path: [columns]} of a statistics tree; the depth is the indentation."""
    nodes, path = {}, []
    for line in text.splitlines():
        found = re.match(r"( *)(.+?) {2,}(-?\d+)\s*(.*)", line)
        if not found or line.startswith("Topic"):
            continue
        path[len(found[1]):] = [found[2]]
        nodes["/".join(path)] = [found[3], *found[4].split()]
    return nodes


def judge_tree(truth, text, findings, problems):
    nodes = tree_nodes(text)

    def count(path):
        return int(nodes.get(path, ["0"])[0])

    differs(problems, "tree: connections", len(truth.streams), count("Connections"))
    differs(problems, "tree: ends", len(truth.ends), count("Ends of connections"))
    for direction, words in DIRECTIONS.items():
        differs(problems, f"tree: messages {direction}", truth.total(truth.messages, direction),
                count(f"Messages/{words}"))
        differs(problems, f"tree: bytes {direction}", truth.total(truth.bytes, direction),
                count(f"Message bytes/{words}"))
        for kind, name in (("ping", "Ping"), ("pong", "Pong"), ("close", "Close")):
            expected = sum(i["kind"] == kind and i["dir"] == direction for i in truth.items)
            differs(problems, f"tree: {kind} {direction}", expected, count(f"Frames/{words}/{name}"))
    sizes = [n for n in nodes if n.startswith("Message sizes in bytes/")]
    differs(problems, "tree: messages by size", sum(truth.messages.values()),
            sum(count(n) for n in sizes))
    differs(problems, "tree: round trips", sum(map(len, truth.rtts.values())),
            count("Ping round trips in ms"))
    for code, times in truth.closes.items():
        word = "no code" if code is None else code
        named = [n for n in nodes if re.fullmatch(rf"Close codes/{word}( [^/]+)?", n)]
        differs(problems, f"tree: close code {code}", times, sum(count(n) for n in named))
    differs(problems, "tree: closes", truth.kinds["close"], count("Close codes"))
    differs(problems, "tree: findings against check", findings, count("Findings"))


def table_rows(text):
    """[{column: text}] of -z websocket,connections; all rows must be aligned."""
    lines = [line for line in text.splitlines() if line.endswith("|")]
    bars = [[at for at, c in enumerate(line) if c == "|"] for line in lines]
    if not lines or any(b != bars[0] for b in bars):
        raise jsonlines.BadOutput("connections: the columns are not aligned")
    if len(lines[0]) > TABLE_WIDTH:
        raise jsonlines.BadOutput(f"connections: lines of {len(lines[0])} characters")
    cells = [[cell.strip() for cell in line.split("|")[:-1]] for line in lines]
    return [dict(zip(cells[0], row)) for row in cells[1:]]


def ping_words(rtts):
    """Shortest, mean and longest of sorted seconds in ms, each with three digits that count."""
    if not rtts:
        return ""
    times = [1000 * t for t in (rtts[0], sum(rtts) / len(rtts), rtts[-1])]
    return "/".join(f"{ms:.{3 if ms < 0.9995 else 2 if ms < 9.995 else 1 if ms < 99.95 else 0}f}" for ms in times)


def is_shown(shown, whole, column):
    """Whether it is the whole value, or an ellipsis is for its middle where it is longer than its column must be."""
    front, ellipsis, back = shown.partition("…")
    return shown == whole or (bool(ellipsis) and len(shown) >= COLUMN_FLOORS.get(column, len(whole)) and len(shown) < len(whole)
            and whole.startswith(front) and whole.endswith(back))


def judge_connections(truth, text, findings, problems):
    rows = table_rows(text)
    differs(problems, "connections: streams", truth.streams, [int(r["Stream"]) for r in rows])
    for row in rows:
        stream = int(row["Stream"])
        opened = next(i for i in truth.items if i["kind"] == "open" and i["stream"] == stream)
        closes = [i for i in truth.items if i["kind"] == "close" and i["stream"] == stream]
        rtts = sorted(t for d in DIRECTIONS for t in truth.rtts[stream, d])
        for column, expected in (
                ("Client", opened["client"]), ("Server", opened["server"]),
                ("Subprotocol", opened.get("subprotocol", "")),
                ("End", truth.ends[stream]),
                *((f"Msgs {ARROWS[d]}", str(truth.messages[stream, d])) for d in DIRECTIONS),
                *((f"Bytes {ARROWS[d]}", str(truth.bytes[stream, d])) for d in DIRECTIONS),
                ("Ping", ping_words(rtts)), ("URI", opened.get("uri", ""))):
            if not is_shown(row[column], expected, column):
                differs(problems, f"connections: {column} of {stream}", expected, row[column])
        first = closes[0] if closes else None
        side = {"c2s": "client", "s2c": "server"}
        expected = f"{side[first['dir']]} {first.get('code', '')}".strip() if first else ""
        differs(problems, f"connections: close of {stream}", expected, row["Closed by"])
    differs(problems, "connections: findings against check", findings,
            sum(int(r["Findings"]) for r in rows))


def size_words(number):
    """As tshark writes a number of bytes in these tables, or the number itself."""
    return f"{number} bytes" if number < 10000 else f"{number // 1000} kB"


def judge_conversations(truth, text, problems):
    rows = re.findall(r"<-> .*?  (\d+) (\d+ \w+) +(\d+) (\d+ \w+) +(\d+) (\d+ \w+) ", text)
    for way, (frames, size) in {"s2c": (0, 1), "c2s": (2, 3)}.items():
        got = sorted((int(r[frames]), r[size]) for r in rows)
        if len(truth.streams) > 1 or got != sorted(
                (truth.messages[s, way], size_words(truth.bytes[s, way])) for s in truth.streams):
            # left and right are the table's own choice of ends: both ways of it together
            both = sorted((truth.messages[s, d], size_words(truth.bytes[s, d]))
                          for s in truth.streams for d in DIRECTIONS)
            got = sorted((int(r[f]), r[z]) for r in rows for f, z in ((0, 1), (2, 3)))
            differs(problems, "conv: messages and bytes", both, got)


def judge_endpoints(truth, text, problems):
    rows = re.findall(r"^\S+ +(\d+) +(\d+(?: \w+)?) +(\d+) +(\d+(?: \w+)?) +(\d+) +(\d+(?: \w+)?)",
                      text, re.M)
    if len(truth.streams) == 1:
        stream = truth.streams[0]
        words = (lambda n: str(n)) if rows and rows[0][1].isdigit() else size_words
        expected = sorted((str(truth.messages[stream, d]), words(truth.bytes[stream, d]))
                          for d in DIRECTIONS)
        differs(problems, "endpoints: sent", expected, sorted((r[2], r[3]) for r in rows))
    differs(problems, "endpoints: sent by all", sum(truth.messages.values()),
            sum(int(r[2]) for r in rows))
    differs(problems, "endpoints: received by all", sum(truth.messages.values()),
            sum(int(r[4]) for r in rows))


def judge_times(truth, text, problems):
    rows = dict(re.findall(r"^ +\d+  (Ping by \w+) +(\d+)", text, re.M))
    longest = dict(re.findall(r"^ +\d+  (Ping by \w+) +\d+ +[\d.]+ +([\d.]+)", text, re.M))
    for answers, name in (("s2c", "Ping by client"), ("c2s", "Ping by server")):
        rtts = [t for (_, d), list_ in truth.rtts.items() if d == answers for t in list_]
        differs(problems, f"srt: {name}", len(rtts), int(rows.get(name, 0)))
        if rtts:
            differs(problems, f"srt: longest {name}", f"{max(rtts):.6f}", longest.get(name))


def followed(truth, stream):
    """[(peer, bytes)] of the messages, in the order of the wire."""
    return [(int(i["dir"] == "s2c"), jsonlines.body(i)) for i in truth.items
            if i["stream"] == stream and i["kind"] in ("text", "binary") and not i.get("raw")
            and (jsonlines.body(i) or not i.get("incomplete"))]


def text_records(env, path, stream, options):
    """[(peer, bytes)] of follow's mode utf-8: a line with the length, and so many bytes."""
    done = env.tshark(["-q", *options, "-z", f"follow,websocket,utf-8,{stream}"], path)
    rest, records = re.split(rb"Node 1: .*\n", done.stdout)[1], []
    while found := re.match(rb"(\t?)(\d+)\n", rest):
        end = found.end() + int(found[2])
        records.append((len(found[1]), rest[found.end():end]))
        rest = rest[end + 1:]
    if not re.fullmatch(rb"=+\n", rest):
        raise jsonlines.BadOutput(f"follow utf-8 {stream}: {rest[:80]}")
    return records


def judge_follow(env, path, truth, problems, options):
    for stream in truth.streams[:3]:
        expected = followed(truth, stream)
        text = output(env, path, f"follow,websocket,raw,{stream}", options)
        lines = re.split(r"Node 1: .*\n", text)[1].rsplit("====", 1)[0].split("\n")
        got = [(int(x.startswith("\t")), bytes.fromhex(x.strip())) for x in lines
               if not x.startswith("=")]
        differs(problems, f"follow raw {stream}", [(p, b[:40], len(b)) for p, b in expected],
                [(p, b[:40], len(b)) for p, b in got[:len(expected)]])
        text = output(env, path, f"follow,websocket,yaml,{stream}", options)
        records = re.findall(r"peer: (\d)\n    timestamp: .*\n    data: !!binary \|\n((?: {6}.*\n)*)",
                             text)
        got = [(int(p), b"".join(map(base64.b64decode, data.split()))) for p, data in records]
        if got != expected:
            problems.append(f"follow yaml {stream}: other bytes than the JSON Lines")
        records = iter(text_records(env, path, stream, options))
        missing = [(int(i["dir"] == "s2c"), i["text"][:60]) for i in truth.items
                   if i["stream"] == stream and i.get("text")
                   and (int(i["dir"] == "s2c"), i["text"].encode()) not in records]
        differs(problems, f"follow utf-8 {stream}: texts not there in this order", [], missing[:2])
        text = output(env, path, f"follow,websocket,ascii,{stream}", options)
        for kind, name in (("ping", "Ping"), ("pong", "Pong"), ("close", "Close")):
            count = sum(i["kind"] == kind and i["stream"] == stream for i in truth.items)
            differs(problems, f"follow ascii {stream}: {name}", count,
                    len(re.findall(rf"^\[{name}[ ,\]]", text, re.M)))
        broken = sum(i["stream"] == stream and bool(i.get("incomplete") or i.get("raw"))
                     for i in truth.items if i["kind"] in ("text", "binary"))
        marks = re.findall(r"^\[(?:Text|Binary) message \d+(?: is incomplete| was never finished|: not "
                           r"decompressed)", text, re.M)
        differs(problems, f"follow ascii {stream}: marks of damage", broken, len(marks))


# --- tests --------------------------------------------------------------------------------------

SURFACES = ("websocket,check,chat", "websocket,tree", "websocket,connections", "conv,websocket",
            "endpoints,websocket", "websocket,srt")


def sums_test(env, capture, damage, options):
    path, problems = capture_path(env, capture, damage), []
    truth = Truth(jsonlines.run(env, path, options))
    untouched = damage and not truth.rules and "--cut-end" not in damage
    if not truth.kinds["close"] + len(truth.messages) or untouched:
        problems.append("nothing is tested: no message and no Close, or a damage without a finding")
    texts = {surface: output(env, path, surface, options) for surface in SURFACES}
    findings = judge_check(truth, texts["websocket,check,chat"], problems)
    judge_tree(truth, texts["websocket,tree"], findings, problems)
    judge_connections(truth, texts["websocket,connections"], findings, problems)
    judge_conversations(truth, texts["conv,websocket"], problems)
    judge_endpoints(truth, texts["endpoints,websocket"], problems)
    judge_times(truth, texts["websocket,srt"], problems)
    judge_follow(env, path, truth, problems, options)
    for surface in SURFACES:
        second = output(env, path, surface, ["-2", *options])
        if second != texts[surface]:
            problems.append(f"{surface}: -2 gives something else than one pass")
    return problems


def names_test(env):
    """tshark takes the -z names by prefix: none may begin with another. But it tries the longest first:
    so does follow get the modes that it has."""
    done = env.run(["tshark", "-z", "help"])
    names = [x.strip() for x in (done.stdout + done.stderr).decode().split()]
    ours = [n for n in names if "websocket" in n]
    problems = [f"no -z {n}" for n in ("websocket,check", "websocket,tree", "websocket,connections",
                                       "conv,websocket", "endpoints,websocket", "websocket,srt",
                                       "follow,websocket", "websocket,messages") if n not in ours]
    problems += [f"-z {a} begins with {b}" for a in ours for b in names if a != b and a.startswith(b)
                 and "," in b and a != "follow,websocket,utf-8"]
    problems += [f"-z {n} is there {ours.count(n)} times" for n in set(ours) if ours.count(n) > 1]
    return problems


def arguments_test(env):
    path, problems = SAMPLES / "ws_plain_close.pcapng", []
    wrong = ["websocket,check,bad", "websocket,checks", "websocket,check,"]
    if env.version == "4.0":
        wrong += ["follow,websocket,utf-8,", "follow,websocket,utf-8,x", "follow,websocket,utf-8,1,3-2"]
    for argument in wrong:
        done = env.tshark(["-q", "-z", argument], path)
        if done.rc != 1 or b"not understood" not in done.stderr:
            problems.append(f"-z {argument}: ended with {done.rc}: {done.stderr[-200:]}")
    counts = [check_lines(output(env, path, f"websocket,check{s}"))[1]
              for s in (",error", ",warning", "", ",note", ",chat")]
    if counts != sorted(counts) or counts[1] != counts[2] or counts[0] == counts[-1]:
        problems.append(f"check: counts by severity are {counts}")
    rows = table_rows(output(env, path, "websocket,connections,websocket.stream == 1"))
    if [r["Stream"] for r in rows] != ["1"]:
        problems.append(f"connections with a filter: {rows}")
    nodes = tree_nodes(output(env, path, "websocket,tree,websocket.stream == 1"))
    if nodes.get("Connections", [""])[0] != "1":
        problems.append(f"tree with a filter: {nodes.get('Connections')} connections")
    return problems


def full_disk_test(env):
    """A file that can't be written is said, and the status is 1."""
    path, problems = SAMPLES / "ws_plain_close.pcapng", []
    for argument in ("websocket,messages,/dev/full", "websocket,messages,/dev/full,tcp.stream == 0", "websocket,har,/dev/full"):
        done = env.tshark(["-q", "-z", argument], path)
        if done.rc != 1 or b'can\'t write "/dev/full"' not in done.stderr:
            problems.append(f"-z {argument}: ended with {done.rc}: {done.stderr[-200:]}")
    for surface in ("messages", "check,chat"):
        command = f"tshark -q -r {env.open_copy(path)} -z websocket,{surface}"
        done = env.run(["bash", "-c", f"{command} > /dev/full"])
        if done.rc != 1 or b'can\'t write "-"' not in done.stderr:
            problems.append(f"{surface} to a full disk: ended with {done.rc}: {done.stderr[-200:]}")
        done = env.run(["bash", "-c", f"set -o pipefail; trap '' PIPE; {command} | sleep 0"])
        if done.rc != 0 or b"write" in done.stderr:
            problems.append(f"{surface}, a reader that goes: ended with {done.rc}: {done.stderr[-200:]}")
    return problems


NAMES_MAX, NAMES_MADE = 400, 450


def many_names_test(env):
    """The tree has no more than 400 subprotocols and 400 close codes; the others are counted together."""
    talks, problems, path = [], [], env.new_path(".pcap")
    for number in range(NAMES_MADE):
        talk = craft.Conversation()
        talk.port[0] = 40000 + number
        line = [b"Sec-WebSocket-Protocol: name-%d" % number]
        talk.open(line, line)
        talk.close(struct.pack(">H", 4000 + number))
        talks.append(talk)
    talks[0].packets = [packet for talk in talks for packet in talk.packets]
    talks[0].save(path)
    nodes = tree_nodes(output(env, path, "websocket,tree"))
    for node, closes in (("Subprotocols", 1), ("Close codes", 2)):
        below = {key.split("/")[-1]: value[0] for key, value in nodes.items() if re.fullmatch(f".*{node}/[^/]+", key)}
        if len(below) != NAMES_MAX + 1 or below.get("others") != str(closes * (NAMES_MADE - NAMES_MAX)):
            problems.append(f"{node}: {len(below)} nodes, others {below.get('others')}")
    return problems


def fragments_test(env):
    """A message of 40,002 frames: the first 1,000 are listed, and it is said how many are not."""
    path, problems = CASES / "load_many_frags" / "load_many_frags.pcap", []
    options = ["-2", "-Y", "websocket.fragments"]
    done = env.tshark([*options, "-T", "fields", "-e", "websocket.fragment.count", "-e",
                       "websocket.fragment"], path)
    counts, _, packets = done.stdout.decode().strip().partition("\t")
    differs(problems, "fragments: frames", "40002", counts)
    listed = [int(n) for n in packets.split(",")]
    if len(listed) != 1000 or listed != sorted(listed) or listed[0] != 8:
        problems.append(f"fragments: {len(listed)} are listed, from packet {listed[0]}")
    tree = env.tshark([*options, "-O", "websocket"], path).stdout.decode()
    if "39002 more fragments, not listed" not in tree:
        problems.append("fragments: not said how many are not listed")
    return problems


def tests(env):
    """(name, callable that returns texts of what is wrong)."""
    for name, capture, damage in CAPTURES:
        yield (f"surfaces:{name}",
               lambda name=name, capture=capture, damage=damage:
               sums_test(env, capture, damage, OPTIONS.get(name, [])))
    yield "surfaces:fragments", lambda: fragments_test(env)
    yield "surfaces:names", lambda: names_test(env)
    yield "surfaces:arguments", lambda: arguments_test(env)
    yield "surfaces:full-disk", lambda: full_disk_test(env)
    yield "surfaces:many-names", lambda: many_names_test(env)


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    failed = count = 0
    for name, function in tests(wsxenv.shared()):
        if not fnmatch.fnmatch(name, f"*{pattern}*"):
            continue
        try:
            problems = function()
        except (jsonlines.BadOutput, OSError, ValueError) as error:
            problems = [str(error)]
        count += 1
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {name}", flush=True)
        for text in problems[:25]:
            print("     " + text[:400])
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
