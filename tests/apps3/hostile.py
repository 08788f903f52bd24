"""Tests of application data that was made to hurt: what it costs is bounded, the message's text stays, and what is wrong with
it is said by the application's protocol.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  apps3:hostile:NAME:PROTOCOL    deep (100,000 levels, and half of them), wide (100,000 elements), twice (each member many times), strings (lone
                                 surrogates, U+0000), numbers (of 100,000 digits)
  apps3:hostile:utf8:PROTOCOL    a text that is no UTF-8: WebSocket's own rule says so, the dissector goes on
  apps3:hostile:large:PROTOCOL   one JSON value of 50 MB
  apps3:hostile:binary:NAME      MessagePack and CBOR of many values, or deep: not drawn, and said so; nearly so many: drawn
  apps3:hostile:xml:NAME         the same of XML, and of XMPP
  apps3:hostile:open             100,000 requests that are never answered, all of one id

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE.parent / "apps1", HERE.parent / "lib"):
    sys.path.insert(0, str(folder))
import apps  # noqa: E402
import craft  # noqa: E402
import jsonlines  # noqa: E402

DEEP = 100_000
LARGE = 50_000_000
# A tenth of what a busy machine needs for a message that is not hostile, and a start of tshark.
SECONDS_MAX, LARGE_SECONDS_MAX = 25, 60
# Nothing rides on it but JSON.
WITHOUT_APP = {"JSON", "by sight"}

# protocol: the subprotocol, the path, what stands before and behind a JSON value in a good message
PROTOCOLS = {
    "JSON-RPC": (b"", b"/rpc", b'{"jsonrpc":"2.0","method":"m","id":1,"params":', b"}"),
    "OCPP-J": (b"ocpp2.0.1", b"/ocpp/x", b'[2,"1","Heartbeat",{"a":', b"}]"),
    "GraphQL": (b"graphql-transport-ws", b"/graphql", b'{"id":"1","type":"next","payload":', b"}"),
    "WAMP": (b"wamp.2.json", b"/ws", b'[48,1,{},"com.a",[', b"]]"),
    "Phoenix": (b"", b"/socket/websocket?vsn=2.0.0", b'["1","2","room:a","push",{"a":', b"}]"),
    "ActionCable": (b"actioncable-v1-json", b"/cable", b'{"type":"ping","message":', b"}"),
    "DevTools": (b"", b"/devtools/page/1", b'{"id":1,"method":"A.b","params":', b"}"),
    "Jupyter": (b"", b"/api/kernels/1/channels", b'{"channel":"shell","header":{"msg_id":"1","msg_type":"execute_request"},'
                b'"parent_header":{},"metadata":{},"content":', b"}"),
    "SignalR": (b"", b"/hub?id=t1", b'{"type":1,"target":"t","arguments":[', b"]}\x1e"),
    "Socket.IO": (b"", b"/socket.io/?EIO=4&transport=websocket", b'42["event",', b"]"),
    "SockJS": (b"", b"/s/123/abcdefgh/websocket", b'["text",', b"]"),
    "JSON": (b"json", b"/x", b"", b""),
    "by sight": (b"", b"/x", b"[", b"]"),
    "STOMP": (b"v12.stomp", b"/ws", b"SEND\ndestination:/q\ncontent-type:application/json\n\n", b"\0"),
}
# A good message by which the protocol is known.
OPENING = {"SignalR": b'{"protocol":"json","version":1}\x1e', "JSON-RPC": b'{"jsonrpc":"2.0","method":"m"}',
           "Phoenix": b'["1","1","room:a","phx_join",{}]', "DevTools": b'{"id":1,"method":"A.b"}'}

VALUES = {
    "deep": b"[" * DEEP + b"]" * DEEP,
    "deep_drawn": b"[" * (DEEP // 2) + b"]" * (DEEP // 2),
    "deep_objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "wide": b"[" + b"1," * DEEP + b"2]",
    "twice": b"{" + b'"id":1,"id":"1","method":{},"type":[],' * 2000 + b'"id":2}',
    "strings": b'"\\ud800 \\udfff \\u0000 \\ud83d\\ude00 \\/ ' + b"\\u0041" * 1000 + b'"',
    "numbers": b"[" + b"9" * DEEP + b",1e" + b"9" * 1000 + b",-0.0e-0]",
}


def judge(env, capture, protocol, length, seconds=SECONDS_MAX):
    """The run without a tree and the one with it: they end in time, and the message is there."""
    problems = []
    begin = time.monotonic()
    items = jsonlines.run(env, capture, timeout=120)
    took = [time.monotonic() - begin]
    begin = time.monotonic()
    done = env.tshark(["-2", "-T", "fields", "-e", "websocket.message.length", "-e", "wsx.app.type"], capture)
    took.append(time.monotonic() - begin)
    if done.rc != 0:
        problems.append(f"tshark ended with {done.rc}: {done.stderr.decode(errors='replace')[-200:]}")
    if b"bug" in done.stderr.lower():
        problems.append(done.stderr.decode(errors="replace")[-300:])
    if str(length) not in done.stdout.decode().replace("\t", "\n").replace(",", "\n").split("\n"):
        problems.append("the message is not in the tree")
    if max(took) > seconds:
        problems.append(f"took {took[0]:.1f} s without a tree, {took[1]:.1f} s with it")
    whole = [item for item in items if item["kind"] == "text" and item["len"] == length]
    if not whole or len(jsonlines.body(whole[0])) != length:
        problems.append("the text is not whole")
    elif protocol and whole[0].get("app", {}).get("protocol") != protocol:
        problems.append(f"app is {str(whole[0].get('app'))[:200]}")
    return problems, items


def rules_of(items):
    return {rule for item in items for rule in item.get("rules", [])} - {"frame-mask-key-reused"}


def talk_of(protocol, value):
    token, uri, before, behind = PROTOCOLS[protocol]
    talk = apps.Talk(token, uri=uri)
    if protocol in OPENING:
        talk.send(0, OPENING[protocol], opcode=1)
    message = before + value + behind
    return talk.send(0, message, opcode=1), len(message)


def value_test(env, name, protocol):
    talk, length = talk_of(protocol, VALUES[name])
    told = None if protocol in WITHOUT_APP else protocol
    problems, items = judge(env, talk.save(env), told, length)
    if rules_of(items):
        problems.append(f"findings about WebSocket: {rules_of(items)}")
    return problems


def utf8_test(env, protocol):
    """What is no UTF-8 is no text in the JSON Lines, but every byte of it is there."""
    talk, length = talk_of(protocol, b'"\xff\xc0\x80 \xed\xa0\x80"')
    capture = talk.save(env)
    problems, items = judge(env, capture, None, length)
    if rules_of(items) != {"text-bad-utf8"} and not any("utf8" in rule for rule in rules_of(items)):
        problems.append(f"findings {rules_of(items)}")
    return problems


def large_test(env, protocol):
    talk, length = talk_of(protocol, b'["' + b"x" * (LARGE // 2) + b'",' + b"12345678," * (LARGE // 18) + b"1]")
    capture = talk.save(env)
    problems, _ = judge(env, capture, None if protocol in WITHOUT_APP else protocol, length, LARGE_SECONDS_MAX)
    rows = apps.fields(env, capture, ["websocket.message.length"], ["-Y", "wsx.app.json_large"])
    if not any(str(length) in row[0] for row in rows):
        problems.append(f"nothing says that the JSON is not drawn: {rows}")
    capture.unlink()
    return problems


def be(number):
    return number.to_bytes(4, "big")


NEAR = 99_900
# name: the subprotocol, a message, whether it is drawn
BINARY = {
    "msgpack_deep": (b"msgpack", b"\x91" * DEEP + b"\xc0", False),
    "msgpack_deep_maps": (b"msgpack", b"\x81\xa1a" * DEEP + b"\xc0", False),
    "msgpack_deep_near": (b"msgpack", b"\x91" * 190 + b"\xc0", True),
    "msgpack_many": (b"msgpack", b"\xdd" + be(3_000_000) + b"\1" * 3_000_000, False),
    "msgpack_cut": (b"msgpack", b"\x9f" + b"\x91" * 190, True),
    "cbor_deep": (b"cbor", b"\x81" * DEEP + b"\xf6", False),
    "cbor_deep_open": (b"cbor", b"\x9f" * DEEP, False),
    "cbor_deep_tags": (b"cbor", b"\xc1" * DEEP + b"\1", False),
    "cbor_deep_near": (b"cbor", b"\x81" * 190 + b"\xf6", True),
    "cbor_many": (b"cbor", b"\x9a" + be(3_000_000) + b"\1" * 3_000_000, False),
    "cbor_many_near": (b"cbor", b"\x9a" + be(NEAR) + b"\1" * NEAR, True),
    "cbor_chunks": (b"cbor", b"\x5f" + b"\x40" * 3_000_000 + b"\xff", False),
    "cbor_told_more": (b"cbor", b"\x9b" + b"\xff" * 8 + b"\1" * 10, True),
    "cbor_no_value": (b"cbor", b"\x9f" + b"\x1c" * 3_000_000, False),
    "wamp_cbor_many": (b"wamp.2.cbor", b"\x85\x18\x32\1\xa0\x9a" + be(3_000_000) + b"\1" * 3_000_000 + b"\xa0", False),
    "wamp_msgpack_deep": (b"wamp.2.msgpack", b"\x94\x32\1\x80" + b"\x91" * 190 + b"\xc0", True),
    "signalr_many": (b"", b"\x93\x87\x97\1\x95\1\x80\xc0\xa1t\xdd" + be(2_474_888) + b"\1" * 2_474_888, False),
}


def binary_test(env, name):
    token, message, drawn = BINARY[name]
    talk, problems = apps.Talk(token), []
    if name.startswith("signalr"):
        talk.send(0, b'{"protocol":"messagepack","version":1}\x1e', opcode=1)
    capture = talk.send(0, message).save(env)
    begin = time.monotonic()
    done = env.tshark(["-2", "-T", "fields", "-e", "wsx.app.not_drawn", "-e", "websocket.message.length",
                       "-Y", "websocket.message.type == 2"], capture)
    took = time.monotonic() - begin
    if done.rc != 0 or b"bug" in done.stderr.lower():
        problems.append(f"tshark ended with {done.rc}: {done.stderr.decode(errors='replace')[-300:]}")
    if done.stdout.decode().split("\n")[0] != f"{'' if drawn else '1'}\t{len(message)}":
        problems.append(f"not drawn, length: {done.stdout[:100]}, expected {'' if drawn else 1}, {len(message)}")
    if took > SECONDS_MAX:
        problems.append(f"took {took:.1f} s")
    items = [item for item in jsonlines.run(env, capture, timeout=120) if item["kind"] == "binary"]
    if not items or jsonlines.body(items[0]) != message:
        problems.append("the bytes are not whole")
    shown = env.tshark(["-V", "-Y", "websocket.message"], capture).stdout
    if drawn != any(word in shown for word in (b"MsgPack ", b"Concise Binary Object")):
        problems.append(f"the message is {'not ' if drawn else ''}drawn")
    capture.unlink()
    return problems


STANZA = b"<message xmlns='jabber:client'>"
XML = {
    "deep": (b"xml", b"<a>" * DEEP + b"</a>" * DEEP, False),
    "deep_near": (b"xml", b"<a>" * 190 + b"</a>" * 190, True),
    "many": (b"xml", b"<a>" + b"<b/>" * 1_000_000 + b"</a>", False),
    "many_near": (b"xml", b"<a>" + b"<b c=\"/>\"/>" * 49_000 + b"</a>", True),
    "many_in_quotes": (b"xml", b"<a b='" + b"<b/>" * 1_000_000 + b"'/>", False),
    "not_deep": (b"xml", b"<?xml version='1.0'?><!DOCTYPE a><a>" + b"<!-- <c> --><b d='<'/><e></e>" * 500 + b"</a>", True),
    "xmpp_deep": (b"xmpp", STANZA + b"<a>" * DEEP + b"</a>" * DEEP + b"</message>", False),
    "xmpp_many": (b"xmpp", STANZA + b"<b/>" * 1_000_000 + b"</message>", False),
    "xmpp_near": (b"xmpp", STANZA + b"<b/>" * 9_900 + b"</message>", True),
}


def xml_test(env, name):
    """With a tree and without one."""
    token, message, drawn = XML[name]
    capture, problems = apps.Talk(token).send(0, message, opcode=1).save(env), []
    shown = "xmpp" if token == b"xmpp" else "xml"
    for options in (("-2", "-Y", "websocket.message", "-T", "fields", "-e", "wsx.app.not_drawn", "-e", "frame.protocols"), ()):
        begin = time.monotonic()
        done = env.tshark(options, capture)
        took = time.monotonic() - begin
        if done.rc != 0 or (not drawn and b"bug" in done.stderr.lower()):
            problems.append(f"tshark ended with {done.rc}: {done.stderr.decode(errors='replace')[-300:]}")
        if took > SECONDS_MAX:
            problems.append(f"took {took:.1f} s")
        row = done.stdout.decode().split("\n")[0].split("\t")
        if options and ((row[0] == "1") == drawn or (shown in row[-1].split(":")) != drawn):
            problems.append(f"drawn is to be {drawn}: {row}")
    items = [item for item in jsonlines.run(env, capture, timeout=120) if item["kind"] == "text"]
    if not items or jsonlines.body(items[0]) != message:
        problems.append("the text is not whole")
    capture.unlink()
    return problems


def open_test(env):
    count = 100_000
    talk = apps.Talk(b"ocpp1.6")
    for at in range(0, count, 1000):
        talk.made.send(craft.CLIENT, craft.frame(1, b'[2,"1","A",{}]', apps.KEY) * 1000)
    capture = talk.save(env)
    begin = time.monotonic()
    done = env.tshark(["-q", "-z", "expert,note"], capture)
    took = time.monotonic() - begin
    if done.rc != 0 or f"{count} requests".encode() not in done.stdout:
        return [f"tshark ended with {done.rc}: {done.stdout[-300:]}"]
    return [f"took {took:.1f} s"] if took > SECONDS_MAX else []


def tests(env, quick=False):
    chosen = list(PROTOCOLS)[:2] if quick else PROTOCOLS
    for protocol in chosen:
        for name in ("deep",) if quick else VALUES:
            yield f"apps3:hostile:{name}:{protocol}", lambda n=name, p=protocol: value_test(env, n, p)
        yield f"apps3:hostile:utf8:{protocol}", lambda p=protocol: utf8_test(env, p)
    if not quick:
        for protocol in ("JSON-RPC", "by sight"):
            yield f"apps3:hostile:large:{protocol}", lambda p=protocol: large_test(env, p)
        for name in BINARY:
            yield f"apps3:hostile:binary:{name}", lambda name=name: binary_test(env, name)
        for name in XML:
            yield f"apps3:hostile:xml:{name}", lambda name=name: xml_test(env, name)
        yield "apps3:hostile:open", lambda: open_test(env)
