"""Export Objects, Export PDUs and websocket.redact against the JSON Lines of the same capture.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import collections
import re

import captures
import click
import jsonlines
import run_cases

NAME = re.compile(r"stream(\d+)-(c2s|s2c)-(\d+)-(text|binary)(-incomplete|-compressed)?\.(\w+)$")
NAMES = ("many", "lost", "cut_off", "proto_graphql", "ws_plain_close", "chromium_wss", "pmd_takeover",
         "h2_two_streams_pmd")
KINDS = ("text", "binary")
EXTENSIONS = {"plain words": "txt", '{"json": [1, 2]}': "json", "<a>xml</a>": "xml",
              "PNG": "png", '{"in": "binary"}': "json", "\x00\x01\x02\xff": "bin"}


def messages(items):
    """Messages by (stream, direction, number)."""
    return {(i["stream"], i["dir"], i["index"]): i for i in items if i["kind"] in KINDS}


def in_packets(items):
    """Those that became complete in a packet; the others only the end of the file breaks."""
    ends = {i["stream"]: i["packet"] for i in items if i["kind"] == "end" and i["cause"] == "eof"}
    out = []
    for item in items:
        broken_by_eof = item.get("incomplete") and item["stream"] in ends \
            and item["packet"] == ends[item["stream"]]
        if item["kind"] in KINDS and not broken_by_eof:
            out.append(item)
    return out


def exported_objects(env, path, options=()):
    folder = env.new_path("-objects")
    folder.mkdir()
    folder.chmod(0o777)
    run_cases.checked(env.tshark(["-q", *options, "--export-objects", f"websocket,{folder}"], path),
                      "--export-objects")
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def objects_test(env, path, options=()):
    expected = messages(jsonlines.run(env, path))
    problems, seen = [], set()
    for name, content in exported_objects(env, path, options).items():
        found = NAME.match(name)
        if not found:
            problems.append(f"a name of another form: {name}")
            continue
        key = int(found[1]), found[2], int(found[3])
        item = expected.get(key)
        seen.add(key)
        if not item:
            problems.append(f"{name} is in no line")
            continue
        if item["kind"] != found[4]:
            problems.append(f"{name}: the line says {item['kind']}")
        if content != jsonlines.body(item):
            problems.append(f"{name}: {len(content)} bytes, not those of the line")
        state = "-compressed" if item.get("raw") else "-incomplete" if item.get("incomplete") else None
        if state != found[5]:
            problems.append(f"{name}: the line has {item.line[:120]}")
    problems += [f"message {key} was not exported" for key in sorted(set(expected) - seen)]
    if not expected:
        problems.append("the capture has no messages")
    return problems


def extension_test(env, path):
    """The extension comes from the content."""
    files = {content: name for name, content in exported_objects(env, path).items()}
    problems = []
    for text, extension in EXTENSIONS.items():
        content = captures.PNG if text == "PNG" else text.encode("latin-1")
        if not files.get(content, "").endswith("." + extension):
            problems.append(f"{content[:20]} became {files.get(content)}, not .{extension}")
    return problems


def sharkd_objects_test(env, path):
    """As a web front end gets them: a list, and each object's bytes on request."""
    expected = {(i["stream"], i["dir"], i["index"]): i for i in in_packets(jsonlines.run(env, path))}
    sharkd, problems = click.Sharkd(env, path), []
    try:
        objects = sharkd.ask("tap", tap0="eo:websocket")["taps"][0]["objects"]
        for told in objects:
            found = NAME.match(told["filename"])
            item = expected.pop((int(found[1]), found[2], int(found[3])), None)
            if not item or told["pkt"] != item["packet"]:
                problems.append(f"{told['filename']} in packet {told['pkt']} is in no line")
                continue
            got = sharkd.ask("download", token=told["_download"])["data"]
            if base64.b64decode(got) != jsonlines.body(item):
                problems.append(f"{told['filename']}: other bytes than the line's")
    finally:
        sharkd.close()
    return problems + [f"message {key} is not offered" for key in expected]


# --- Export PDUs --------------------------------------------------------------------------------


def pdus_test(env, path):
    lines = jsonlines.run(env, path)
    items = [i for i in in_packets(lines) if not i.get("raw")]
    opens = {i["stream"]: i for i in lines if i["kind"] == "open"}
    target = env.new_path(".pcapng")
    run_cases.checked(env.tshark(["-q", "-U", "WebSocket", "-w", str(target)], path), "-U")
    text = run_cases.checked(
        env.tshark(["-T", "fields", "-e", "exported_pdu.exported_pdu", "-e", "exported_pdu.orig_fno",
                    "-e", "exported_pdu.src_port", "-e", "exported_pdu.prot_name",
                    "-E", "occurrence=f"], target), "reading the PDUs")
    problems = []
    got, expected = collections.Counter(), collections.Counter()
    for line in text.split("\n"):
        if line:
            data, packet, port, _ = line.split("\t")
            data = "" if data == "<MISSING>" else data.replace(":", "")  # a PDU of no bytes
            got[bytes.fromhex(data), int(packet), int(port)] += 1
    for item in items:
        side = "client" if item["dir"] == "c2s" else "server"
        port = int(opens[item["stream"]][side].rsplit(":", 1)[1])
        expected[jsonlines.body(item), item["packet"], port] += 1
    for key in (expected - got) + (got - expected):
        problems.append(f"{expected[key]} lines, {got[key]} PDUs of {key[1:]}: {key[0][:40]}")
    if not items:
        problems.append("the capture has no messages")
    return problems


def pdu_names_test(env, path, wanted):
    """The dissectors that the PDUs of a capture name."""
    target = env.new_path(".pcapng")
    run_cases.checked(env.tshark(["-q", "-U", "WebSocket", "-w", str(target)], path), "-U")
    text = run_cases.checked(env.tshark(["-T", "fields", "-e", "exported_pdu.prot_name"], target),
                             "reading the PDUs")
    names = set(text.split())
    return [] if names == wanted else [f"named {sorted(names)}, not {sorted(wanted)}"]


# --- websocket.redact ---------------------------------------------------------------------------

SECRETS = [captures.SECRET.decode(), captures.JWT.decode(), "secret-cookie", "secret-bearer"]


def redact_lines_test(env, path):
    plain = "".join(i.line for i in jsonlines.run(env, path))
    hidden = jsonlines.run(env, path, ["-o", "websocket.redact:TRUE"])
    lines = "".join(i.line for i in hidden)
    problems = [f"{s} is not in the lines without the preference" for s in SECRETS[:2]
                if s not in plain]
    problems += [f"{s} is in the lines" for s in SECRETS if s in lines]
    opened = hidden[0]
    for key, value in (("uri", "ws://server.example.com/feed?room=1&token=(hidden)&x=(hidden)"),
                       ("subprotocol", "(hidden)")):
        if opened.get(key) != value:
            problems.append(f"{key} is {opened.get(key)}")
    if plain.count("hello") != 1 or lines.count("hello") != 1:
        problems.append("the message is not there")
    return problems


# --- what a peer sends must not command the terminal ---------------------------------------------

COMMANDS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")
TERMINAL_SURFACES = ("websocket,tree", "websocket,connections", "conv,websocket", "websocket,check,chat",
                     "websocket,messages", "flow,websocket,standard", "follow,websocket,ascii,0",
                     "websocket,har,-")


def terminal_test(env, path):
    """No control character stands in what is printed, and none is lost in the lines."""
    problems = []
    for surface in TERMINAL_SURFACES:
        done = env.tshark(["-q", "-z", surface], path)
        text = done.stdout.decode("utf-8", "surrogateescape")
        found = COMMANDS.findall(text)
        if found or not text:
            problems.append(f"{surface}: {[hex(ord(c)) for c in found[:5]]}")
    lines = [i.line for i in jsonlines.run(env, path) if i["kind"] == "text"]
    told = [i["text"] for i in jsonlines.run(env, path) if i["kind"] == "text"]
    if told != [captures.COMMANDS] or len(lines[0].splitlines()) != 1:
        problems.append(f"the message is {told}")
    return problems


def tests(env):
    made = captures.Captures(env)
    for name in NAMES:
        yield f"objects:{name}", lambda name=name: objects_test(made.env_for(name), made.path(name))
        yield f"pdus:{name}", lambda name=name: pdus_test(made.env_for(name), made.path(name))
    yield "objects:second-pass", lambda: objects_test(env, made.path("many"), ["-2"])
    yield "objects:sharkd", lambda: sharkd_objects_test(env, made.path("many"))
    yield "objects:extension", lambda: extension_test(env, made.path("many"))
    yield "pdus:names", lambda: pdu_names_test(env, made.path("many"),
                                               {"json", "data-text-lines", "data"})
    yield "pdus:names-sip", lambda: pdu_names_test(env, made.path("proto_sip"), {"sip"})
    yield "objects:terminal", lambda: terminal_test(env, made.path("commands"))
    yield "redact:lines", lambda: redact_lines_test(env, made.path("secrets"))
