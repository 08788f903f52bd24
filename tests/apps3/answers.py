"""Tests of requests and answers of application protocols beyond one message.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  apps3:unanswered        requests that nobody answered are named where the connection ends, and nowhere
                          when it does not end in the capture
  apps3:types:NAME        kinds of messages that no recording has
  apps3:once:NAME         what the common fields wsx.app.type, .name and .id say is shown once in the tree of each
                          unit: by them, or by the protocol's own fields, and then they are hidden
  apps3:kubernetes:NAME   without a handshake: known by a terminal's size or a Status, by nothing else
  apps3:srt:NAME          `-z websocket,srt`: a row for each protocol, kind and name of request, with as
                          many answers as the JSON Lines tell
  apps3:srt_many_names    names that a peer makes up do not fill the table

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import pathlib
import re
import sys
from xml.etree import ElementTree

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE.parent / "apps1", HERE.parent / "lib"):
    sys.path.insert(0, str(folder))
import apps  # noqa: E402
import jsonlines  # noqa: E402

SAMPLES = HERE.parents[1] / "sample-captures"
RECORDED = ("proto_ocpp", "proto_graphql", "proto_jsonrpc", "proto_socketio", "proto_signalr", "proto_wamp",
            "proto_stomp")
# Of a row without more: "  12  name      4   0.1 0.2 0.3 0.4"
ROW = re.compile(r"^ *\d+  (.*?) +(\d+)(?: +[\d.]+){4}$")
ROWS_MAX = 400
# Recordings of protocols that wsx reads itself.
ONCE = [path.stem for path in sorted(SAMPLES.glob("proto_*.pcapng"))
        if path.stem not in ("proto_mqtt", "proto_sip", "proto_xmpp", "proto_websockify", "proto_vnc")]


def expert(env, capture, options=()):
    done = env.tshark([*options, "-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message", "-e",
                       "wsx.app.unanswered_in", "-Y", "wsx.app.unanswered"], capture)
    if done.rc != 0:
        raise RuntimeError(done.stderr.decode(errors="replace")[:300])
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def hub(body):
    """A record of SignalR in MessagePack: its length before it."""
    return bytes([len(body)]) + body


# protocol, and which form of it: what is sent (side, bytes; binary where a third element says so), and what each is
RARE_TYPES = {
    "Engine.IO": (b"", b"/engine.io/?EIO=4&transport=websocket",
                  [(1, b'0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1}'), (1, b"6"), (0, b"4text"),
                   (0, b"5"), (1, b"2"), (0, b"3"), (0, b"1")],
                  ["open", "noop", "message", "upgrade", "ping", "pong", "close"]),
    "SignalR": (b"", b"/hub?id=t1",
                [(0, b'{"protocol":"json","version":2}\x1e'), (1, b"{}\x1e"), (0, b'{"type":9,"sequenceId":1}\x1e'),
                 (1, b'{"type":8,"sequenceId":1}\x1e'), (0, b'{"type":5,"invocationId":"1"}\x1e'), (1, b'{"type":6}\x1e'),
                 (1, b'{"type":7,"error":"x"}\x1e')],
                ["handshake", "handshake", "sequence", "ack", "cancel_invocation", "ping", "close"]),
    "STOMP": (b"v12.stomp", b"/ws", [(0, b"STOMP\naccept-version:1.2\nhost:x\n\n\0"), (1, b"CONNECTED\nversion:1.2\n\n\0"),
                                     (0, b"\r\n"), (1, b"\n")],
              ["stomp", "connected", "heart-beat", "heart-beat"]),
    "SockJS": (b"", b"/s/123/abcdefgh/websocket", [(1, b"o"), (0, b'["a","b"]'), (1, b'a["c"]'), (1, b'm"d"'), (1, b"h"),
                                                   (1, b'c[1000,"Normal closure"]')],
               ["open", "message", "message", "message", "message", "heartbeat", "close"]),
    # every kind, in both notations
    "SignalR/MessagePack":
        (b"", b"/hub?id=t1",
         [(0, b'{"protocol":"messagepack","version":1}\x1e', 2), (1, b"{}\x1e", 2),
          (0, hub(b"\x96\1\x80\xa1a\xa3add\x92\1\2\x90"), 2), (1, hub(b"\x95\3\x80\xa1a\3\3"), 2),
          (0, hub(b"\x96\1\x80\xc0\xa4tell\x90\x90"), 2), (0, hub(b"\x96\4\x80\xa1b\xa4tick\x91\2\x90"), 2),
          (1, hub(b"\x94\2\x80\xa1b\0") + hub(b"\x94\2\x80\xa1b\1"), 2), (0, hub(b"\x93\5\x80\xa1b"), 2),
          (1, hub(b"\x94\3\x80\xa1b\2"), 2), (1, hub(b"\x95\3\x80\xa1x\1\xa3bad"), 2), (1, hub(b"\x91\6"), 2),
          (0, hub(b"\x92\x09\1"), 2), (1, hub(b"\x92\x08\1"), 2), (1, hub(b"\x93\7\xa3bye\xc3"), 2)],
         ["handshake", "handshake", "invocation", "completion", "invocation", "stream_invocation", "stream_item",
          "stream_item", "cancel_invocation", "completion", "completion", "ping", "sequence", "ack", "close"]),
    "Socket.IO/version 4":
        (b"", b"/socket.io/?EIO=4&transport=websocket",
         [(1, b'0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":9}'), (0, b'40/a,{"token":"t"}'),
          (1, b'40/a,{"sid":"y"}'), (0, b"40/no,"), (1, b'44/no,{"message":"no"}'), (0, b'42/a,7["e",1]'), (1, b'43/a,7["r"]'),
          (1, b'451-/a,8["b",{"_placeholder":true,"num":0}]'), (1, b"\1\2", 2), (0, b'461-/a,8[{"_placeholder":true,"num":0}]'),
          (0, b"\4\3", 2), (1, b"2"), (0, b"3"), (0, b"41/a,"), (0, b"1")],
         ["open", "connect", "connect", "connect", "connect_error", "event", "ack", "binary_event", "attachment", "binary_ack",
          "attachment", "ping", "pong", "disconnect", "close"]),
    "Socket.IO/version 2":
        (b"", b"/socket.io/?EIO=3&transport=websocket",
         [(1, b'0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1}'), (1, b"40"), (0, b"40/a?t=1,"), (1, b"40/a,"),
          (1, b'44/b,"no"'), (0, b'420["e"]'), (1, b'430["r"]'), (1, b'451-["b",{"_placeholder":true,"num":0}]'),
          (1, b"\4\1\2", 2), (0, b"2probe"), (1, b"3probe"), (0, b"5"), (0, b"2"), (1, b"3"), (1, b"41"), (1, b"6")],
         ["open", "connect", "connect", "connect", "connect_error", "event", "ack", "binary_event", "attachment", "ping", "pong",
          "upgrade", "ping", "pong", "disconnect", "noop"]),
}


def rare_types(env, name):
    token, uri, sent, wanted = RARE_TYPES[name]
    talk = apps.Talk(token, uri=uri)
    for side, message, *opcode in sent:
        talk.send(side, message, opcode=opcode[0] if opcode else 1)
    capture = talk.save(env)
    seen = [(protocol, unit.get("type")) for protocol, unit in apps.units(jsonlines.run(env, capture))]
    problems = [] if seen == [(name.split("/")[0], kind) for kind in wanted] else [f"{seen}, expected {wanted}"]
    for mark in ("signalr.malformed", "socketio.malformed", "engineio.malformed", "socketio.stray_attachment",
                 "socketio.missing_attachment"):
        if apps.fields(env, capture, ["frame.number"], ["-2", "-Y", mark]):
            problems.append(f"there is {mark}")
    return problems


STATUS = b'\x03{"metadata":{},"status":"Success"}'
# Without a handshake: what is sent (side, bytes), and from which message on it is Kubernetes; None: never
KUBERNETES = {
    "resize": ([(1, b"\x01$ "), (0, b'\x04{"Width":80,"Height":24}'), (1, b"\x01x")], 1),
    "status": ([(1, b"\x01out"), (1, b"\x02err"), (1, STATUS)], 2),
    "bytes": ([(1, b"\x01out"), (0, b"\x00in"), (1, b"\x03{}"), (0, b'\x04{"Width":80}'), (1, b'\x03{"status":"Success"}'),
               (1, STATUS[:-1])], None),
}


def kubernetes(env, name):
    """Its bytes tell nothing, but two kinds of message do."""
    sent, known = KUBERNETES[name]
    talk = apps.Talk()
    handshake = len(talk.made.packets)
    talk.send(0, b"\0first").send(1, b"\1first")  # a second frame of a direction shows that these were frames
    for side, message in sent:
        talk.send(side, message)
    del talk.made.packets[:handshake]
    items = jsonlines.run(env, talk.save(env), ["-d", "tcp.port==80,websocket"])
    seen = sorted((item["packet"], item["dir"], item["index"], item.get("app", {}).get("protocol")) for item in items
                  if item["kind"] == "binary")
    told = [protocol for _, _, index, protocol in seen if index > 1]
    wanted = [None if known is None or number < known else "Kubernetes" for number in range(len(sent))]
    return [] if told == wanted else [f"{seen}, expected {wanted}"]


def visible(element):
    """What is shown of an item and of all below, but for the common fields."""
    for field in element.iter("field"):
        if field.get("hide") != "yes" and not field.get("name").startswith("wsx.app."):
            yield field.get("showname") or field.get("show")


def joined(text):
    """"port 80" is "Port: 80", and "result error" CALLRESULTERROR."""
    return re.sub("[: ]", "", text).lower()


def own_part(proto):
    """(common field, its value, whether it is hidden, what else is shown beside it) of each unit of a tree."""
    for parent in proto.iter():
        for field in parent.findall("field"):
            if field.get("name") in ("wsx.app.type", "wsx.app.name", "wsx.app.id"):
                shown = [parent.get("showname") or "", *visible(parent)]
                yield field.get("name"), field.get("show"), field.get("hide") == "yes", shown


def once(env, name):
    """The value of a line: behind its first colon, without what a name of a number has behind it."""
    done = env.tshark(["-2", "-T", "pdml", "-Y", "wsx.app.type"], SAMPLES / f"{name}.pcapng")
    if done.rc != 0:
        return [done.stderr.decode(errors="replace")[-300:]]
    problems, hidden = [], 0
    for proto in ElementTree.fromstring(done.stdout).iter("proto"):
        for field, value, is_hidden, shown in own_part(proto):
            values = {re.sub(r" \(\d+\)$", "", line.split(": ", 1)[-1]) for line in shown}
            kinds = {re.sub(r" \(\d+\)$", "", line.split(": ", 1)[-1]).lower() for line in shown
                     if re.match(r"(Type|Message type|Command|Channel): ", line)}
            inside = any(joined(value) in joined(line) for line in shown)
            hidden += is_hidden
            if is_hidden and not inside:
                problems.append(f"{field} {value!r} is hidden and not in {shown}")
            if not is_hidden and (value in values or value.lower() in kinds):
                problems.append(f"{field} {value!r} is there twice: {shown}")
    return problems[:10] + ([] if hidden else ["nothing is hidden: that tests nothing"])


def calls(talk):
    talk.send(0, b'[2,"a","Answered",{}]', b'[2,"b","Never",{}]', opcode=1)
    talk.send(1, b'[3,"a",{}]', b'[2,"s","FromServer",{}]', opcode=1)
    return talk.send(0, *(b'[2,"m%d","Many",{}]' % n for n in range(12)), opcode=1)


def unanswered(env):
    ended = calls(apps.Talk(b"ocpp1.6"))
    open_still = calls(apps.Talk(b"ocpp1.6"))
    path, problems = ended.save(env), []
    open_path = env.new_path(".pcap")
    open_still.made.save(open_path)
    last = len(ended.made.packets)
    seen = [expert(env, path, options) for options in ((), ("-2",))]
    if seen[0] != seen[1]:
        problems.append(f"one pass {seen[0]}, two {seen[1]}")
    if len(seen[0]) != 1:
        return problems + [f"expert items in {len(seen[0])} packets"]
    packet, text, links = seen[0][0]
    if not last - 2 <= int(packet) <= last:
        problems.append(f"in packet {packet} of {last}")
    wanted = ["before 14 requests were answered", "OCPP-J call Never (b)", "OCPP-J call FromServer (s)", "and 11 more"]
    problems += [f"{want!r} is not in {text!r}" for want in wanted if want not in text]
    if "Answered" in text.replace("answered", ""):
        problems.append("the answered call is named")
    if len(links.split(",")) != 14:
        problems.append(f"links {links}")
    summary = env.tshark(["-q", "-z", "expert,note"], path).stdout.decode()
    if "14 requests" not in summary:
        problems.append("not in -z expert")
    if expert(env, open_path):
        problems.append("named though the connection did not end")
    found = {rule for item in jsonlines.run(env, path) for rule in item.get("rules", [])}
    if found - {"frame-mask-key-reused"}:
        problems.append(f"findings about WebSocket: {found}")
    return problems


def srt(env, capture):
    done = env.tshark(["-q", "-z", "websocket,srt"], capture)
    if done.rc != 0:
        raise RuntimeError(done.stderr.decode(errors="replace")[:300])
    table = done.stdout.decode().split("Filter:")[2]
    rows = [ROW.match(line) for line in table.splitlines()]
    return {row[1]: int(row[2]) for row in rows if row}


def srt_recorded(env, name):
    """Against the JSON Lines: first answers to each request, counted by the request's row."""
    capture, requests, wanted, answered = SAMPLES / f"{name}.pcapng", {}, collections.Counter(), set()
    for item in jsonlines.run(env, capture):
        app = item.get("app")
        for unit in apps.units([item]) if app else []:
            protocol, unit = unit
            key = (item["stream"], unit.get("id"), unit.get("name"))
            requests.setdefault((item["packet"], *key), f"{protocol} {unit['type']}" +
                                (f" {unit['name']}" if "name" in unit else ""))
            asked = (unit.get("answers"), *key)
            if "answers" in unit and asked not in answered:
                answered.add(asked)
                wanted[requests.get(asked) or "?"] += 1
    seen = {row: count for row, count in srt(env, capture).items() if not row.endswith(", last answer")}
    if sum(seen.values()) != sum(wanted.values()) or not seen:
        return [f"{seen}, expected {dict(wanted)}"]
    return [f"{row}: {seen.get(row)}, expected {count}" for row, count in wanted.items()
            if row != "?" and "?" not in wanted and seen.get(row) != count]


def srt_many_names(env):
    talk = apps.Talk(b"ocpp1.6")
    count = ROWS_MAX + 150
    for number in range(count):
        name = b"N%03d\\n\\u0007" % number + b"x" * 200
        talk.send(0, b'[2,"i","%s",{}]' % name, opcode=1).send(1, b'[3,"i",{}]', opcode=1)
    rows = srt(env, talk.save(env))
    problems = []
    if len(rows) != ROWS_MAX + 1 or rows.get("others") != count - ROWS_MAX:
        problems.append(f"{len(rows)} rows, others {rows.get('others')}")
    if max(map(len, rows)) > 70 or any(ord(c) < 32 for row in rows for c in row):
        problems.append("a name is too long or not printable")
    return problems


def tests(env, quick=False):
    yield "apps3:unanswered", lambda: unanswered(env)
    for name in RECORDED[:1] if quick else RECORDED:
        yield f"apps3:srt:{name}", lambda name=name: srt_recorded(env, name)
    for name in ONCE[:2] if quick else ONCE:
        yield f"apps3:once:{name}", lambda name=name: once(env, name)
    for name in KUBERNETES:
        yield f"apps3:kubernetes:{name}", lambda name=name: kubernetes(env, name)
    for name in RARE_TYPES:
        yield f"apps3:types:{name}", lambda name=name: rare_types(env, name)
    yield "apps3:srt_many_names", lambda: srt_many_names(env)
