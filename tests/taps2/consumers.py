"""What programs read: -T json, -T ek, -T pdml and sharkd's frame trees, against the JSON Lines.

Each reader gives the same plain facts of a packet's frames and messages, in order; the JSON Lines give
them too. Captures with several frames in one packet are among those read.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import json
import xml.etree.ElementTree

import captures
import click
import jsonlines
import run_cases

NAMES = ("many", "lost", "proto_graphql", "pmd_takeover", "ws_plain_close", "h2_two_streams_pmd")
KINDS = {1: "text", 2: "binary"}
CONTROL = {8: "close", 9: "ping", 10: "pong"}
PREFIX = "websocket."
SHARKD_PACKETS_MAX = 120


class Protocol(dict):
    """The fields of one websocket subtree: {name without prefix: list of values as text}."""

    def one(self, name):
        values = self.get(name)
        return values[0] if values else None


# --- facts --------------------------------------------------------------------------------------


def facts_of_line(item):
    """What the trees say of an item too; the end of the file has no packet."""
    kind = item["kind"]
    if kind in KINDS.values():
        index = None if "message-unfinished" in item.get("rules", ()) else item["index"]
        return (kind, item["stream"], item["dir"], index, item.get("len"), item["wire_len"])
    if kind == "close":
        return (kind, item["stream"], item["dir"], item["index"], item.get("code"), None)
    if kind in ("ping", "pong", "frame"):
        return (kind, item["stream"], item["dir"], item["index"], item["len"], None)
    return None


def number(text):
    return None if text is None else int(text, 0)


def facts_of_protocol(tree):
    """The same from a subtree; None for a fragment and for what is no frame or message."""
    direction = "s2c" if number(tree.one("direction")) else "c2s"
    where = number(tree.one("stream")), direction
    if tree.one("message.type"):
        # the number of a message that was never finished stands in its heading alone
        index = number(tree.one("message")) if tree.one("opcode") else None
        return (KINDS[number(tree.one("message.type"))], *where, index,
                number(tree.one("message.length")), number(tree.one("message.wire_length")))
    opcode = number(tree.one("opcode"))
    index = number(tree.one("frame.index"))
    if opcode is None or index is None or (opcode < 3 and tree.one("message")):
        return None
    if opcode == 8:
        return ("close", *where, index, number(tree.one("payload.close.status_code")), None)
    return (CONTROL.get(opcode, "frame"), *where, index, number(tree.one("frame.length")), None)


def expected_facts(items):
    """{packet: facts in order}; items that only the end of the file completes are in no packet."""
    ends = {i["stream"]: i["packet"] for i in items if i["kind"] == "end" and i["cause"] == "eof"}
    packets = collections.defaultdict(list)
    for item in items:
        by_eof = item.get("incomplete") and ends.get(item["stream"]) == item["packet"]
        fact = facts_of_line(item)
        if fact and not by_eof:
            packets[item["packet"]].append(fact)
    return packets


# --- readers: {packet: [Protocol]} --------------------------------------------------------------


def is_ours(name):
    """A frame is in a subtree of the protocol; what is no frame, such as a message that was never
    finished, has a heading of its own."""
    return name == "websocket" or name.startswith("WebSocket")


def as_list(value):
    return value if isinstance(value, list) else [value]


def walk_json(value, out, prefix):
    """Fields of any depth; a subtree's name and its field's name are the same."""
    for name, inner in value.items():
        for one in as_list(inner):
            if isinstance(one, dict):
                walk_json(one, out, prefix)
            elif name.startswith(prefix):
                text = {True: "1", False: "0", None: ""}.get(one, one)
                out.setdefault(name[len(prefix):], []).append(text)
    return out


def no_repeats(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise jsonlines.BadOutput(f"a key stands twice: {sorted(names)}")
    return dict(pairs)


def read_json(env, path):
    text = run_cases.checked(env.tshark(["-2", "-T", "json", "--no-duplicate-keys"], path), "-T json")
    packets = {}
    for packet in json.loads(text, object_pairs_hook=no_repeats):
        layers = packet["_source"]["layers"]
        packets[int(layers["frame"]["frame.number"])] = [
            walk_json(one, Protocol(), PREFIX) for name, value in layers.items() if is_ours(name)
            for one in as_list(value) if isinstance(one, dict)]
    return packets


def ek_lines(env, path):
    """(packet number, layers), and the lines between must be the indexes of a bulk request."""
    text = run_cases.checked(env.tshark(["-2", "-T", "ek"], path), "-T ek")
    lines = [json.loads(line) for line in text.split("\n") if line]
    for index, packet in zip(lines[::2], lines[1::2]):
        if list(index) != ["index"] or "layers" not in packet:
            raise jsonlines.BadOutput("not a bulk request: " + str(index)[:100])
        yield int(packet["layers"]["frame"]["frame_frame_number"]), packet["layers"]


def read_ek(env, path):
    names = {name.replace(".", "_"): name for name in field_types(env)}
    packets = {}
    for packet, layers in ek_lines(env, path):
        packets[packet] = []
        # fields of a heading without a protocol lie among the layers
        for one in [*as_list(layers.get("websocket", [])), layers]:
            tree = Protocol()
            for name, value in (one or {}).items():
                field = names.get(name[len("websocket_"):])
                if field:
                    tree[field[len(PREFIX):]] = [
                        {True: "1", False: "0", None: ""}.get(v, v) for v in as_list(value)]
            packets[packet].append(tree)
    return packets


def walk_pdml(element):
    tree = Protocol()
    for field in element.iter("field"):
        if field.get("name", "").startswith(PREFIX):
            tree.setdefault(field.get("name")[len(PREFIX):], []).append(field.get("show"))
    return tree


def read_pdml(env, path):
    text = run_cases.checked(env.tshark(["-2", "-T", "pdml"], path), "-T pdml")
    packets = {}
    for packet in xml.etree.ElementTree.fromstring(text.encode()).iter("packet"):
        count = int(packet.find(".//field[@name='num']").get("show"))
        packets[count] = []
        for proto in packet.findall("proto"):
            if proto.get("name") == "websocket":
                packets[count].append(walk_pdml(proto))
            elif proto.get("name") == "fake-field-wrapper":
                packets[count] += [walk_pdml(field) for field in proto
                                   if is_ours(field.get("show", ""))]
    return packets


def walk_sharkd(nodes, tree):
    for node in nodes:
        name, _, value = node.get("f", "").partition(" == ")
        if name.startswith(PREFIX):
            tree.setdefault(name[len(PREFIX):], []).append(value.strip('"'))
        walk_sharkd(node.get("n", []), tree)
    return tree


def read_sharkd(env, path):
    sharkd, packets = click.Sharkd(env, path), {}
    try:
        count = min(sharkd.ask("status")["frames"], SHARKD_PACKETS_MAX)
        for packet in range(1, count + 1):
            nodes = sharkd.ask("frame", frame=packet, proto=True)["tree"]
            packets[packet] = [walk_sharkd(n.get("n", []), Protocol()) for n in nodes
                               if is_ours(n["l"])]
    finally:
        sharkd.close()
    return packets


READERS = {"json": read_json, "ek": read_ek, "pdml": read_pdml, "sharkd": read_sharkd}


def reader_test(env, path, reader):
    expected = expected_facts(jsonlines.run(env, path))
    packets, problems = reader(env, path), []
    for packet, trees in packets.items():
        got = [fact for fact in map(facts_of_protocol, trees) if fact]
        if got != expected.get(packet, []):
            problems.append(f"packet {packet}: {got}, lines {expected.get(packet)}")
    if not any(len(expected.get(p, ())) for p in packets):
        problems.append("no packet has a frame")
    return problems


def text_test(env, path, reader):
    """The text of each message, where no writer has to escape it."""
    wanted = [i["text"] for i in jsonlines.run(env, path) if i["kind"] == "text" and "text" in i
              and i["text"].isprintable() and '"' not in i["text"] and "\\" not in i["text"]]
    told = [text for trees in reader(env, path).values() for tree in trees
            for text in tree.get("message.text", [])]
    missing = collections.Counter(wanted) - collections.Counter(told)
    return [f"not told: {text[:60]}" for text in missing] + ([] if wanted else ["no text"])


# --- Elasticsearch ------------------------------------------------------------------------------


def field_types(env):
    text = run_cases.checked(env.run(["tshark", "-G", "fields"]), "-G fields")
    rows = (line.split("\t") for line in text.split("\n"))
    return {row[2]: row[3] for row in rows if len(row) > 3 and row[0] == "F"
            and row[2].startswith(PREFIX)}


RANGES = {"short": 2**15, "integer": 2**31, "long": 2**63,
          "unsigned long": 2**64, "unsigned_long": 2**64}  # 4.6 knows the type, under this name
# Wireshark's own rule makes a byte of every run of bytes, and writes them as text: no fault of a field's.
NOT_JUDGED = {"FT_BYTES"}


def fits(value, kind):
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "date":
        return isinstance(value, str)
    if kind in ("float", "double"):
        return abs(float(value)) < 3.4e38
    base = 16 if str(value).startswith("0x") else 10
    return kind in RANGES and abs(int(value, base)) < RANGES[kind]


def elastic_test(env, path):
    """Every value fits the type that the mapping gives its field; our numbers are all in the mapping."""
    done = env.run(["tshark", "-G", "elastic-mapping", "--elastic-mapping-filter", "websocket"])
    mapping = json.loads(run_cases.checked(done, "-G elastic-mapping"))
    mapping = mapping.get("mappings", mapping)
    mapping = mapping.get("doc", mapping)["properties"]["layers"]["properties"]
    types = mapping["websocket"]["properties"]
    fields = {"websocket_" + name.replace(".", "_"): kind for name, kind in field_types(env).items()}
    problems, judged = set(), 0
    for packet, layers in ek_lines(env, path):
        for one in as_list(layers.get("websocket", [])):
            for name, value in (one or {}).items():
                kind = fields.get(name)
                if kind is None or kind in NOT_JUDGED:
                    continue
                if kind in ("FT_STRING", "FT_NONE"):
                    continue
                if name not in types:
                    problems.add(f"{name} ({kind}) is not in the mapping")
                    continue
                for single in as_list(value):
                    judged += 1
                    if not fits(single, types[name]["type"]):
                        problems.add(f"{name}: {single} is no {types[name]['type']}")
    return sorted(problems) + ([] if judged else ["nothing was judged"])


HEAD_FIELDS = ("uri", "subprotocol", "extensions", "handshake.protocols_offered", "handshake.protocol", "handshake.origin",
               "handshake.version", "handshake.key", "handshake.accept", "handshake.extensions_offered",
               "handshake.extensions")


def utf8_test(env):
    """A handshake with bytes that are no UTF-8: every writer's output is, and the values are those of the JSON Lines."""
    talk, bad, path = captures.Talk(), b"a\xff\xfe", env.new_path(".pcap")
    offer = [b"Sec-WebSocket-Protocol: " + bad, b"Sec-WebSocket-Extensions: " + bad]
    talk.open_at(b"/" + bad, [*offer, b"Origin: " + bad, b"Sec-WebSocket-Version: " + bad, b"Sec-WebSocket-Key: " + bad],
                 [*offer, b"Sec-WebSocket-Accept: " + bad])
    talk.client(captures.masked(1, b"hello"))
    talk.close()
    talk.save(str(path))
    line, problems = jsonlines.run(env, path)[0], []
    for kind in ("json", "ek", "pdml"):
        done = env.tshark(["-T", kind, "-J", "websocket"], path)
        try:
            text = done.stdout.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.append(f"-T {kind}: {error}")
            continue
        if text.count("a\ufffd\ufffd") < 6:
            problems.append(f"-T {kind}: {text.count(chr(0xfffd))} characters in place of bytes")
    wanted = [word for name in HEAD_FIELDS for word in ("-e", "websocket." + name)]
    done = env.tshark(["-2", "-T", "fields", *wanted], path)
    for row in done.stdout.decode("utf-8", "replace").splitlines():
        for name, value in zip(HEAD_FIELDS, row.split("\t")):
            if value and value != line.get(name, value):
                problems.append(f"{name}: {value}, lines {line[name]}")
    return problems


def tests(env):
    made = captures.Captures(env)
    yield "read-utf8", lambda: utf8_test(env)
    for kind, reader in READERS.items():
        for name in NAMES:
            if kind == "sharkd" and made.env_for(name) is not env:
                continue  # sharkd takes no preferences
            yield (f"read-{kind}:{name}", lambda name=name, reader=reader:
                   reader_test(made.env_for(name), made.path(name), reader))
        yield (f"read-{kind}:text", lambda reader=reader:
               text_test(env, made.path("many"), reader))
    for name in ("many", "everything", "pmd_takeover"):
        yield f"elastic:{name}", lambda name=name: elastic_test(env, made.path(name))
