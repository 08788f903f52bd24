"""Tests of which dissector of Wireshark gets the messages, and of streams cut anywhere.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  apps3:token:TOKEN      a subprotocol, as it is written, in other case and between blanks: its dissector reads the message
  apps3:decode_as        by the tables ws.protocol and ws.port, as the user fills them
  apps3:lua:NAME         by the heuristics list ws and the tables, as a script fills them (parts.lua), and by
                         the user's table in each delivery mode
  apps3:protobuf         with a message type of the user's search path
  apps3:json             JSON by sight, by all that looks into it
  apps3:cut:NAME         a byte stream in binary messages, cut in two at every byte, and byte by byte

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import shutil
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE.parent / "apps1", HERE.parent / "lib"):
    sys.path.insert(0, str(folder))
import apps  # noqa: E402
import jsonlines  # noqa: E402
import wsxenv  # noqa: E402

SIP = (b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
       b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
       b"Content-Length: 0\r\n\r\n")
MSRP = (b"MSRP a786hjs2 SEND\r\nTo-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp\r\n"
        b"From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp\r\nMessage-ID: 87652491\r\n"
        b"Byte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nHi\r\n-------a786hjs2$\r\n")
TNS = (b"\0\x3a\0\0\1\0\0\0\1\x36\1\x2c\0\0\x08\0\x7f\xff\x7f\x08\0\0\0\1\0\0\0\x3a\0\0\0\0\0\0"
       b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")

XMPP = b"<message xmlns='jabber:client' to='a@b' type='chat'><body>x</body></message>"
HELLO = b"HELF\x2c\0\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\0\0\3\0\0\0\x0c\0\0\0opc.tcp://ab:"
SPDY_PING = b"\x80\x03\0\x06\0\0\0\x04\0\0\0\x09"

# token: the protocol's filter name, opcode, a message, and what its dissector reads in it: {field: values}
TOKENS = {
    "mqtt": ("mqtt", 2, apps.mqtt_session()[0], {"mqtt.clientid": "client-one", "mqtt.topic": "a/b,a/b", "mqtt.msgtype": "1,8,3,12,14"}),
    "mqttv3.1": ("mqtt", 2, apps.mqtt_session()[0], {"mqtt.clientid": "client-one", "mqtt.msgid": "1"}),
    "amqp": ("amqp", 2, b"AMQP\0\1\0\0", {"amqp.init.protocol": "AMQP", "amqp.init.version_major": "1"}),
    "AMQPWSB10": ("amqp", 2, b"AMQP\0\1\0\0", {"amqp.init.protocol": "AMQP"}),
    "xmpp": ("xmpp", 1, XMPP, {"xmpp.type": "chat", "xmpp.to": "a@b"}),
    "sip": ("sip", 1, SIP, {"sip.Method": "OPTIONS", "sip.Via.branch": "z9hG4bK1", "sip.Content-Length": "0"}),
    # RFC 8323: code 7.01 and a token of one byte; no length stands before them
    "coap": ("coap", 2, b"\x01\xe1\x5a", {"coap.code": "225", "coap.token": "5a"}),
    "msrp": ("msrp", 1, MSRP, {"msrp.method": "SEND", "msrp.messageid": "87652491", "msrp.cnt.flg": "$"}),
    "bfcp": ("bfcp", 2, b"\x20\x0b\0\0\0\0\0\1\0\1\0\2", {"bfcp.primitive": "11", "bfcp.conference_id": "1", "bfcp.user_id": "2"}),
    "opcua+uacp": ("opcua", 2, HELLO, {"opcua.transport.type": "HEL", "opcua.transport.endpoint": "opc.tcp://ab"}),
    "rfb": ("vnc", 2, b"RFB 003.008\n", {"vnc.server_proto_ver": "003.008"}),
    "vnc": ("vnc", 2, b"RFB 003.008\n", {"vnc.server_proto_ver": "003.008"}),
    "binary": ("vnc", 2, b"RFB 003.008\n", {"vnc.server_proto_ver": "003.008"}),
    "tns": ("tns", 2, TNS, {"tns.length": "58", "tns.version": "310", "tns.compat_version": "300"}),
    "hub.bsc.bacnet.org": ("bscvlc", 2, b"\x0a\0\0\1", {"bscvlc.function": "0x0a", "bscvlc.msgid": "1"}),
    "dc.bsc.bacnet.org": ("bscvlc", 2, b"\x0b\0\1\2", {"bscvlc.function": "0x0b", "bscvlc.msgid": "258"}),
    "BLIP_3+CBMobile_2": ("blip", 2, b"\x01\x00\x02a\0{}\0\0\0\0", {"blip.messagenum": "1", "blip.props": "a"}),
    "json": ("json", 1, b'{"a":17}', {"json.key": "a", "json.value.number": "17"}),
    "cbor": ("cbor", 2, b"\xa1\x61a\x11", {"cbor.type.textstring": "a", "cbor.type.uint": "17"}),
    "msgpack": ("msgpack", 2, b"\xa3abc", {"msgpack.string": "abc,abc"}),
    "protobuf": ("protobuf", 2, b"\x08\x96\x01", {"protobuf.field.number": "1", "protobuf.field.value.uint32": "150"}),
    "xml": ("xml", 1, b"<a><b>c</b></a>", {"xml.cdata": "c", "xml.tag": "<a>,<b>"}),
    "SPDY/3.1+portforward.k8s.io": ("spdy", 2, SPDY_PING, {"spdy.type": "6", "spdy.ping_id": "9"}),
}
# Protocols that come as plugins of Wireshark, which the tests' own folder of plugins hides.
PLUGINS = {"opcua": "opcua.so"}


def with_plugin(name):
    """An environment that has this plugin of Wireshark's, too."""
    listed = subprocess.run(["tshark", "-G", "folders"], capture_output=True, text=True).stdout
    folder = [line.split("\t")[-1] for line in listed.splitlines() if line.startswith("Global Plugins:")]
    env = wsxenv.Env()
    shutil.copyfile(pathlib.Path(folder[0], "epan", name), env.plugin_copy.with_name(name))
    env.plugin_copy.with_name(name).chmod(0o755)
    return env


def has_protocol(env, name):
    lines = env.run(["tshark", "-G", "protocols"]).stdout.decode().splitlines()
    return any(line.split("\t")[2] == name for line in lines)


def layers(env, capture, options=()):
    """{tcp.stream: whether what the client sends first has these layers}"""
    rows = apps.fields(env, capture, ["tcp.stream", "frame.protocols"], [*options, "-Y", "websocket.message == 1"])
    return {int(row[0]): row[1].split(":") for row in rows}


def token(env, name):
    """The dissector is called, whoever writes the token how, and it reads what was sent."""
    protocol, opcode, message, wanted = TOKENS[name]
    env = with_plugin(PLUGINS[protocol]) if protocol in PLUGINS else env
    if not has_protocol(env, protocol):
        return [f"this Wireshark has no {protocol}"]
    forms = [name, name.upper(), name.swapcase(), f"  {name} "]
    talks = [apps.Talk(form.encode(), 50001 + number).send(0, message, opcode=opcode)
             for number, form in enumerate(forms)]
    capture, problems = apps.together(env, talks), []
    for two in ((), ("-2",)):
        rows = apps.fields(env, capture, ["frame.protocols", *wanted],
                           ["-o", "websocket.json_by_sight:FALSE", *two, "-Y", "websocket.message == 1"])
        if len(rows) != len(forms):
            problems.append(f"{len(rows)} messages, expected {len(forms)}")
        for form, row in zip(forms, rows):
            if protocol not in row[0].split(":"):
                problems.append(f"{form!r}: {row[0]}")
            elif dict(zip(wanted, row[1:])) != wanted:
                problems.append(f"{form!r}: {row[1:]}, expected {wanted}")
    return problems


def decode_as(env):
    message = apps.mqtt_session()[0][24:]  # tells nothing by itself
    capture, problems = apps.Talk(b"own-token").send(0, message).save(env), []
    if "mqtt" in layers(env, capture)[0]:
        problems.append("shown as MQTT without being told")
    for rule in ("ws.port==80,mqtt", "ws.protocol==own-token,mqtt"):
        done = env.tshark(["-d", rule, "-Y", "mqtt"], capture)
        if done.rc != 0 or not done.stdout:
            problems.append(f"-d {rule}: no MQTT: {done.stderr.decode(errors='replace')[-200:]}")
    return problems


def commas(env):
    """MQTT puts a comma before each of its messages in the Info column: between two, not before the first."""
    capture = apps.Talk(b"mqtt").send(0, b"\xc0\x00").send(1, b"\xd0\x00\xc0\x00").save(env)
    wanted = [["\u2192 Binary [2] Ping Request"], ["\u2190 Binary [4] Ping Response, Ping Request"]]
    return [f"{two}: {seen}" for two in ((), ("-2",))
            if (seen := apps.fields(env, capture, ["_ws.col.Info"], [*two, "-Y", "websocket.message"])) != wanted]


# --- a dissector in Lua ---------------------------------------------------------------------------


def script(env, name):
    """The options that load a script."""
    path = env.new_path(".lua")
    path.write_bytes((HERE / name).read_bytes())
    path.chmod(0o644)
    return ["-X", f"lua_script:{path}"]


def lua(env, talk, options=()):
    """The parts shown in each packet with messages, what the Info column says of it, and the app of each message;
    in one pass and in two the same."""
    capture, options = talk.save(env), [*options, *script(env, "parts.lua")]
    seen = [apps.fields(env, capture, ["wsxparts.part", "_ws.col.Info"], [*two, *options, "-Y", "websocket.message"])
            for two in ((), ("-2",))]
    told = [item.get("app", {}).get("protocol") for item in jsonlines.run(env, capture, options)
            if item["kind"] in ("text", "binary")]
    if seen[0] != seen[1]:
        raise RuntimeError(f"one pass {seen[0]}, two {seen[1]}")
    return [row[0] for row in seen[0]], [row[1] for row in seen[0]], told


def heuristic(env):
    """What the heuristic leaves alone is shown as before; by a script, heuristics come behind all plugins."""
    talk = apps.Talk(b"unknown").send(0, b"HEUR1").send(1, b"else").send(1, b"HEUR2", opcode=1)
    parts, info, told = lua(env, talk)
    problems = []
    if parts != ["HEUR", "", "HEUR"] or told != ["WSXPARTS", None, "WSXPARTS"]:
        problems.append(f"parts {parts}, told {told}")
    if info != ["\u2192 Binary [5] part HEUR", "\u2190 Binary [4]", "\u2190 Text [5] HEUR2 part HEUR"]:
        problems.append(f"Info {info}")
    return problems


def lua_tables(env):
    problems = []
    for token, port in ((b"parts-token", 80), (b" Parts-Token", 80), (b"", 8123)):
        talk = apps.Talk(token, server_port=port).send(0, b"abcd").send(1, b"efgh")
        parts, _, told = lua(env, talk)
        if parts != ["abcd", "efgh"] or told != ["WSXPARTS"] * 2:
            problems.append(f"{token} {port}: parts {parts}, told {told}")
    return problems


# delivery mode: what is shown of each of "abcdef", "gh", "ijk", then of "abcdefgh" and "ijkl" in a connection of its own
LUA_MODES = {"Message": (["abcd", "", ""], ["abcd", "ijkl"]),
             "Units": (["abcd", "", ""], ["abcd,efgh", "ijkl"]),
             "Stream": (["abcd", "efgh", ""], ["abcd,efgh", "ijkl"])}


def lua_modes(env):
    """The last connection is none of those that the user's rule means."""
    problems, lua_options = [], script(env, "parts.lua")
    talks = [apps.Talk(b"my-own-token", uri=b"/parts"), apps.Talk(b"my-own-token", 50002, uri=b"/Parts"),
             apps.Talk(b"else", 50003, uri=b"/other")]
    for talk, sent in zip(talks, ((b"abcdef", b"gh", b"ijk"), (b"abcdefgh", b"ijkl"), (b"abcd",))):
        for message in sent:
            talk.send(0, message)
    capture = apps.together(env, talks)
    for mode, wanted in LUA_MODES.items():
        for kind, pattern, two in (("URI", "ws://*/PAR?S", ()), ("Subprotocol", "*own*", ("-2",))):
            options = ["-o", f'uat:websocket_payload:"{kind}","{pattern}","wsxparts","{mode}"', *lua_options, *two]
            rows = apps.fields(env, capture, ["tcp.stream", "wsxparts.part", "_ws.col.Info"],
                               [*options, "-Y", "websocket.message"])
            for number, parts in enumerate((*wanted, [""])):
                seen = [row[1] for row in rows if row[0] == str(number)]
                if seen != parts:
                    problems.append(f"{mode} by {kind}, connection {number}: {seen}, expected {parts}")
            problems += [f"{mode} by {kind}: a blank at the end of {row[2]!r}" for row in rows if row[2] != row[2].rstrip()]
    return problems


def protobuf(env):
    folder = env.new_path(".protos")
    folder.mkdir(mode=0o755)
    (folder / "point.proto").write_text('syntax = "proto3";\npackage wsx.test;\n'
                                        "message Point { int32 across = 1; string label = 2; }\n")
    capture = apps.Talk(b"points").send(0, b"\x08\x96\x01\x12\x02hi").save(env)
    options = ["-o", f'uat:protobuf_search_paths:"{folder}","TRUE"', "-o", "protobuf.preload_protos:TRUE",
               "-o", 'uat:websocket_payload:"Subprotocol","points","protobuf:wsx.test.Point","Message"']
    text = env.tshark([*options, "-O", "protobuf"], capture).stdout.decode()
    return [f"{wanted!r} is not shown" for wanted in ("across", "label", "wsx.test.Point") if wanted not in text]


# Packets of JSON, with the key "b", and of what only looks like JSON.
JSON = [(0, b'{"a":{"b":"x"}}'), (1, b'[1,{"b":2}]'), (0, b'{"a":}'), (1, b"hello"), (0, b'{"c":true}')]
WITH_JSON, WITH_B, BROKEN = 4, 2, 1
LUA = """local key = Field.new("json.key")
local seen = Proto("seenkey", "Keys seen")
local text = ProtoField.string("seenkey.text", "Text")
seen.fields = {text}
function seen.dissector(tvb, pinfo, tree)
    for _, one in ipairs({key()}) do tree:add(text, tostring(one)) end
end
register_postdissector(seen)
"""


def packets(env, capture, *options):
    done = env.tshark([*options], capture)
    return len(done.stdout.splitlines()) if done.rc == 0 else done.stderr.decode(errors="replace")[-200:]


def json_by_sight(env):
    """It is only dissected where someone can see it: who looks must not notice."""
    talk = apps.Talk()
    for side, message in JSON:
        talk.send(side, message, opcode=1)
    capture = talk.save(env)
    script = env.new_path(".lua")
    script.write_text(LUA)
    script.chmod(0o644)
    column = ["-o", 'gui.column.format:"Key","%Cus:json.key:0:R"']
    expected = [
        ("a protocol", WITH_JSON, ["-Y", "json"]),
        ("a field", WITH_B, ["-Y", 'json.key == "b"']),
        ("a field, in two passes", WITH_B, ["-2", "-Y", 'json.key == "b"']),
        ("what is no JSON", BROKEN, ["-Y", "data-text-lines"]),
        ("a list of protocols", WITH_JSON, ["-Y", 'frame.protocols contains "json"']),
        ("a list of protocols, what is no JSON", BROKEN, ["-Y", 'frame.protocols contains "data-text-lines"']),
        ("JSON Lines", WITH_B, ["-q", "-z", 'websocket,messages,-,json.key == "b" && websocket.message']),
    ]
    if "with Lua" in env.run(["tshark", "-v"]).stdout.decode():
        expected.append(("a script", WITH_B, ["-X", f"lua_script:{script}", "-Y", 'seenkey.text == "b"']))
    problems = []
    for what, wanted, options in expected:
        count = packets(env, capture, *options)
        if what == "JSON Lines":
            count -= 2  # the connection's "open" and "end"
        if count != wanted:
            problems.append(f"{what}: {count}, expected {wanted}")
    texts = [("-e", 2, "b", ["-T", "fields", "-e", "json.key"]), ("-V", 2, "Key: b", ["-V"]),
             ("a column", 2, "b", column), ("a hierarchy", 1, "json", ["-q", "-z", "io,phs"]),
             ("a hierarchy, what is no JSON", 1, "data-text-lines", ["-q", "-z", "io,phs"]),
             ("a hierarchy beside a filter", 1, "data-text-lines", ["-Y", "websocket", "-q", "-z", "io,phs"])]
    for what, least, text, options in texts:
        lines = env.tshark(options, capture).stdout.decode().splitlines()
        if sum(text in line for line in lines) < least:
            problems.append(f"{what}: no {text!r}")
    return problems


# --- streams cut anywhere -------------------------------------------------------------------------

REQUEST = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
          b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
AMQP_OPEN = b"\0\0\0\x1a\2\0\0\0\0\x53\x10\xc0\x0d\x02\xa1\x06client\xa1\x03hub"
AMQP_CLIENT = b"AMQP\0\1\0\0" + AMQP_OPEN + b"\0\0\0\x08\2\0\0\0"
AMQP_SERVER = b"AMQP\0\1\0\0" + b"\0\0\0\x08\2\0\0\0" * 2
SSH_KEX = b"\x14" + bytes(16) + b"\0\0\0\x11curve25519-sha256" + bytes(4 * 9) + bytes(5)
SSH_PACKET = struct.pack(">IB", len(SSH_KEX) + 1 + 5, 5) + SSH_KEX + bytes(5)
SSH = [(1, b"SSH-2.0-server\r\n"), (0, b"SSH-2.0-client\r\n" + SSH_PACKET), (1, SSH_PACKET)]
NATS = [(1, b'INFO {"server_id":"x"}\r\n'), (0, b"CONNECT {}\r\nPUB a.b 5\r\nhello\r\nPING\r\n"),
        (1, b"MSG a.b 1 5\r\nhello\r\nPONG\r\n")]
ACKNOWLEDGE = b"ACKF\x1c\0\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\0\0\3\0\0\0"
TNS_ACCEPT = b"\0\x20\0\0\2\0\0\0\1\x36\0\0\x08\0\x7f\xff\1\0\0\0\0\x20\0\0" + bytes(8) + b"\0\x0b\0\0\x0c\0\0\0\0\0\1"
SPDY = SPDY_PING + b"\0\0\0\1\0\0\0\5hello" + b"\x80\x03\0\x09\0\0\0\x08\0\0\0\1\0\0\1\0"
TLS_CLIENT = bytes.fromhex(
    "160301003f0100003b0303" + "11" * 32 + "00" "0004" "c02bc02f" "0100" "000e" "000000 0a 0008 000005 612e636f6d".replace(" ", ""))
TLS_SERVER = bytes.fromhex("160303002c020000280303" + "22" * 32 + "00" "c02f" "00" "0000") + bytes.fromhex("15030300020228")

STREAMS = {
    "http": ([(0, REQUEST), (1, ANSWER)], ("http.request.method", "http.response.code", "http.file_data")),
    "amqp": ([(0, AMQP_CLIENT), (1, AMQP_SERVER)], ("amqp.init.protocol", "amqp.init.id_major", "amqp.length", "amqp.performative")),
    "ssh": (SSH, ("ssh.protocol", "ssh.message_code", "ssh.kex_algorithms")),
    "nats": (NATS, ("nats.subject", "nats.protocol.message")),
    "opcua": ([(0, HELLO), (1, ACKNOWLEDGE)], ("opcua.transport.type", "opcua.transport.endpoint", "opcua.transport.rbs")),
    "tns": ([(0, TNS), (1, TNS_ACCEPT)], ("tns.length", "tns.type", "tns.version")),
    "spdy": ([(0, SPDY), (1, SPDY)], ("spdy.type", "spdy.ping_id", "spdy.streamid", "spdy.data")),
    "tls": ([(0, TLS_CLIENT), (1, TLS_SERVER)],
            ("tls.record.content_type", "tls.handshake.type", "tls.handshake.extensions_server_name",
             "tls.alert_message.desc")),
}
TOKEN_OF = {"amqp": b"amqp", "opcua": b"opcua+uacp", "tns": b"tns", "spdy": b"SPDY/3.1+portforward.k8s.io"}
# No Wireshark has had them yet; users have them as scripts.
STAND_INS = {"nats": "nats.lua"}
# Where Wireshark's dissector loses something over TCP, too: HTTP, between the two last bytes of
# its chunks.
LOST_OVER_TCP = {"http": {len(ANSWER) - 1, None}}


def pieces(stream, at):
    """The stream's bytes with each side's data cut at `at`; None: byte by byte."""
    for side, data in stream:
        parts = [data[i:i + 1] for i in range(len(data))] if at is None else [data[:at], data[at:]]
        for part in filter(None, parts):
            yield side, part


def cut(env, name):
    stream, fields = STREAMS[name]
    options = ()
    if name in PLUGINS:
        env = with_plugin(PLUGINS[name])
    elif name in STAND_INS and not has_protocol(env, name):
        options = script(env, STAND_INS[name])
    elif not has_protocol(env, name):
        return [f"this Wireshark has no {name}"]
    longest = max(len(data) for _, data in stream)
    talks, problems = [], []
    cuts = [at for at in (*range(longest), None) if at not in LOST_OVER_TCP.get(name, ())]
    for number, at in enumerate(cuts):
        talk = apps.Talk(TOKEN_OF.get(name, b"binary"), 50001 + number)
        for side, part in pieces(stream, at):
            talk.send(side, part)
        talks.append(talk)
    capture = apps.together(env, talks)
    shown = 0
    for field in fields:
        for two in ((), ("-2",)):
            values = apps.by_stream(env, capture, field, (*options, *two))
            if values["0"]:
                shown += 1
                apps.same_for_all(values, len(talks), problems)
    return problems[:8] + ([] if shown > 1 else [f"the uncut stream shows {shown} fields"])


def tests(env, quick=False):
    for name in list(TOKENS)[::6] if quick else TOKENS:
        yield f"apps3:token:{name}", lambda name=name: token(env, name)
    yield "apps3:decode_as", lambda: decode_as(env)
    for name, test in (("heuristic", heuristic), ("tables", lua_tables), ("modes", lua_modes)):
        yield f"apps3:lua:{name}", lambda test=test: test(env)
    yield "apps3:commas", lambda: commas(env)
    yield "apps3:protobuf", lambda: protobuf(env)
    yield "apps3:json", lambda: json_by_sight(env)
    for name in () if quick else STREAMS:
        yield f"apps3:cut:{name}", lambda name=name: cut(env, name)
