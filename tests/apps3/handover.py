"""Tests of which dissector of Wireshark gets the messages, and of streams cut anywhere.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  apps3:token:TOKEN      a subprotocol, as it is written, in other case and between blanks
  apps3:decode_as        by the tables ws.protocol and ws.port
  apps3:protobuf         with a message type of the user's search path
  apps3:cut:NAME         a byte stream in binary messages, cut in two at every byte, and byte by byte

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE.parent / "apps1", HERE.parent / "lib"):
    sys.path.insert(0, str(folder))
import apps  # noqa: E402

# Protocols that come as plugins of Wireshark, which the tests' own folder of plugins hides.
PLUGINS = {"opcua"}
# Protocols that Wireshark 4.0 does not have.
LATER = {"nats"}

SIP = (b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
       b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
       b"Content-Length: 0\r\n\r\n")
MSRP = (b"MSRP a786hjs2 SEND\r\nTo-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp\r\n"
        b"From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp\r\nMessage-ID: 87652491\r\n"
        b"Byte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nHi\r\n-------a786hjs2$\r\n")
TNS = (b"\0\x3a\0\0\1\0\0\0\1\x36\1\x2c\0\0\x08\0\x7f\xff\x7f\x08\0\0\0\1\0\0\0\x3a\0\0\0\0\0\0"
       b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")

# token: the protocol's filter name, its opcode, a message
TOKENS = {
    "mqtt": ("mqtt", 2, apps.mqtt_session()[0]), "mqttv3.1": ("mqtt", 2, apps.mqtt_session()[0]),
    "amqp": ("amqp", 2, b"AMQP\0\1\0\0"), "AMQPWSB10": ("amqp", 2, b"AMQP\0\1\0\0"),
    "xmpp": ("xmpp", 1, b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='x' version='1.0'/>"),
    "sip": ("sip", 1, SIP), "coap": ("coap", 2, b"\x00\xe1"), "msrp": ("msrp", 1, MSRP),
    "bfcp": ("bfcp", 2, b"\x20\x0b\0\0\0\0\0\1\0\1\0\2"), "opcua+uacp": ("opcua", 2, b"HELF\x20\0\0\0" + bytes(24)),
    "rfb": ("vnc", 2, b"RFB 003.008\n"), "vnc": ("vnc", 2, b"RFB 003.008\n"), "binary": ("vnc", 2, b"RFB 003.008\n"),
    "tns": ("tns", 2, TNS), "hub.bsc.bacnet.org": ("bscvlc", 2, b"\x0a\0\0\1"),
    "dc.bsc.bacnet.org": ("bscvlc", 2, b"\x0a\0\0\1"),
    "BLIP_3+CBMobile_2": ("blip", 2, b"\x01\x00\x02a\0{}\0\0\0\0"),
    "json": ("json", 1, b'{"a":1}'), "cbor": ("cbor", 2, b"\xa1\x61a\x01"), "msgpack": ("msgpack", 2, b"\x81\xa1a\x01"),
    "protobuf": ("protobuf", 2, b"\x08\x96\x01"), "xml": ("xml", 1, b"<a><b>c</b></a>"),
}


def has_protocol(env, name):
    lines = env.run(["tshark", "-G", "protocols"]).stdout.decode().splitlines()
    return any(line.split("\t")[2] == name for line in lines)


def layers(env, capture, options=()):
    """{tcp.stream: whether what the client sends first has these layers}"""
    rows = apps.fields(env, capture, ["tcp.stream", "frame.protocols"], [*options, "-Y", "websocket.message == 1"])
    return {int(row[0]): row[1].split(":") for row in rows}


def token(env, name):
    protocol, opcode, message = TOKENS[name]
    if not has_protocol(env, protocol):
        return [] if protocol in PLUGINS else [f"this Wireshark has no {protocol}"]
    forms = [name, name.upper(), name.swapcase(), f"  {name} "]
    talks = [apps.Talk(form.encode(), 50001 + number).send(0, message, opcode=opcode)
             for number, form in enumerate(forms)]
    seen = layers(env, apps.together(env, talks), ["-o", "websocket.json_by_sight:FALSE"])
    return [f"{form!r}: {seen.get(number)}" for number, form in enumerate(forms)
            if protocol not in seen.get(number, [])]


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
TLS_CLIENT = bytes.fromhex(
    "160301003f0100003b0303" + "11" * 32 + "00" "0004" "c02bc02f" "0100" "000e" "000000 0a 0008 000005 612e636f6d".replace(" ", ""))
TLS_SERVER = bytes.fromhex("160303002c020000280303" + "22" * 32 + "00" "c02f" "00" "0000") + bytes.fromhex("15030300020228")

STREAMS = {
    "http": ([(0, REQUEST), (1, ANSWER)], ("http.request.method", "http.response.code", "http.file_data")),
    "amqp": ([(0, AMQP_CLIENT), (1, AMQP_SERVER)], ("amqp.init.protocol", "amqp.init.id_major", "amqp.length", "amqp.performative")),
    "ssh": (SSH, ("ssh.protocol", "ssh.message_code", "ssh.kex_algorithms")),
    "nats": (NATS, ("nats.subject", "nats.protocol.message")),
    "tls": ([(0, TLS_CLIENT), (1, TLS_SERVER)],
            ("tls.record.content_type", "tls.handshake.type", "tls.handshake.extensions_server_name",
             "tls.alert_message.desc")),
}
TOKEN_OF = {"amqp": b"amqp"}
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
    if not has_protocol(env, name):
        return [] if name in LATER else [f"this Wireshark has no {name}"]
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
        for options in ((), ("-2",)):
            values = apps.by_stream(env, capture, field, options)
            if values["0"]:
                shown += 1
                apps.same_for_all(values, len(talks), problems)
    return problems[:8] + ([] if shown > 1 else [f"the uncut stream shows {shown} fields"])


def tests(env, quick=False):
    for name in list(TOKENS)[::6] if quick else TOKENS:
        yield f"apps3:token:{name}", lambda name=name: token(env, name)
    yield "apps3:decode_as", lambda: decode_as(env)
    yield "apps3:protobuf", lambda: protobuf(env)
    for name in () if quick else STREAMS:
        yield f"apps3:cut:{name}", lambda name=name: cut(env, name)
