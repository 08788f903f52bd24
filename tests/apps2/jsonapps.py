"""Tests of the application protocols made of JSON, MessagePack and CBOR.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  apps2:NAME:MODE     a conversation of scripts.py, in one way of talk.py: every unit's type, name and id,
                      what it answers, both ways; what is malformed; the same in one pass and two
  apps2:truth:NAME    a recorded capture: units counted by kind, against what the messages say by a
                      reading of their own, and the messages against what the programs logged

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import hashlib
import json
import pathlib
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


READERS = {
    "proto_wamp": ("WAMP", lambda value: WAMP_TYPES[value[0]]),
    "proto_ocpp": ("OCPP-J", lambda value: OCPP_TYPES[value[0]]),
    "proto_graphql": ("GraphQL", lambda value: value["type"]),
    "proto_jsonrpc": ("JSON-RPC", jsonrpc_kind),
}
# What answers something, and how many of them find their request: all.
ANSWERS = {
    "proto_wamp": {"welcome", "published", "subscribed", "unsubscribed", "registered", "unregistered",
                   "result", "error", "yield"},
    "proto_ocpp": {"result", "error"},
    "proto_graphql": {"connection_ack", "next", "complete", "error", "pong"},
    "proto_jsonrpc": {"result", "error"},
}


def run_truth(env, name):
    capture, read = SAMPLES / f"{name}.pcapng", READERS[name][1]
    lines = [json.loads(line) for line in open(SAMPLES / f"{name}.truth.jsonl", encoding="utf-8")]
    logged = collections.Counter((t["conn"], t["dir"], t["sha256"]) for t in lines
                                 if t["type"] in ("text", "binary"))
    items = [item for item in jsonlines.run(env, capture) if item["kind"] in ("text", "binary")]
    shown = collections.Counter((item["stream"], item["dir"],
                                 hashlib.sha256(jsonlines.body(item)).hexdigest()) for item in items)
    problems = []
    if logged != shown:
        problems.append(f"messages differ from the log: {logged - shown} {shown - logged}")
    wanted = collections.Counter(read(json.loads(item["text"])) for item in items)
    packets = fields(env, capture, ("wsx.app.type", "wsx.app.answers", "_ws.expert.message"))
    counted = collections.Counter(kind for seen in packets.values() for kind in seen["wsx.app.type"])
    if counted != wanted:
        problems.append(f"kinds are {dict(counted)}, not {dict(wanted)}")
    answers = sum(len(seen["wsx.app.answers"]) for seen in packets.values())
    due = sum(count for kind, count in wanted.items() if kind in ANSWERS[name])
    due += {"proto_wamp": wanted["goodbye"] // 2}.get(name, 0)
    if answers != due:
        problems.append(f"{answers} answers found their request, not {due}")
    return problems


def tests(env):
    for one in scripts.SCRIPTS:
        for mode in talk.MODES:
            if mode != "midstream" or one.midstream:
                yield (f"apps2:{one.name}:{mode}",
                       lambda one=one, mode=mode: run_script(env, one, mode))
    for name in READERS:
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
