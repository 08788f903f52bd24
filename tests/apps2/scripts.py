"""What is said in the made conversations, one script a protocol: every message type that it has.

Each SCRIPTS entry: name, Wireshark protocol, subprotocol token, path, script, whether the protocol is
found without a handshake. The units beside a message are what the dissector has to say of it, see
talk.Message; they come from the protocols' specifications.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import collections
import json
import struct

from talk import client, server

Script = collections.namedtuple("Script", "name filter token uri script midstream")


def text(value):
    return json.dumps(value, separators=(",", ":"))


# --- OCPP-J ---------------------------------------------------------------------------------------

OCPP = [
    client(text([2, "a1", "BootNotification", {"reason": "PowerUp"}]),
           ("call", "BootNotification", "a1", None)),
    server(text([3, "a1", {"status": "Accepted", "interval": 300}]),
           ("result", "BootNotification", "a1", 0)),
    server(text([2, "b1", "Reset", {"type": "Immediate"}]), ("call", "Reset", "b1", None)),
    client(text([2, "b1", "Heartbeat", {}]), ("call", "Heartbeat", "b1", None)),
    server(text([3, "b1", {"currentTime": "2024-01-01T00:00:00Z"}]), ("result", "Heartbeat", "b1", 3)),
    client(text([4, "b1", "NotSupported", "No reset here", {}]), ("error", "Reset", "b1", 2)),
    client(text([2, "a2", "StatusNotification", {"connectorId": 1}]),
           ("call", "StatusNotification", "a2", None)),
    server(" [ 3 , \"a2\" , { } ] ", ("result", "StatusNotification", "a2", 6)),
    client(text([5, "a2", "TypeConstraintViolation", "bad", {}]),
           ("result error", "StatusNotification", "a2", None)),
    client(text([6, "c1", "NotifyPeriodicEventStream", {"id": 1}]),
           ("send", "NotifyPeriodicEventStream", "c1", None)),
    client(text([2, "a3", "\u6f22\u5b57\"\\", {}]), ("call", "\u6f22\u5b57\"\\", "a3", None)),
    server(text([4, "a3", "NotImplemented", "", {}]), ("error", "\u6f22\u5b57\"\\", "a3", 10)),
    # the id is used twice: the nearest open call is answered
    client(text([2, "d", "First", {}]), ("call", "First", "d", None)),
    client(text([2, "d", "Second", {}]), ("call", "Second", "d", None)),
    server(text([3, "d", {}]), ("result", "Second", "d", 13)),
    server(text([3, "nobody", {}]), ("result", None, "nobody", None)),
    # malformed
    client('[2,"e","Cut",{"a":1}', ("malformed", None, None, None), problem="ends too early"),
    client('[2,"e","Comma",{},]', ("malformed", None, None, None), problem="is no JSON"),
    client('{"a":1}', ("malformed", None, None, None), problem="no array"),
    client('[9,"e",{}]', ("malformed", None, None, None), problem="no message type"),
    client('[2,17,"Number",{}]', ("malformed", None, None, None), problem="is no string"),
    client('[2,"e","NoPayload"]', ("call", "NoPayload", "e", None), problem="too few or too many"),
    server('[3,"e",[]]', ("result", "NoPayload", "e", 21), problem="payload is no object"),
    # an error about the result of a call that is not there
    server(text([3, "ghost", {}]), ("result", None, "ghost", None)),
    client(text([5, "ghost", "FormatViolation", "", {}]), ("result error", None, "ghost", None)),
]
OCPP_PLAIN = [
    client(text([2, "1", "Heartbeat", {}]), ("call", "Heartbeat", "1", None)),
    server(text([3, "1", {"currentTime": "t"}]), ("result", "Heartbeat", "1", 0)),
]

# --- WAMP -----------------------------------------------------------------------------------------


def msgpack(value):
    """A few kinds of values in MessagePack, short and long forms."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, int):
        if 0 <= value < 128:
            return bytes([value])
        return b"\xcf" + struct.pack(">Q", value) if value >= 0 else b"\xd1" + struct.pack(">h", value)
    if isinstance(value, str):
        raw = value.encode()
        return (bytes([0xA0 | len(raw)]) if len(raw) < 32 else b"\xd9" + bytes([len(raw)])) + raw
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(msgpack, value))
    return b"\xde" + struct.pack(">H", len(value)) + b"".join(
        msgpack(k) + msgpack(v) for k, v in value.items())


def cbor_head(major, number):
    for low, size, kind in ((24, 1, "B"), (25, 2, "H"), (26, 4, "I"), (27, 8, "Q")):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 1 << (8 * size):
            return bytes([major << 5 | low]) + struct.pack(">" + kind, number)
    raise ValueError(number)


def cbor(value):
    """A few kinds of values in CBOR; maps without a length, strings of more than 8 bytes in chunks,
    numbers behind a tag."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, float):
        return b"\xf9" + struct.pack(">e", value)
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, str):
        raw = value.encode()
        if len(raw) <= 8:
            return cbor_head(3, len(raw)) + raw
        return b"\x7f" + cbor_head(3, 5) + raw[:5] + cbor_head(3, len(raw) - 5) + raw[5:] + b"\xff"
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(cbor, value))
    return b"\xbf" + b"".join(cbor(k) + cbor(v) for k, v in value.items()) + b"\xff"


def wamp(write):
    """The same conversation in each notation."""
    big = 9007199254740992
    return [
        client(write([1, "realm1", {"roles": {"caller": {}}}]), ("hello", "realm1", None, None)),
        server(write([4, "ticket", {}]), ("challenge", "realm1", None, 0)),
        client(write([5, "secret!!!", {}]), ("authenticate", "realm1", None, None)),
        server(write([2, big, {"roles": {"broker": {}}}]), ("welcome", "realm1", None, 0)),
        client(write([32, 1, {}, "com.topic"]), ("subscribe", "com.topic", "1", None)),
        server(write([33, 1, 5512315355]), ("subscribed", "com.topic", "1", 4)),
        client(write([64, 2, {}, "com.sum"]), ("register", "com.sum", "2", None)),
        server(write([65, 2, 77]), ("registered", "com.sum", "2", 6)),
        client(write([16, 3, {}, "com.topic", ["not acknowledged"]]),
               ("publish", "com.topic", "3", None)),
        client(write([16, 4, {"acknowledge": True}, "com.topic", [1.5], {"a": None}]),
               ("publish", "com.topic", "4", None)),
        server(write([17, 4, 4429313566]), ("published", "com.topic", "4", 9)),
        server(write([36, 5512315355, 4429313566, {}, [-7]]), ("event", "com.topic", None, None)),
        client(write([48, 5, {"receive_progress": True}, "com.sum", [1, 2]]),
               ("call", "com.sum", "5", None)),
        server(write([68, 1000, 77, {}, [1, 2]]), ("invocation", "com.sum", "1000", None)),
        client(write([70, 1000, {"progress": True}, [1]]), ("yield", "com.sum", "1000", 13)),
        server(write([50, 5, {"progress": True}, [1]]), ("result", "com.sum", "5", 12)),
        client(write([70, 1000, {}, [3]]), ("yield", "com.sum", "1000", 13)),
        server(write([50, 5, {}, [3], None]), ("result", "com.sum", "5", 12)),
        client(write([48, 6, {}, "com.none"]), ("call", "com.none", "6", None)),
        client(write([49, 6, {}]), ("cancel", "com.none", "6", None)),
        server(write([8, 48, 6, {}, "wamp.error.canceled", ["x"]]), ("error", "com.none", "6", 18)),
        server(write([68, 1001, 77, {}]), ("invocation", "com.sum", "1001", None)),
        server(write([69, 1001, {}]), ("interrupt", "com.sum", "1001", None)),
        client(write([8, 68, 1001, {}, "wamp.error.canceled"]), ("error", "com.sum", "1001", 21)),
        client(write([34, 7, 5512315355]), ("unsubscribe", "com.topic", "7", None)),
        server(write([35, 7]), ("unsubscribed", "com.topic", "7", 24)),
        client(write([66, 8, 77]), ("unregister", "com.sum", "8", None)),
        server(write([67, 8]), ("unregistered", "com.sum", "8", 26)),
        # revoked by the router, unasked
        server(write([35, 0, {"subscription": 5512315355, "reason": "wamp.error.x"}]),
               ("unsubscribed", "com.topic", None, None)),
        server(write([67, 0, {"registration": 77, "reason": "wamp.error.x"}]),
               ("unregistered", "com.sum", None, None)),
        server(write([35, 7, "x"]), ("unsubscribed", None, "7", None), problem="another kind"),
        client(write([48, 9]), ("call", None, "9", None), problem="ends before"),
        client(write([31, 9]), ("malformed", None, None, None), problem="no message type"),
        client(write([32, "x", {}, "com.a"]), ("subscribe", None, None, None), problem="another kind"),
        client(write([6, {}, "wamp.close.goodbye"]), ("goodbye", None, None, None)),
        server(write([6, {}, "wamp.close.goodbye_and_out"]), ("goodbye", None, None, 34)),
        client(write([1, "nowhere", {}]), ("hello", "nowhere", None, None)),
        server(write([3, {}, "wamp.error.no_such_realm"]), ("abort", "nowhere", None, 36)),
    ]


BATCHED_JSON = [
    client(text([1, "r", {}]) + "\x1e", ("hello", "r", None, None)),
    server(text([2, 1, {}]) + "\x1e", ("welcome", "r", None, 0)),
    client(text([32, 1, {}, "a"]) + "\x1e" + text([48, 2, {}, "b"]) + "\x1e",
           ("subscribe", "a", "1", None), ("call", "b", "2", None)),
    server(text([50, 2, {}]) + "\x1e" + text([33, 1, 9]) + "\x1e",
           ("result", "b", "2", 2), ("subscribed", "a", "1", 2)),
    server(text([36, 9, 1, {}]) + "\x1e[36,\x1e", ("event", "a", None, None),
           ("malformed", None, None, None), problem="can't be read"),
]


def batched(write):
    """Batches in a binary notation: the length in four bytes before each unit."""
    def prefixed(*values):
        return b"".join(struct.pack(">I", len(raw)) + raw for raw in map(write, values))
    return [
        client(prefixed([32, 1, {}, "a"], [48, 2, {}, "b"]),
               ("subscribe", "a", "1", None), ("call", "b", "2", None)),
        server(prefixed([50, 2, {}], [33, 1, 9]), ("result", "b", "2", 0), ("subscribed", "a", "1", 0)),
        server(prefixed([36, 9, 1, {}]) + b"\0\0\0\x09\x93", ("event", "a", None, None),
               ("malformed", None, None, None), problem="can't be read"),
    ]


# --- GraphQL --------------------------------------------------------------------------------------

GRAPHQL = [
    client(text({"type": "connection_init", "payload": {"token": "t"}}),
           ("connection_init", None, None, None)),
    server(text({"type": "connection_ack"}), ("connection_ack", None, None, 0)),
    server(text({"type": "ping"}), ("ping", None, None, None)),
    client(text({"type": "pong", "payload": {}}), ("pong", None, None, 2)),
    client(text({"type": "pong"}), ("pong", None, None, None)),
    client(text({"id": "q1", "type": "subscribe", "payload": {"query": "{ hello }"}}),
           ("subscribe", "hello", "q1", None)),
    client(text({"id": "q2", "type": "subscribe", "payload": {
        "query": "# what\n subscription OnTick($n: Int) { tick }", "variables": {"n": 1}}}),
        ("subscribe", "OnTick", "q2", None)),
    server(text({"id": "q2", "type": "next", "payload": {"data": {"tick": 1}}}),
           ("next", "OnTick", "q2", 6)),
    server(text({"id": "q1", "type": "next", "payload": {"data": {"hello": "x"}}}),
           ("next", "hello", "q1", 5)),
    server(text({"id": "q1", "type": "complete"}), ("complete", "hello", "q1", 5)),
    client(text({"id": "q2", "type": "complete"}), ("complete", "OnTick", "q2", None)),
    client(text({"id": "q3", "type": "subscribe", "payload": {
        "operationName": "B", "query": "query A { a } mutation B { b }"}}),
        ("subscribe", "B", "q3", None)),
    server(text({"id": "q3", "type": "error", "payload": [{"message": "no"}]}),
           ("error", "B", "q3", 11)),
    server(text({"type": "nonsense"}), ("malformed", None, None, None), problem="type is none"),
    server(text({"type": "next"}), ("next", None, None, None), problem="no id"),
    client(text({"id": "q4", "type": "subscribe"}), ("subscribe", None, "q4", None),
           problem="no payload"),
    server("{", ("malformed", None, None, None), problem="ends too early"),
]
GRAPHQL_OLD = [
    client(text({"type": "connection_init", "payload": {}}), ("connection_init", None, None, None)),
    server(text({"type": "connection_ack"}), ("connection_ack", None, None, 0)),
    server(text({"type": "ka"}), ("ka", None, None, None)),
    client(text({"id": "1", "type": "start", "payload": {"query": "subscription S { s }"}}),
           ("start", "S", "1", None)),
    server(text({"id": "1", "type": "data", "payload": {"data": {"s": 1}}}), ("data", "S", "1", 3)),
    client(text({"id": "1", "type": "stop"}), ("stop", "S", "1", None)),
    server(text({"id": "1", "type": "complete"}), ("complete", "S", "1", 3)),
    client(text({"id": "2", "type": "start", "payload": {"query": "{"}}), ("start", None, "2", None)),
    server(text({"id": "2", "type": "error", "payload": {"message": "syntax"}}),
           ("error", None, "2", 7)),
    client(text({"type": "connection_terminate"}), ("connection_terminate", None, None, None)),
    server(text({"type": "connection_error", "payload": {"message": "x"}}),
           ("connection_error", None, None, None)),
]

# --- JSON-RPC -------------------------------------------------------------------------------------


def call(method, number=None, params=None):
    value = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        value["params"] = params
    if number is not None:
        value["id"] = number
    return value


def result(value, number):
    return {"jsonrpc": "2.0", "result": value, "id": number}


def error(code, message, number):
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": number}


JSONRPC = [
    client(text(call("sum", 1, [1, 2])), ("request", "sum", "1", None)),
    client(text(call("sum", "1", [1, 2])), ("request", "sum", "1", None)),
    server(text(result(3, "1")), ("result", "sum", "1", 1)),
    server(text(result(3, 1)), ("result", "sum", "1", 0)),
    server(text(call("ask", 1)), ("request", "ask", "1", None)),
    client(text(error(-32601, "Method not found", 1)), ("error", "ask", "1", 4)),
    client(text([call("a", 2), call("b"), call("c", 3)]), ("request", "a", "2", None),
           ("notification", "b", None, None), ("request", "c", "3", None)),
    server(text([result(0, 3), error(-32000, "x", 2)]), ("result", "c", "3", 6), ("error", "a", "2", 6)),
    server(text(error(-32700, "Parse error", None)), ("error", None, None, None)),
    client(text(call("eth_subscribe", 4, ["newHeads"])), ("request", "eth_subscribe", "4", None)),
    server(text(result("0xcd0c3e8a", 4)), ("result", "eth_subscribe", "4", 9)),
    server(text(call("eth_subscription", None, {"subscription": "0xcd0c3e8a", "result": {}})),
           ("notification", "eth_subscription", None, None)),
    server(text({"jsonrpc": "2.0", "id": 9}), ("malformed", None, "9", None), problem="no method"),
    server(text({"jsonrpc": "1.0", "method": "x"}), ("notification", "x", None, None),
           problem="not \"2.0\""),
    server("[]", ("malformed", None, None, None), problem="empty batch"),
    server("[1]", ("malformed", None, None, None), problem="no object"),
    server(text({"jsonrpc": "2.0", "result": 1, "error": {"code": 1, "message": "m"}, "id": 77}),
           ("error", None, "77", None), problem="a result and an error"),
    server("{\"jsonrpc\":\"2.0\",\"method\"", ("malformed", None, None, None), problem="too early"),
]

# --- Kubernetes -----------------------------------------------------------------------------------

FAILED = text({"status": "Failure", "reason": "NonZeroExitCode", "message": "command ended with 7",
               "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}).encode()
KUBERNETES = [
    server(b"\x01", ("stdout", None, None, None)),
    client(b"\x04" + text({"Width": 80, "Height": 24}).encode(), ("resize", None, None, None)),
    client(b"\x00ls\n", ("stdin", None, None, None)),
    server(b"\x01bin\n\xff\x00", ("stdout", None, None, None)),
    server(b"\x02oops", ("stderr", None, None, None)),
    client(b"\xff\x00", ("close", None, None, None)),
    server(b"\x03" + FAILED, ("error", None, None, None)),
    server(b"\x03{", ("error", None, None, None), problem="no JSON"),
    client(b"\xff", ("close", None, None, None), problem="one channel"),
    client(b"\x09x", ("malformed", None, None, None), problem="no channel 9"),
]
KUBERNETES_BASE64 = [
    server("1" + base64.b64encode(b"text").decode(), ("stdout", None, None, None)),
    client("0" + base64.b64encode(b"in").decode(), ("stdin", None, None, None)),
    client("0a*b=", ("stdin", None, None, None), problem="no base64"),
    client("x", ("malformed", None, None, None), problem="no channel"),
]
KUBERNETES_PORTS = [
    server(b"\x00" + struct.pack("<H", 8080), ("data", "port 8080", None, None)),
    server(b"\x01" + struct.pack("<H", 8080), ("error", "port 8080", None, None)),
    client(b"\x00GET", ("data", "port 8080", None, None)),
    server(b"\x00OK", ("data", "port 8080", None, None)),
    server(b"\x01refused", ("error", "port 8080", None, None)),
]

# --- JSON with ids --------------------------------------------------------------------------------


def phoenix_binary(kind, lengths, payload, *parts):
    raw = [part.encode() for part in parts]
    return bytes([kind]) + bytes(map(len, raw[:lengths])) + b"".join(raw) + payload


PHOENIX = [
    client(text(["1", "1", "room:lobby", "phx_join", {}]), ("join", "room:lobby", "1", None)),
    server(text(["1", "1", "room:lobby", "phx_reply", {"status": "ok", "response": {}}]),
           ("reply", "room:lobby", "1", 0)),
    client(text([None, "2", "phoenix", "heartbeat", {}]), ("heartbeat", None, "2", None)),
    server(text([None, "2", "phoenix", "phx_reply", {"status": "ok", "response": {}}]),
           ("reply", None, "2", 2)),
    client(text(["1", "3", "room:lobby", "new_msg", {"body": "x"}]), ("push", "new_msg", "3", None)),
    server(text(["1", "3", "room:lobby", "phx_reply", {"status": "error", "response": {"r": 1}}]),
           ("error", "new_msg", "3", 4)),
    server(text([None, None, "room:lobby", "said", {}]), ("broadcast", "said", None, None)),
    server(text(["1", None, "room:lobby", "told", {}]), ("push", "told", None, None)),
    client(phoenix_binary(0, 4, b"\x01\x02", "1", "4", "room:lobby", "bin"), ("push", "bin", "4", None)),
    server(phoenix_binary(1, 4, b"\x03", "1", "4", "room:lobby", "ok"), ("reply", "bin", "4", 8)),
    server(phoenix_binary(2, 2, b"\x03", "room:lobby", "cast"), ("broadcast", "cast", None, None)),
    server(phoenix_binary(0, 3, b"", "1", "room:lobby", "to"), ("push", "to", None, None)),
    client(text(["1", "5", "room:lobby", "phx_leave", {}]), ("leave", "room:lobby", "5", None)),
    server(text(["1", "5", "room:lobby", "phx_reply", {"status": "ok", "response": {}}]),
           ("reply", "room:lobby", "5", 12)),
    server(text(["1", "1", "room:lobby", "phx_close", {}]), ("close", "room:lobby", "1", None)),
    server(text(["1", "1", "room:lobby", "phx_error", {}]), ("crash", "room:lobby", "1", None)),
    server(text({"topic": "t", "event": "old", "payload": {}, "ref": None}),
           ("broadcast", "old", None, None)),
    server(text(["1", "2"]), ("malformed", None, None, None), problem="array of five"),
    server(b"\x01\x09", ("malformed", None, None, None), problem="ends before"),
]

CHANNEL = text({"channel": "ChatChannel", "room": 1})

def actioncable(write):
    """In JSON or MessagePack; identifier and data stay JSON in a string."""
    return [
        server(write({"type": "welcome"}), ("welcome", None, None, None)),
        client(write({"command": "subscribe", "identifier": CHANNEL}),
               ("subscribe", "ChatChannel", CHANNEL, None)),
        server(write({"identifier": CHANNEL, "type": "confirm_subscription"}),
               ("confirm_subscription", "ChatChannel", CHANNEL, 1)),
        server(write({"type": "ping", "message": 1700000000}), ("ping", None, None, None)),
        client(write({"command": "message", "identifier": CHANNEL, "data": text({"action": "speak"})}),
               ("message", "speak", CHANNEL, None)),
        server(write({"identifier": CHANNEL, "message": {"body": "x"}}),
               ("message", "ChatChannel", CHANNEL, None)),
        client(write({"command": "subscribe", "identifier": text({"channel": "No"})}),
               ("subscribe", "No", text({"channel": "No"}), None)),
        server(write({"identifier": text({"channel": "No"}), "type": "reject_subscription"}),
               ("reject_subscription", "No", text({"channel": "No"}), 6)),
        client(write({"command": "unsubscribe", "identifier": CHANNEL}),
               ("unsubscribe", "ChatChannel", CHANNEL, None)),
        server(write({"type": "disconnect", "reason": "server_restart", "reconnect": True}),
               ("disconnect", None, None, None)),
        client(write({"a": 1}), ("malformed", None, None, None), problem="no command"),
    ]


DEVTOOLS = [
    client(text({"id": 1, "method": "Target.attachToTarget", "params": {}}),
           ("command", "Target.attachToTarget", "1", None)),
    server(text({"method": "Target.attachedToTarget", "params": {"sessionId": "S"}}),
           ("event", "Target.attachedToTarget", None, None)),
    server(text({"id": 1, "result": {"sessionId": "S"}}),
           ("result", "Target.attachToTarget", "1", 0)),
    client(text({"id": 2, "method": "Page.enable", "sessionId": "S"}),
           ("command", "Page.enable", "2", None)),
    client(text({"id": 2, "method": "Page.disable"}), ("command", "Page.disable", "2", None)),
    server(text({"id": 2, "result": {}, "sessionId": "S"}), ("result", "Page.enable", "2", 3)),
    server(text({"id": 2, "error": {"code": -32601, "message": "not found"}}),
           ("error", "Page.disable", "2", 4)),
    server(text({"id": 3}), ("malformed", None, "3", None), problem="no method"),
    server("nonsense", ("malformed", None, None, None), problem="no JSON"),
]


def jupyter(channel, kind, number, parent=None, **content):
    return {"channel": channel, "header": {"msg_id": number, "msg_type": kind},
            "parent_header": {"msg_id": parent} if parent else {}, "metadata": {}, "content": content}


def jupyter_v1(message):
    parts = [message["channel"].encode()] + [
        text(message[name]).encode() for name in ("header", "parent_header", "metadata", "content")]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets) + b"".join(parts)


def jupyter_buffers(message):
    raw = text(message).encode()
    return struct.pack(">III", 2, 12, 12 + len(raw)) + raw + b"buffer"


def jupyter_script(write):
    return [
        client(write(jupyter("shell", "execute_request", "m1", code="1+1")),
               ("execute_request", "execute", "m1", None)),
        server(write(jupyter("iopub", "status", "k1", "m1", execution_state="busy")),
               ("status", "execute", "m1", 0)),
        server(write(jupyter("iopub", "stream", "k2", "m1", name="stdout", text="2")),
               ("stream", "execute", "m1", 0)),
        server(write(jupyter("stdin", "input_request", "k3", "m1", prompt="?")),
               ("input_request", "input", "k3", None)),
        client(write(jupyter("stdin", "input_reply", "m2", "k3", value="x")),
               ("input_reply", "input", "k3", 3)),
        server(write(jupyter("shell", "execute_reply", "k4", "m1", status="ok")),
               ("execute_reply", "execute", "m1", 0)),
        server(write(jupyter("iopub", "status", "k5", "m1", execution_state="idle")),
               ("status", None, "m1", None)),
        server(write(jupyter("iopub", "status", "k6", "other", execution_state="busy")),
               ("status", None, "other", None)),
    ]


SCRIPTS = [
    Script("ocpp2.1", "ocpp", "ocpp2.1", "/ocpp/CS1", OCPP, True),
    Script("ocpp1.6", "ocpp", "OCPP1.6", "/ocpp/CS1", OCPP_PLAIN, True),
    Script("ocpp2.0.1", "ocpp", "ocpp2.0.1", "/ocpp/CS1", OCPP_PLAIN, True),
    Script("wamp-json", "wamp", "wamp.2.json", "/ws", wamp(text), True),
    Script("wamp-msgpack", "wamp", "wamp.2.msgpack", "/ws", wamp(msgpack), False),
    Script("wamp-cbor", "wamp", "wamp.2.cbor", "/ws", wamp(cbor), False),
    Script("wamp-msgpack-no-token", "wamp", None, "/ws", wamp(msgpack), False),
    Script("wamp-cbor-no-token", "wamp", None, "/ws", wamp(cbor), False),
    Script("wamp-json-batched", "wamp", "wamp.2.json.batched", "/ws", BATCHED_JSON, False),
    Script("wamp-msgpack-batched", "wamp", "wamp.2.msgpack.batched", "/ws", batched(msgpack), False),
    Script("wamp-cbor-batched", "wamp", "wamp.2.cbor.batched", "/ws", batched(cbor), False),
    Script("graphql", "graphql", "graphql-transport-ws", "/graphql", GRAPHQL, True),
    Script("graphql-old", "graphql", "graphql-ws", "/graphql", GRAPHQL_OLD, True),
    Script("jsonrpc", "jsonrpc", None, "/rpc", JSONRPC, True),
    Script("kubernetes", "kubernetes", "v5.channel.k8s.io",
           "/api/v1/namespaces/default/pods/p/exec?command=ls", KUBERNETES, False),
    Script("kubernetes-base64", "kubernetes", "base64.channel.k8s.io",
           "/api/v1/namespaces/default/pods/p/attach", KUBERNETES_BASE64, False),
    Script("kubernetes-ports", "kubernetes", "v4.channel.k8s.io",
           "/api/v1/namespaces/default/pods/p/portforward?ports=8080", KUBERNETES_PORTS, False),
    Script("phoenix", "jsonids", None, "/socket/websocket?vsn=2.0.0", PHOENIX, True),
    Script("actioncable", "jsonids", "actioncable-v1-json", "/cable", actioncable(text), False),
    Script("actioncable-msgpack", "jsonids", "actioncable-v1-msgpack", "/cable", actioncable(msgpack), False),
    Script("devtools", "jsonids", None, "/devtools/page/1", DEVTOOLS, True),
    Script("jupyter", "jsonids", None, "/api/kernels/1/channels", jupyter_script(text), True),
    Script("jupyter-v1", "jsonids", "v1.kernel.websocket.jupyter.org", "/api/kernels/1/channels",
           jupyter_script(jupyter_v1), False),
    Script("jupyter-buffers", "jsonids", None, "/api/kernels/1/channels",
           jupyter_script(jupyter_buffers), False),
]
