"""Tests of the application protocols made of JSON, MessagePack and CBOR.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  apps2:NAME:MODE     a conversation of scripts.py, in one way of talk.py: every unit's type, name and id,
                      what it answers, both ways; what is malformed; the same in one pass and two
  apps2:json          texts with mistakes: refused where Python's reader refuses them
  apps2:truth:NAME    a recorded capture: units counted by kind, against what the messages say by a
                      reading of their own, and the messages against what the programs logged

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import hashlib
import json
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "lib"):
    sys.path.insert(0, str(folder))
import jsonlines  # noqa: E402
import scripts  # noqa: E402
import talk  # noqa: E402

SAMPLES = HERE.parents[1] / "sample-captures"
SEPARATOR = "\x02"


def fields(env, capture, wanted, options=()):
    """The values of fields, a list for each packet: {packet: {field: [values]}}."""
    args = list(options) + ["-Y", "websocket", "-T", "fields", "-E", "separator=\x03",
                            "-E", "aggregator=" + SEPARATOR, "-e", "frame.number"]
    for name in wanted:
        args += ["-e", name]
    done = env.tshark(args, capture)
    if done.rc != 0:
        raise RuntimeError(done.stderr.decode(errors="replace")[:300])
    packets = {}
    for line in done.stdout.decode().split("\n"):
        columns = line.split("\x03")
        if len(columns) == len(wanted) + 1:
            # Wireshark 4.4 and later write a backslash as two
            packets[int(columns[0])] = {
                name: value.replace("\\\\", "\\").split(SEPARATOR) if value else []
                for name, value in zip(wanted, columns[1:])}
    return packets


# --- made conversations ---------------------------------------------------------------------------

TEXTS = ("wsx.app.type", "wsx.app.name", "wsx.app.id")
LINKS = ("wsx.app.answers", "wsx.app.answered_in")


def expected_texts(message):
    """What the fields of a packet hold, in order; values that are not there take no place."""
    columns = zip(*(unit[:3] for unit in message.units))
    return {name: [value for value in column if value is not None]
            for name, column in zip(TEXTS, columns)}


def judge_message(number, message, seen, packet_of, answered_in):
    problems = []
    for name, wanted in expected_texts(message).items():
        if wanted != seen[name]:
            problems.append(f"message {number}: {name} is {seen[name]}, not {wanted}")
    answers = [str(packet_of[unit[3]]) for unit in message.units if unit[3] is not None]
    if seen["wsx.app.answers"] != answers:
        problems.append(f"message {number}: answers {seen['wsx.app.answers']}, not {answers}")
    if seen["wsx.app.answered_in"] != answered_in.get(number, []):
        problems.append(f"message {number}: answered in {seen['wsx.app.answered_in']}, "
                        f"not {answered_in.get(number, [])}")
    return problems


def first_answers(script, packet_of):
    """{number of a message: the packets of the first answer to each of its requests}."""
    answers = collections.defaultdict(list)
    for number, message in enumerate(script):
        for unit in message.units:
            if unit[3] is not None:
                answers[unit[3]].append((unit[2], packet_of[number]))
    first = {}
    for number, pairs in answers.items():
        own = [unit[2] for unit in script[number].units]
        seen = {}
        for name, packet in pairs:
            seen.setdefault(name, packet)
        if len(own) > 1:
            first[number] = [str(seen[name]) for name in own if name in seen]
        else:
            first[number] = [str(pairs[0][1])]
    return first


def judge_problem(number, message, protocol, seen):
    text = " | ".join(seen["_ws.expert.message"])
    malformed = seen[protocol + ".expert.malformed"]
    if message.problem and (not malformed or message.problem not in text):
        return [f"message {number}: no expert item with {message.problem!r}: {text}"]
    if not message.problem and malformed:
        return [f"message {number}: an expert item for nothing: {text}"]
    return []


def run_script(env, one, mode):
    capture = env.new_path(".pcap")
    talk.write(capture, one.script, mode, None if mode == "midstream" else one.token, one.uri)
    wanted = (*TEXTS, *LINKS, one.filter + ".expert.malformed", "_ws.expert.message",
              "websocket.message", "websocket.message.type", one.filter, "_ws.malformed",
              "_ws.expert.severity")
    problems = []
    # without a handshake nothing says that it is WebSocket: the user does
    told = ("-d", "tcp.port==8765,websocket") if mode == "midstream" else ()
    passes = [fields(env, capture, wanted, ("-2", *told)), fields(env, capture, wanted, told)]
    for pass_number, packets in enumerate(passes):
        messages = {n: seen for n, seen in packets.items() if seen["websocket.message.type"]}
        if len(messages) != len(one.script):
            return [f"{len(messages)} packets with messages, not {len(one.script)}"]
        packet_of = sorted(messages)
        # in one pass a request does not know its answer yet
        answered = first_answers(one.script, packet_of) if pass_number == 0 else {}
        for number, message in enumerate(one.script):
            seen = messages[packet_of[number]]
            if not seen[one.filter]:
                problems.append(f"message {number} is not {one.filter}")
            problems += judge_message(number, message, seen, packet_of, answered)
            problems += judge_problem(number, message, one.filter, seen)
            if seen["_ws.malformed"]:
                problems.append(f"message {number}: Wireshark calls it malformed")
    return problems


# --- recorded captures ----------------------------------------------------------------------------

WAMP_TYPES = {1: "hello", 2: "welcome", 3: "abort", 4: "challenge", 5: "authenticate", 6: "goodbye",
              8: "error", 16: "publish", 17: "published", 32: "subscribe", 33: "subscribed",
              34: "unsubscribe", 35: "unsubscribed", 36: "event", 48: "call", 49: "cancel",
              50: "result", 64: "register", 65: "registered", 66: "unregister", 67: "unregistered",
              68: "invocation", 69: "interrupt", 70: "yield"}
OCPP_TYPES = {2: "call", 3: "result", 4: "error", 5: "result error", 6: "send"}


def jsonrpc_kind(value):
    if "result" in value:
        return "result"
    if "error" in value:
        return "error"
    return "request" if "id" in value else "notification"


CHANNELS = {0: "stdin", 1: "stdout", 2: "stderr", 3: "error", 4: "resize", 255: "close"}


def wamp_binary_kind(value):
    """The first element of an array in MessagePack (0x9n) or CBOR (0x8n): a number under 128."""
    if value[0] >> 4 == 9:
        return WAMP_TYPES[value[1]]
    return WAMP_TYPES[value[2] if value[1] == 0x18 else value[1]]


PHOENIX_TYPES = {"phx_join": "join", "phx_leave": "leave", "phx_close": "close", "phx_error": "crash",
                 "heartbeat": "heartbeat"}


def phoenix_kind(value, direction):
    if isinstance(value, bytes):
        return {0: "push", 1: "reply", 2: "broadcast"}[value[0]]
    old = isinstance(value, dict)
    join, event, payload = (None if old else value[0], value["event"] if old else value[3],
                            value["payload"] if old else value[4])
    if event == "phx_reply":
        return "error" if payload["status"] == "error" else "reply"
    return PHOENIX_TYPES.get(event) or ("push" if direction == "c2s" or join else "broadcast")


def cable_kind(value):
    return value.get("command") or value.get("type") or "message"


def devtools_kind(value):
    if "method" in value:
        return "command" if "id" in value else "event"
    return "error" if "error" in value else "result"


def count_of(*kinds):
    """How many units answer something, when these kinds do."""
    return lambda values, read: sum(read(value) in kinds for value in values)


def wamp_answers(values, read):
    kinds = [read(value) for value in values]
    answers = {"welcome", "published", "subscribed", "unsubscribed", "registered", "unregistered",
               "result", "error", "yield"}
    return sum(kind in answers for kind in kinds) + kinds.count("goodbye") // 2


def jupyter_answers(values, _read):
    asked = {value["header"]["msg_id"] for value in values
             if value["header"]["msg_type"].endswith("_request")}
    return sum(not value["header"]["msg_type"].endswith("_request")
               and value["parent_header"].get("msg_id") in asked for value in values)


# capture: how the kind of a message is read from its value (directed: from value and direction), and how
# many answer another. All of those find their request.
Recorded = collections.namedtuple("Recorded", "folder read answers directed", defaults=(False,))
RECORDED = {
    "proto_wamp": Recorded(SAMPLES, lambda value: WAMP_TYPES[value[0]], wamp_answers),
    "proto_ocpp": Recorded(SAMPLES, lambda value: OCPP_TYPES[value[0]], count_of("result", "error")),
    "proto_graphql": Recorded(SAMPLES, lambda value: value["type"],
                              count_of("connection_ack", "next", "complete", "error", "pong")),
    "proto_jsonrpc": Recorded(SAMPLES, jsonrpc_kind, count_of("result", "error")),
    "proto_graphql_old": Recorded(SAMPLES, lambda value: value["type"],
                                  count_of("connection_ack", "connection_error", "data", "complete",
                                           "error")),
    "proto_jupyter": Recorded(SAMPLES, lambda value: value["header"]["msg_type"], jupyter_answers),
    "proto_kubernetes": Recorded(SAMPLES, lambda value: CHANNELS[value[0]],
                                 lambda values, read: 0),
    "proto_devtools": Recorded(SAMPLES, devtools_kind, count_of("result", "error")),
    "proto_ocpp2": Recorded(SAMPLES, lambda value: OCPP_TYPES[value[0]],
                            count_of("result", "error")),
    "proto_ocpp21": Recorded(SAMPLES, lambda value: OCPP_TYPES[value[0]],
                             count_of("result", "error")),
    "proto_wamp_binary": Recorded(SAMPLES, wamp_binary_kind, wamp_answers),
    "proto_phoenix": Recorded(SAMPLES, lambda pair: phoenix_kind(*pair), count_of("reply", "error"), True),
    "proto_actioncable": Recorded(SAMPLES, cable_kind,
                                  count_of("confirm_subscription", "reject_subscription")),
}


def value_of(item):
    return json.loads(item["text"]) if item["kind"] == "text" else jsonlines.body(item)


def differs_from_log(folder, name, items):
    """The messages against what an end logged, where it did."""
    path = folder / f"{name}.truth.jsonl"
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    logged = collections.Counter((line["dir"], line["sha256"]) for line in lines
                                 if line["type"] in ("text", "binary"))
    shown = collections.Counter((item["dir"], hashlib.sha256(jsonlines.body(item)).hexdigest())
                                for item in items)
    return [] if logged == shown else [f"messages differ: {logged - shown} {shown - logged}"]


def run_truth(env, name):
    one = RECORDED[name]
    capture = one.folder / f"{name}.pcapng"
    items = [item for item in jsonlines.run(env, capture) if item["kind"] in ("text", "binary")]
    problems = differs_from_log(one.folder, name, items)
    values = [(value_of(item), item["dir"]) if one.directed else value_of(item) for item in items]
    wanted = collections.Counter(one.read(value) for value in values)
    links = ("wsx.app.answers", "jsonids.parent_in")
    packets = fields(env, capture, ("wsx.app.type", *links, "_ws.expert.message"))
    counted = collections.Counter(kind for seen in packets.values() for kind in seen["wsx.app.type"])
    if counted != wanted or not wanted:
        problems.append(f"kinds are {dict(counted)}, not {dict(wanted)}")
    answers = sum(len(seen[link]) for seen in packets.values() for link in links)
    if answers != one.answers(values, one.read):
        problems.append(f"{answers} answers found their request, "
                        f"not {one.answers(values, one.read)}")
    told = collections.Counter(item["app"]["units"][0]["type"] if "units" in item.get("app", {})
                               else item.get("app", {}).get("type") for item in items)
    if told != wanted:
        problems.append(f"the JSON Lines tell {dict(told)}, not {dict(wanted)}")
    return problems


# --- what is JSON ---------------------------------------------------------------------------------

SEEDS = ['[2,"id","Action",{"a":[1,-2.5e+3,0,true,false,null],"\\u00e9\\n":"\\ud83d\\ude00"}]',
         '{"a" : [ ] , "b":{ } , "c":"\\\\\\"/"}', '[[[[1]]],"",0.5,10E-2,"\u6f22"]', '"text"', ' 17 ',
         '[' * 150 + ']' * 150]
MUTATED = 600
INSERTED = '[]{}",:\\/0123.eE+-tfn \t\n\x01x\u00e9'


def mutated_texts():
    """Texts that are JSON, or were before a character or two of them were changed; always the same."""
    dice = random.Random(20)
    for number in range(MUTATED):
        text = list(SEEDS[number % len(SEEDS)])
        for _ in range(number // len(SEEDS) % 3):
            at = dice.randrange(len(text) + 1)
            if dice.random() < 0.5 and at < len(text):
                del text[at]
            else:
                text.insert(at, dice.choice(INSERTED))
        yield "".join(text)


def is_json(text):
    def refuse(_name):
        raise ValueError
    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


def run_json(env):
    """Which texts are JSON, against Python's reader."""
    texts = list(mutated_texts())
    capture = env.new_path(".pcap")
    talk.write(capture, [talk.client(text) for text in texts], "plain", "ocpp1.6")
    packets = fields(env, capture, ("websocket.message.type", "_ws.expert.message"))
    seen = [value["_ws.expert.message"] for value in packets.values()
            if value["websocket.message.type"]]
    if len(seen) != len(texts):
        return [f"{len(seen)} messages, not {len(texts)}"]
    wanted = [is_json(text) for text in texts]
    if not 100 < sum(wanted) < MUTATED - 100:
        return [f"{sum(wanted)} of the texts are JSON: that tests one side only"]
    return [f"{'JSON is refused' if good else 'is taken for JSON'}: {text!r}"
            for text, good, told in zip(texts, wanted, seen)
            if good == any("It is no JSON" in line for line in told)]


def tests(env):
    yield "apps2:json", lambda: run_json(env)
    for one in scripts.SCRIPTS:
        for mode in talk.MODES:
            if mode != "midstream" or one.midstream:
                yield (f"apps2:{one.name}:{mode}",
                       lambda one=one, mode=mode: run_script(env, one, mode))
    for name in RECORDED:
        yield f"apps2:truth:{name}", lambda name=name: run_truth(env, name)


def main():
    import wsxenv
    env, failed, count = wsxenv.shared(), 0, 0
    for name, test in tests(env):
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        problems = test()
        count += 1
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name)
        for problem in problems[:12]:
            print("     ", problem)
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
