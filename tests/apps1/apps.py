"""Tests of how messages are handed to dissectors, and of the application protocols Engine.IO, Socket.IO,
SignalR, STOMP and SockJS.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  apps1:count:NAME    a recorded capture: units by type, and how many of them answer a request, against what
                      the programs counted; the same in two passes and with the bytes cut otherwise
  apps1:mid:NAME      the same capture without its beginning: still the same protocol, nothing malformed
  apps1:cut:NAME      a stream protocol cut at every byte into two messages, and into messages of one byte
  apps1:NAME          one situation each

As a program: runs them all.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import craft  # noqa: E402
import jsonlines  # noqa: E402
import wsxenv  # noqa: E402

SAMPLES = HERE.parents[1] / "sample-captures"
KEY = b"\x37\xfa\x21\x3d"

# --- recorded captures ----------------------------------------------------------------------------

# {type: (units, of those that answer something)}
SIGNALR = {"handshake": (4, 2), "invocation": (28, 0), "completion": (26, 24), "stream_invocation": (4, 0),
           "stream_item": (116, 110), "cancel_invocation": (2, 0), "close": (3, 0), "ping": (6, 0)}
COUNTS = {
    # of stomp.js and stomp-broker-js: the same conversation in text and in binary messages
    "proto_stomp": {"connect": (2, 0), "connected": (2, 2), "subscribe": (2, 0), "send": (18, 0),
                    "message": (18, 0), "begin": (2, 0), "commit": (2, 0), "unsubscribe": (2, 0),
                    "heart-beat": (6, 0), "disconnect": (2, 0), "receipt": (2, 2)},
    # of stomp.js and RabbitMQ: versions 1.0 to 1.2, one connection each
    "proto_stomp_versions": {"connect": (3, 0), "connected": (3, 3), "subscribe": (3, 0), "send": (22, 0),
                             "receipt": (15, 15), "message": (21, 0), "ack": (18, 18), "nack": (3, 3),
                             "begin": (6, 0), "commit": (3, 0), "abort": (3, 0), "unsubscribe": (3, 0),
                             "disconnect": (3, 0), "heart-beat": (2, 0), "error": (1, 0)},
    "proto_socketio4": {"open": (2, 0), "connect": (6, 2), "connect_error": (2, 2), "disconnect": (2, 0),
                        "binary_event": (4, 0), "binary_ack": (3, 3), "attachment": (13, 0),
                        "event": (5, 0), "ack": (3, 3), "ping": (1, 0), "pong": (1, 1)},
    "proto_sockjs": {"open": (1, 0), "message": (24, 0)},
    "proto_socketio": {"open": (2, 0), "connect": (4, 2), "disconnect": (4, 0), "event": (14, 0),
                       "ack": (14, 14), "binary_event": (6, 0), "attachment": (8, 0),
                       "ping": (12, 0), "pong": (12, 12), "upgrade": (2, 0)},
    "proto_socketio2": {"open": (2, 0), "connect": (4, 1), "disconnect": (2, 0), "event": (6, 0),
                        "ack": (4, 4), "binary_event": (2, 0), "binary_ack": (1, 1),
                        "attachment": (4, 0), "ping": (4, 0), "pong": (4, 4)},
    "proto_engineio": {"open": (1, 0), "message": (12, 0), "ping": (2, 0), "pong": (2, 2)},
    # what the server counted of its records; the handshakes are beside them
    "proto_signalr": SIGNALR,
    "proto_signalr_pmd": SIGNALR,
}
# The port of a capture whose beginning is left out, and what has to be left.
MIDSTREAM = {"proto_socketio": (3000, "Socket.IO"), "proto_signalr": (3010, "SignalR"),
             "proto_stomp": (15674, "STOMP"), "proto_sockjs": (3006, "SockJS")}


def units(items):
    """(protocol, unit) of each unit."""
    for item in items:
        app = item.get("app")
        for unit in (app.get("units", [app]) if app else []):
            yield app["protocol"], unit


def counts(items):
    seen = collections.defaultdict(lambda: [0, 0])
    for _, unit in units(items):
        seen[unit.get("type")][0] += 1
        seen[unit.get("type")][1] += "answers" in unit
    return {kind: tuple(pair) for kind, pair in seen.items()}


def recut(env, capture, mode):
    target = env.new_path(".cut")
    subprocess.run([sys.executable, "-B", str(HERE.parent / "recut.py"), str(capture), str(target), mode],
                   check=True, capture_output=True)
    return target


def apps_of(items):
    """What rides on each message, without the packets' numbers."""
    return [json.dumps([item["stream"], item["dir"], item.get("app")]) for item in items if "app" in item]


def count_test(env, name):
    capture, problems = SAMPLES / f"{name}.pcapng", []
    once = jsonlines.run(env, capture)
    got = counts(once)
    for kind in sorted(set(got) | set(COUNTS[name]), key=str):
        if got.get(kind) != COUNTS[name].get(kind):
            problems.append(f"{kind}: {got.get(kind)}, expected {COUNTS[name].get(kind)}")
    if apps_of(jsonlines.run(env, capture, ["-2"])) != apps_of(once):
        problems.append("two passes give something else than one")
    for mode in ("random:7", "flight"):
        if counts(jsonlines.run(env, recut(env, capture, mode))) != got:
            problems.append(f"cut as {mode}: other units")
    return problems


def mid_test(env, name):
    port, protocol = MIDSTREAM[name]
    whole, part = SAMPLES / f"{name}.pcapng", env.new_path(".pcapng")
    first = [item for item in jsonlines.run(env, whole) if item["kind"] == "open"][0]["packet"]
    subprocess.run(["editcap", str(whole), str(part), f"1-{first}"], check=True, capture_output=True)
    items = jsonlines.run(env, part, ["-d", f"tcp.port=={port},websocket"])
    opened = [item for item in items if item["kind"] == "open"]
    stream = opened[0]["stream"]
    mine = [item for item in items if item["stream"] == stream and item["kind"] in ("text", "binary")]
    problems = []
    if not opened[0].get("midstream"):
        problems.append("the first connection has its handshake")
    seen = collections.Counter(item.get("app", {}).get("protocol") for item in mine)
    if seen[protocol] < len(mine) * 0.6 or not mine:
        problems.append(f"protocols {dict(seen)}, expected {protocol}")
    problems += [f"malformed: {unit}" for _, unit in units(mine) if unit.get("type") == "malformed"]
    return problems


# --- made captures --------------------------------------------------------------------------------


class Talk:
    """One connection."""

    def __init__(self, protocol=b"", port=50001, uri=b"/chat", server_port=80):
        self.made = craft.Conversation()
        self.made.port = [port, server_port]
        line = [b"Sec-WebSocket-Protocol: " + protocol] if protocol else []
        send = self.made.client
        self.made.client = lambda data: send(data.replace(b"GET /chat ", b"GET " + uri + b" "))
        self.made.open(line, line)
        self.made.client = send

    def send(self, side, *messages, opcode=2):
        """Messages, all in one segment."""
        data = b"".join(craft.frame(opcode, message, KEY if side == craft.CLIENT else None)
                        for message in messages)
        self.made.send(side, data)
        return self

    def save(self, env):
        path = env.new_path(".pcap")
        self.made.close()
        self.made.save(path)
        return path


def together(env, talks):
    first = talks[0].made
    for talk in talks:
        talk.made.close()
    for talk in talks[1:]:
        first.packets += talk.made.packets
    path = env.new_path(".pcap")
    first.save(path)
    return path


def fields(env, capture, names, options=()):
    """Rows of values, one a packet."""
    args = [*options, "-T", "fields", "-E", "separator=\x03"]
    for name in names:
        args += ["-e", name]
    done = env.tshark(args, capture)
    if done.rc != 0:
        raise RuntimeError(done.stderr.decode(errors="replace")[:300])
    return [line.split("\x03") for line in done.stdout.decode().splitlines()]


def by_stream(env, capture, name, options=()):
    """{tcp.stream: values of a field in order}"""
    values = collections.defaultdict(list)
    for stream, value in fields(env, capture, ["tcp.stream", name], options):
        values[stream] += [part for part in value.split(",") if part]
    return values


def mqtt_session():
    """(client's bytes, server's bytes)"""
    connect = b"\x10\x16\x00\x04MQTT\x04\x02\x00\x3c\x00\x0aclient-one"
    subscribe = b"\x82\x08\x00\x01\x00\x03a/b\x00"
    publish = b"\x30\x81\x01\x00\x03a/b" + b"x" * 124
    return (connect + subscribe + publish + b"\xc0\x00" + b"\xe0\x00",
            b"\x20\x02\x00\x00" + b"\x90\x03\x00\x01\x00" + b"\xd0\x00")


def rfb_session():
    """Each side's pieces, in the order in which they are sent."""
    init = b"\x03\x20\x02\x58" + bytes([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0])
    return [(1, b"RFB 003.008\n"), (0, b"RFB 003.008\n"), (1, b"\x01\x01"), (0, b"\x01"),
            (1, b"\0\0\0\0"), (0, b"\x01"), (1, init + b"\0\0\0\x04desk"),
            (0, b"\x02\0\0\x02\0\0\0\0\0\0\0\x01")]


def same_for_all(values, count, problems):
    expected = values["0"]
    if not expected:
        problems.append("the uncut connection shows nothing")
    for stream in map(str, range(count)):
        if values[stream] != expected:
            problems.append(f"cut {stream}: {values[stream]}, uncut {expected}")
    return problems[:5]


def cut_mqtt(env):
    client, server = mqtt_session()
    talks = [Talk(b"mqtt").send(0, client).send(1, server)]
    for at in range(1, len(client)):
        talk = Talk(b"mqtt", port=50001 + at).send(0, client[:at]).send(0, client[at:])
        talks.append(talk.send(1, server))
    talks.append(Talk(b"mqtt", port=60001))
    for side, data in ((0, client), (1, server)):
        for byte in data:
            talks[-1].send(side, bytes([byte]))
    capture, problems = together(env, talks), []
    for options in ((), ("-2",)):
        same_for_all(by_stream(env, capture, "mqtt.msgtype", options), len(talks), problems)
        same_for_all(by_stream(env, capture, "mqtt.msg", options), len(talks), problems)
    return problems


def cut_rfb(env):
    """Each piece of the handshake whole, cut at every byte, and byte by byte."""
    names = ["vnc.server_proto_ver", "vnc.client_proto_ver", "vnc.security_type", "vnc.desktop_name",
             "vnc.width", "vnc.client_set_encodings_encoding_type", "vnc.num_security_types"]
    longest = max(len(piece) for _, piece in rfb_session())
    talks = []
    for at in range(longest + 1):
        talk = Talk(b"binary", port=50001 + at)
        for side, piece in rfb_session():
            for part in (piece[:at], piece[at:]) if at < longest else [piece[i:i + 1] for i in range(len(piece))]:
                if part:
                    talk.send(side, part)
        talks.append(talk)
    capture, problems = together(env, talks), []
    for options in ((), ("-2",)):
        for name in names:
            same_for_all(by_stream(env, capture, name, options), len(talks), problems)
    return problems


def cut_stomp(env):
    client = (b"SEND\ndestination:/q\ncontent-length:7\n\nab\0cd\0e\0\n"
              b"SEND\ndestination:/x\\ny\nreceipt:7\n\nplain\0")
    talks = [Talk(b"v12.stomp").send(0, client)]
    for at in range(1, len(client)):
        # a cut behind a frame would make the end of line that follows it a heart-beat
        if client[at:at + 1] != b"\n" or client[at - 1:at] != b"\0":
            talks.append(Talk(b"v12.stomp", port=50001 + at).send(0, client[:at]).send(0, client[at:]))
    capture, problems = together(env, talks), []
    for name in ("stomp.command", "stomp.destination", "stomp.body"):
        for options in ((), ("-2",)):
            same_for_all(by_stream(env, capture, name, options), len(talks), problems)
    return problems


def tunnels(env):
    request = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    talks = [Talk(b"binary").send(0, request[:9]).send(0, request[9:]).send(1, answer),
             Talk(b"binary", 50002).send(1, b"SSH-2.0-a\r\n").send(0, b"SSH-2.0-b\r\n"),
             Talk(b"binary", 50003)]
    for side, piece in rfb_session():
        talks[2].send(side, piece)
    capture, problems = together(env, talks), []
    items = jsonlines.run(env, capture)
    for stream, protocol in enumerate(("HTTP", "SSH", "VNC")):
        seen = {item.get("app", {}).get("protocol") for item in items
                if item["stream"] == stream and item["kind"] == "binary"}
        if seen != {protocol}:
            problems.append(f"connection {stream}: {seen}, expected {protocol}")
    rows = fields(env, capture, ["tcp.stream", "http.request.uri", "websocket.stream"])
    if not any("/inner" in row[1] for row in rows):
        problems.append("the inner request is not shown")
    if {row[0] for row in rows} != {"0", "1", "2"} or {row[2] for row in rows} - {"", "0", "1", "2"}:
        problems.append("a tunnel changes the numbers of connections")
    return problems


def user_table(env):
    client, _ = mqtt_session()
    client = client[24:]  # no CONNECT, which is known for what it is
    capture = Talk(b"own-token", uri=b"/brok").send(0, client[:5]).send(0, client[5:]).save(env)
    problems = []
    if by_stream(env, capture, "mqtt.msgtype")["0"]:
        problems.append("shown as MQTT without being told")
    for row in ('"Subprotocol","own-*","mqtt","Stream"', '"URI","*/BROK","mqtt","Stream"'):
        told = by_stream(env, capture, "mqtt.msgtype", ["-o", "uat:websocket_payload:" + row])["0"]
        if told != ["8", "3", "12", "14"]:
            problems.append(f"{row}: {told}")
    return problems


def exceptions_end(env):
    """A message that breaks its dissector does not take the frames behind it along."""
    talk = Talk(b"xmpp").send(0, b"<a", b"<message xmlns='jabber:client'><body>x</body></message>", opcode=1)
    bad_mqtt = b"\x10\x04\x00\x40MQ"
    more = Talk(b"mqtt", 50002).send(0, bad_mqtt, b"\xc0\x00")
    capture, problems = together(env, [talk, more]), []
    rows = fields(env, capture, ["tcp.stream", "websocket.message", "mqtt.msgtype",
                                 "websocket.message.text"], ["-Y", "websocket.message"])
    numbers = {row[0]: row[1] for row in rows}
    if numbers != {"0": "1,2", "1": "1,2"}:
        problems.append(f"messages {numbers}")
    if not any("12" in row[2].split(",") for row in rows):
        problems.append("the PINGREQ behind the malformed CONNECT is not shown")
    items = jsonlines.run(env, capture)
    found = {rule for item in items for rule in item.get("rules", [])}
    if found - {"frame-mask-key-reused", "hs-key-reused"}:
        problems.append(f"findings about WebSocket: {found}")
    return problems


def repeated_ids(env):
    """Ids that repeat: the nearest open request is meant, and both are marked."""
    talk = Talk(uri=b"/?EIO=4")
    talk.send(0, b'420["a"]', opcode=1).send(0, b'420["b"]', opcode=1)
    talk.send(1, b'430["to b"]', opcode=1).send(1, b'430["to a"]', opcode=1).send(1, b'430[]', opcode=1)
    capture, problems = talk.save(env), []
    names = [(unit["type"], unit.get("name")) for _, unit in units(jsonlines.run(env, capture))]
    expected = [("event", "a"), ("event", "b"), ("ack", "b"), ("ack", "a"), ("ack", None)]
    if names != expected:
        problems.append(f"{names}, expected {expected}")
    for mark, count in (("wsx.app.id_repeated", 1), ("wsx.app.id_ambiguous", 1), ("wsx.app.no_request", 1)):
        for options in (("-Y", mark), ("-2", "-Y", mark)):
            marked = len(fields(env, capture, ["frame.number"], options))
            if marked != count:
                problems.append(f"{mark}: {marked} packets with {options}, expected {count}")
    linked = fields(env, capture, ["frame.number", "wsx.app.answered_in", "wsx.app.answers"],
                    ["-2", "-Y", "wsx.app.type"])
    forward = {row[0]: row[1] for row in linked if row[1]}
    back = {row[2]: row[0] for row in linked if row[2]}
    if forward != back or len(back) != 2:
        problems.append(f"links forward {forward}, back {back}")
    return problems


def attachments(env):
    rows = fields(env, SAMPLES / "proto_socketio2.pcapng",
                  ["frame.number", "socketio.attachment.in", "socketio.attachment.of",
                   "socketio.attachment.path"], ["-2", "-Y", "socketio"])
    forward = {(row[0], packet) for row in rows for packet in row[1].split(",") if packet}
    back = {(row[2], row[0]) for row in rows if row[2]}
    problems = [] if forward == back and len(back) == 4 else [f"forward {forward}, back {back}"]
    paths = sorted(row[3] for row in rows if row[3])
    if paths != ["[0]", "[1]", "[1].b", "[1].more[1]"]:
        problems.append(f"paths {paths}")
    return problems


def stomp_in_sockjs(env):
    talk = Talk(uri=b"/s/123/abcdefgh/websocket")
    talk.send(1, b"o", opcode=1)
    talk.send(0, b'["CONNECT\\naccept-version:1.1\\n\\n\\u0000"]', opcode=1)
    talk.send(1, b'a["CONNECTED\\nversion:1.1\\n\\n\\u0000"]', b'a["x","y"]', b"h", opcode=1)
    talk.send(1, b'c[3000,"Go away!"]', opcode=1)
    seen = [(protocol, unit["type"]) for protocol, unit in units(jsonlines.run(env, talk.save(env)))]
    expected = [("SockJS", "open"), ("STOMP", "connect"), ("STOMP", "connected"), ("SockJS", "message"),
                ("SockJS", "message"), ("SockJS", "heartbeat"), ("SockJS", "close")]
    return [] if seen == expected else [f"{seen}, expected {expected}"]


def malformed(env):
    """What can't be read is said by the application's own protocol; the text stays."""
    problems = []
    cases = [(b"", b"/?EIO=4", b"42{nope", "socketio.malformed"), (b"", b"/?EIO=4", b"9", "engineio.malformed"),
             (b"v12.stomp", b"/chat", b"HELLO\n\n\0", "stomp.malformed"),
             (b"", b"/s/123/abcdefgh/websocket", b'a["', "sockjs.malformed"),
             (b"", b"/s/123/abcdefgh/websocket", b'c[4294967296,"Go"]', "sockjs.malformed"),
             (b"", b"/s/123/abcdefgh/websocket", b'c[-1,"Go"]', "sockjs.malformed")]
    for token, uri, text, mark in cases:
        first = b"0{}" if b"EIO" in uri else b"o" if b"/s/" in uri else b"\n"
        capture = Talk(token, uri=uri).send(1, first, opcode=1).send(1, text, opcode=1).save(env)
        rows = fields(env, capture, ["websocket.message.text"], ["-Y", mark])
        # Wireshark 4.4 and later write a backslash as two
        if [row[0].replace("\\\\", "\\") for row in rows] != [text.decode().replace("\n", "\\n").replace("\0", "\\0")]:
            problems.append(f"{mark}: {rows}")
        found = {rule for item in jsonlines.run(env, capture) for rule in item.get("rules", [])}
        if found - {"frame-mask-key-reused"}:
            problems.append(f"{mark}: findings about WebSocket: {found}")
    return problems


# A window's title, a colour, a C1 control, a direction of writing, and a line that looks like a packet's.
COMMANDS = b"\x1b]0;x\x07\x1b[31m\xc2\x9b31m\xe2\x80\xae\xe2\x80\xa8end"
COMMANDS_SHOWN = "\\x1b]0;x\\x07\\x1b[31m\\x9b31m\\u202e\\u2028end"


def terminal_talks():
    text = b'"' + COMMANDS.replace(b"\x1b", b"\\u001b").replace(b"\x07", b"\\u0007") + b'\\n 9 0.0 forged"'
    stomp = b"SEND\ndestination:/q" + COMMANDS + b"\nreceipt:r" + COMMANDS + b"\nx" + COMMANDS + b":y\n\nbody\0"
    length = b"SEND\ndestination:/q\ncontent-length:3" + COMMANDS + b"\n\nbody\0"
    yield b"v12.stomp", b"/chat", [stomp, length]
    yield b"ocpp1.6", b"/chat", [b"[2,%s,%s,{}]" % (text, text)]
    yield b"jsonrpc", b"/chat", [b'{"jsonrpc":"2.0","id":%s,"method":%s}' % (text, text)]
    yield b"wamp.2.json", b"/chat", [b"[48,1,{},%s]" % text]
    yield b"graphql-transport-ws", b"/chat", [b'{"type":"subscribe","id":%s,"payload":{"operationName":%s,"query":"{a}"}}'
                                              % (text, text)]
    yield b"", b"/?EIO=4", [b"0{}", b"42[%s]" % text, b'451-[%s,{%s:{"_placeholder":true,"num":0}}]' % (text, text)]
    yield b"", b"/hub?id=t", [b'{"protocol":"json","version":1}\x1e', b'{"type":1,"target":%s,"arguments":[]}\x1e' % text]
    yield b"", b"/s/123/abcdefgh/websocket", [b"[%s]" % text]
    yield b"bad" + COMMANDS, b"/chat", [b"x"]


def terminal(env):
    """Names and ids of a peer are no commands to a terminal, and no lines of their own: in the listing, in labels, and in
    expert items. The values of fields are what was sent."""
    talks = []
    for port, (token, uri, texts) in enumerate(terminal_talks(), 50001):
        talks.append(Talk(token, port, uri))
        talks[-1].send(0, *texts, opcode=1)
        if b"EIO" in uri:
            talks[-1].send(0, b"attached")
        if token == b"jsonrpc":
            talks[-1].send(1, texts[0].replace(b'"method"', b'"result"'), opcode=1)
    capture, problems = together(env, talks), []
    packets = len(fields(env, capture, ["frame.number"]))
    for least, options in ((4, []), (4, ["-2", "-O", "websocket,stomp,ocpp,jsonrpc,wamp,graphql,socketio,signalr,sockjs"]),
                           (4, ["-q", "-z", "expert,note"]), (1, ["-q", "-z", "websocket,srt"])):
        text = env.tshark(options, capture).stdout.decode()
        # what Wireshark makes of a field's value is its own: 4.4 lets U+202E through
        ours = "\n".join(line for line in text.split("\n") if not re.match(r" +\[?[\w -]+: ", line))
        bad = sorted({c for c in ours if c != "\n" and c in "\x1b\x07\r\x9b\u202e"})
        problems += [f"{options}: {bad} are there"] if bad else []
        problems += [f"{options}: a forged line" for line in text.split("\n") if line.startswith(" 9 0.0")]
        if text.count(COMMANDS_SHOWN) < least:
            problems.append(f"{options}: escaped {text.count(COMMANDS_SHOWN)} times")
        if not options and text.count("\n") != packets:
            problems.append(f"{text.count(chr(10))} lines of {packets} packets")
    told = [unit for _, unit in units(jsonlines.run(env, capture)) if COMMANDS.decode() in unit.get("name", "")]
    return problems + ([] if len(told) >= 8 else [f"{len(told)} names as sent"])


def tests(env):
    for name in COUNTS:
        yield f"apps1:count:{name}", lambda name=name: count_test(env, name)
    for name in MIDSTREAM:
        yield f"apps1:mid:{name}", lambda name=name: mid_test(env, name)
    for name, test in (("cut:mqtt", cut_mqtt), ("cut:rfb", cut_rfb), ("cut:stomp", cut_stomp), ("tunnels", tunnels),
                       ("user_table", user_table), ("exceptions", exceptions_end),
                       ("repeated_ids", repeated_ids), ("attachments", attachments),
                       ("stomp_in_sockjs", stomp_in_sockjs), ("malformed", malformed),
                       ("terminal", terminal)):
        yield f"apps1:{name}", lambda test=test: test(env)


def main():
    failed = 0
    for name, test in tests(wsxenv.shared()):
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        try:
            problems = test()
        except (RuntimeError, jsonlines.BadOutput, subprocess.CalledProcessError) as error:
            problems = [str(error)]
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name, *problems, sep="\n     " if problems else " ")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
