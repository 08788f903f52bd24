"""Hold the JSON Lines of a damaged capture against what the undamaged one holds.

    expected = judge.Expected(env, capture path, truth path)    from the undamaged capture, once
    verdict = judge.judge(expected, packets, items)             for each damaged one

Two figures come out. Reported: of what wsx reports as complete, how much is not in the truth of its
direction, in order. It must be nothing. Recoverable: of the messages whose bytes are all in the damaged
capture and whose decompression does not depend on lost bytes, how many are reported right.

For WebSocket over plain TCP the truth is read from the bytes of the undamaged capture (wire.py) and
compared with what the endpoints logged. In streams of HTTP/2 and HTTP/3 a message counts as recoverable
where Wireshark itself, without wsx, shows all its bytes and that the stream is WebSocket (carried.py).
Over TLS, the truth is what wsx reads in the undamaged capture where that agrees with the endpoints' logs,
else the logs alone; there is no second figure then, since nothing tells which bytes a message needs.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import dataclasses
import hashlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import carried  # noqa: E402
import jsonlines  # noqa: E402
import recut  # noqa: E402
import truth  # noqa: E402
import wire  # noqa: E402

SHORT_RUN_FRAMES = 3        # runs between two gaps in which a search has little to go by
KNOWN = 1 << 30             # a distance: no gap over a header before this frame
RUN_SECONDS = 120
OVER_HTTP2 = ("-o", "websocket.over_http2:TRUE")


def digest(body):
    return hashlib.sha256(body).digest()


@dataclasses.dataclass
class Way:
    """One direction of one connection. Over TLS, messages is empty."""

    names: list = dataclasses.field(default_factory=list)       # (type, digest) in order
    messages: list = dataclasses.field(default_factory=list)    # wire.Message for each name
    parts: list = dataclasses.field(default_factory=list)       # bodies that may be shown in part
    raw: list = dataclasses.field(default_factory=list)         # payloads as sent
    frames: list = dataclasses.field(default_factory=list)      # payloads of single data frames
    plain: object = None                                        # (wire.Connection, wire.Direction)
    carried: object = None                                      # (carried.Carried, its key)

    @classmethod
    def of_plain(cls, c, d):
        return cls.of(d, plain=(c, d))

    @classmethod
    def of(cls, d, **where):
        tail = [d.unfinished] if d.unfinished else []
        data = [m for m in d.items if m.type in truth.DATA] + tail
        return cls(names=[(m.type, digest(m.body)) for m in d.items], messages=d.items,
                   parts=[(m.type, m.body) for m in d.items + tail],
                   raw=[(m.type, m.wire) for m in data],
                   frames=[f.payload for f in d.frames if f.opcode == 0], **where)


@dataclasses.dataclass
class Verdict:
    complete: int = 0           # reported as complete
    wrong: list = dataclasses.field(default_factory=list)       # of those, not in the truth
    parts: int = 0              # reported in part, and judged
    parts_wrong: list = dataclasses.field(default_factory=list)
    recoverable: int = 0        # data messages
    right: int = 0
    control: int = 0            # the same for control frames
    control_right: int = 0
    unnegotiated: int = 0       # whole and compressed, the server's answer is lost
    unnegotiated_right: int = 0
    missed: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    missed_list: list = dataclasses.field(default_factory=list)

    def add(self, other):
        for field in dataclasses.fields(self):
            if field.name == "missed":
                self.missed.update(other.missed)
            else:
                setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


# --- the truth ----------------------------------------------------------------------------------


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def truth_item(message):
    code = int.from_bytes(message.body[:2], "big") if len(message.body) > 1 else None
    return truth.Item(message.type, len(message.body), digest(message.body).hex(),
                      code if message.type == "close" else None, "", "capture", "")


class Expected:
    """ways: {(client's port, server's port, HTTP/2 or HTTP/3 stream, "c2s" or "s2c"): Way}"""

    def __init__(self, env, capture, truth_path):
        self.capture = recut.Capture(capture.read_bytes())
        self.reference = wire.Reference(self.capture)
        self.problems, self.ways, self.matched = [], {}, 0
        logged = truth.read_truth(truth_path)
        ports = self._ports(truth_path)
        plain = {c.number: c for c in self.reference.connections}
        self.total = sum(len(log) for key, log in logged.items() if key[0] in plain)
        for c in plain.values():
            for way, d in c.way.items():
                self._add_plain(c, way, d, logged)
        hidden = [key for key in logged if key[0] not in plain]
        if hidden:
            self._add_hidden(env, capture, logged, hidden, ports)

    @staticmethod
    def _ports(truth_path):
        ports = {}
        for line in truth_path.read_text(encoding="utf-8").splitlines():
            t = json.loads(line)
            ports[t["conn"]] = (t["sport"], t["dport"])
        if len(set(ports.values())) != len(ports):
            raise wire.WireError(f"{truth_path.name}: two connections have the same ports")
        return ports

    def _add_plain(self, c, way, d, logged):
        self.ways[c.client[1], c.server[1], None, way] = Way.of_plain(c, d)
        name, key = f"connection {c.number} {way}", (c.number, None, way)
        items = [truth_item(m) for m in d.items]
        if key in logged:
            self.matched += truth.compare(name, logged[key], items, self.problems)
        elif any(i.type in truth.DATA for i in items):
            self.problems.append(f"{name}: messages on the wire, none in the truth")

    def _add_hidden(self, env, capture, logged, hidden, ports):
        shown, problems = collections.defaultdict(list), []
        lines = jsonlines.run(env, capture, OVER_HTTP2, timeout=RUN_SECONDS)
        for key, item in by_connection(lines):
            shown[key].append(item)
        if any(key[1] is not None for key in hidden):
            self._add_carried(env, capture, logged, ports, lines)
        conns = {v: k for k, v in ports.items()}
        keys = {(*ports[conn], sub, way) for conn, sub, way in hidden}
        pairs = {k[:3] for k in keys}
        for key in (keys | {k for k in shown if k[:3] in pairs}) - set(self.ways):
            log = logged.get((conns[key[:2]], key[2], key[3]), [])
            whole = [j for j in shown[key] if j["kind"] in truth.LISTED and not j.get("incomplete")]
            bodies = [(j["kind"], jsonlines.body(j)) for j in whole]
            items = [truth.Item(kind, len(b), digest(b).hex(), j.get("code"), "", "", "")
                     for (kind, b), j in zip(bodies, whole)]
            before = len(problems)
            truth.compare(str(key), log, items, problems)
            if len(problems) == before or not log:
                self.ways[key] = Way(names=[(kind, digest(b)) for kind, b in bodies])
            else:
                self.ways[key] = Way(names=[(t.type, bytes.fromhex(t.sha256)) for t in log])

    def _add_carried(self, env, capture, logged, ports, lines):
        """Streams of HTTP/2 and HTTP/3 that Wireshark shows."""
        seen = carried.look(env, capture)
        terms = {(port_of(j["client"]), port_of(j["server"]), j["stream_id"]): j.get("extensions", "")
                 for j in lines if j["kind"] == "open" and "stream_id" in j}
        for (conn, stream, way), log in logged.items():
            if (*ports[conn], stream) not in terms:
                continue
            ends = ports[conn] if way == wire.C2S else ports[conn][::-1]
            side = "client" if way == wire.C2S else "server"
            takeover = f"{side}_no_context_takeover" not in terms[*ports[conn], stream]
            d = carried.direction(seen, (*ends, stream), takeover)
            if d is None:
                continue
            name, items = f"{ports[conn]} stream {stream} {way}", [truth_item(m) for m in d.items]
            self.matched += truth.compare(name, log, items, self.problems)
            self.total += len(log)
            self.ways[*ports[conn], stream, way] = Way.of(d, carried=(d, (*ends, stream)))

    def is_carried(self):
        return any(way.carried for way in self.ways.values())

    def decode_as(self, there):
        """tshark options for connections whose opening handshake is not there to be recognised.

        Decode As on the client's port, which belongs to one connection alone. Where only the request
        is lost, HTTP recognises the answer by itself, but not when it comes in several segments.
        """
        words = []
        for c in self.reference.connections:
            if not any(there[c.number, way].parts for way in c.way):
                continue
            if not answered(c, there):
                words += ["-d", f"tcp.port=={c.client[1]},websocket"]
            elif not asked(c, there) and not answered_at_once(c):
                words += ["-d", f"tcp.port=={c.client[1]},http"]
        return words


def by_connection(items):
    """((client's port, server's port, stream id, direction), item) of every item with a direction."""
    opened = {}
    for j in items:
        if j["kind"] == "open":
            opened[j["stream"]] = (port_of(j["client"]), port_of(j["server"]), j.get("stream_id"))
        elif "dir" in j and j["stream"] in opened:
            yield (*opened[j["stream"]], j["dir"]), j


# --- what can be recovered ----------------------------------------------------------------------


def answered(c, there):
    d = c.way[wire.S2C]
    return there[c.number, wire.S2C].has(d.header_at, d.frames_at)


def asked(c, there):
    d = c.way[wire.C2S]
    return there[c.number, wire.C2S].has(d.header_at, d.frames_at)


def answered_at_once(c):
    """Did the answer come in one segment?"""
    d = c.way[wire.S2C]
    return any(way == wire.S2C and at <= d.header_at and at + len(data) >= d.frames_at
               for _, way, at, data in c.chunks)


def whole(message, spans, since=None):
    """since: there may be no hole at all between this byte and the message's end."""
    if since is not None:
        return spans.has(since, message.frames[-1].end)
    return all(spans.has(f.start, f.end) for f in message.frames)


def distances(d, spans, start_known):
    """{start of frame: (place behind the last gap over a header, headers in a row there)}"""
    runs, run = [], []
    place = {}
    for f in d.frames:
        if spans.has(f.start, f.body_at):
            run.append(f.start)
        elif run or not runs:
            runs.append(run)
            run = []
    runs.append(run)
    for number, run in enumerate(runs):
        for at, start in enumerate(run, 1):
            place[start] = (KNOWN, KNOWN) if number == 0 and start_known else (at, len(run))
    return place


def kind_of_miss(place):
    at, run = place
    if at == KNOWN:
        return "no gap before"
    if run <= SHORT_RUN_FRAMES:
        return f"run of {SHORT_RUN_FRAMES} frames or fewer"
    return "directly behind a gap" if at == 1 else "second or third behind a gap" if at < 4 \
        else "later behind a gap"


def reach_plain(way, there):
    """(direction, spans that are there, was its answer seen?, its request?)"""
    c, d = way.plain
    name = wire.C2S if d is c.way[wire.C2S] else wire.S2C
    return d, there[c.number, name], answered(c, there), True


def reach_carried(way, name, seen):
    d, key = way.carried
    ask, answer = (key, (key[1], key[0], key[2]))[::1 if name == wire.C2S else -1]
    return (d, carried.spans(seen, key, d), seen.has_answer(answer), seen.has_request(ask),
            bool(d.pieces))


def classes(d, spans, known, asked, pieces=False):
    """For each message of a direction "yes", "no" or "unnegotiated": can it be read? pieces: how many bytes
    a hole in the spans has lost is not known."""
    intact = 0
    while intact < len(d.compressed) and whole(d.compressed[intact], spans):
        intact += 1
    found = []
    for m in d.items:
        since = None if not pieces else 0 if m.compressed and d.takeover else m.frames[0].start
        if not asked or not whole(m, spans, since) or (m.compressed and m.needs > intact):
            found.append("no")
        else:
            found.append("unnegotiated" if m.compressed and not known else "yes")
    return found, distances(d, spans, known)


# --- what was reported --------------------------------------------------------------------------


def match(names, wanted, reported):
    """Indices of names that the reported list has in order: as many as can be, wanted ones rather."""
    both = set(names) & set(reported)
    left = [i for i, name in enumerate(names) if name in both]
    right = [name for name in reported if name in both]
    best = [[0] * (len(right) + 1)]
    for i in left:
        above, row = best[-1], [0]
        worth = 1_000_001 if wanted[i] else 1_000_000
        for j, name in enumerate(right):
            value = above[j] + worth if name == names[i] else 0
            row.append(max(value, above[j + 1], row[j]))
        best.append(row)
    found, a, b = [], len(left), len(right)
    while a and b:
        if best[a][b] == best[a - 1][b]:
            a -= 1
        elif best[a][b] == best[a][b - 1]:
            b -= 1
        else:
            a, b = a - 1, b - 1
            found.append(left[a])
    return set(found)


def is_part(way, j):
    """Is an item that is not complete a beginning of something that was sent? None: can't be told."""
    shown = jsonlines.body(j)
    if not way.messages or not shown:
        return None
    if j["kind"] == "frame":
        return any(p.startswith(shown) for p in way.frames)
    source = way.raw if j.get("raw") else way.parts
    return any(kind == j["kind"] and body.startswith(shown) for kind, body in source)


def words(key, j):
    sub = "" if key[2] is None else f" stream {key[2]}"
    return (f"port {key[0]}{sub} {key[3]} packet {j['packet']}: {j['kind']} of "
            f"{len(jsonlines.body(j))} bytes")


def sort_items(expected, items, verdict):
    """{key: complete items}; parts are judged here."""
    complete = collections.defaultdict(list)
    for key, j in by_connection(items):
        if j["kind"] not in truth.LISTED + ("frame",):
            continue
        way = expected.ways.get(key)
        done = not (j.get("incomplete") or j.get("raw") or j["kind"] == "frame")
        if way is None:
            turned = (key[1], key[0], *key[2:3])
            known = any(k[:3] == turned for k in expected.ways)
            if done:
                verdict.complete += 1
                verdict.wrong.append(f"{words(key, j)}: "
                                     + ("client and server are mixed up" if known
                                        else "no such connection"))
        elif done:
            complete[key].append(j)
        elif (part := is_part(way, j)) is not None:
            verdict.parts += 1
            if not part:
                verdict.parts_wrong.append(f"{words(key, j)}: not the beginning of anything sent")
    return complete


def judge(expected, packets, items, seen=None):
    """seen: of the damaged capture, where there are streams of HTTP/2 or HTTP/3."""
    verdict = Verdict()
    there = wire.coverage(expected.reference, packets)
    complete = sort_items(expected, items, verdict)
    for key, way in expected.ways.items():
        reported = [(j["kind"], digest(jsonlines.body(j))) for j in complete[key]]
        kinds, place = ["no"] * len(way.names), {}
        if way.plain:
            kinds, place = classes(*reach_plain(way, there))
        elif way.carried and seen:
            kinds, place = classes(*reach_carried(way, key[3], seen))
        found = match(way.names, [k != "no" for k in kinds], reported)
        verdict.complete += len(reported)
        note_wrong(verdict, key, complete[key], reported, [way.names[i] for i in sorted(found)])
        for i, kind in enumerate(kinds):
            if kind != "no":
                count(verdict, key, way.messages[i], kind, i in found, place)
    return verdict


def note_wrong(verdict, key, items, reported, matched):
    """Which of the reported ones are over: as many as did not match, the first that differ."""
    at = 0
    for j, name in zip(items, reported):
        if at < len(matched) and name == matched[at]:
            at += 1
        else:
            verdict.wrong.append(f"{words(key, j)}: not in the truth there")


def count(verdict, key, message, kind, is_right, place):
    if kind == "unnegotiated":
        verdict.unnegotiated += 1
        verdict.unnegotiated_right += is_right
    elif message.type not in truth.DATA:
        verdict.control += 1
        verdict.control_right += is_right
    else:
        verdict.recoverable += 1
        verdict.right += is_right
        if not is_right:
            why = kind_of_miss(place[message.frames[0].start])
            verdict.missed[why] += 1
            verdict.missed_list.append(f"port {key[0]} {key[3]}: {message.type} of "
                                       f"{len(message.body)} bytes at byte "
                                       f"{message.frames[0].start} ({why})")
