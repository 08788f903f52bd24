#!/usr/bin/env python3
"""What rides on WebSocket does not depend on how it is carried: the messages of the recorded captures, put into
other wrappings by rewrap.py, must tell the same `app` objects, and Wireshark's own dissectors must show the same.

tests(env) gives (name, callable); a callable returns the texts of what is wrong.

  carriers:NAME:CARRIER    plain: against the recording itself. The others: against plain. Where the capture begins in
                           the middle, answers to what came before are no answers, and a protocol that only its
                           handshake names may be unknown until a message shows what it is

As a program: runs those whose name holds its argument.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import json
import pathlib
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "lib"):
    sys.path.insert(0, str(folder))
import jsonlines  # noqa: E402
import rewrap  # noqa: E402
import wsxenv  # noqa: E402

SAMPLES = HERE.parents[1] / "sample-captures"

# Messages of a connection that tell nothing of their protocol, where no handshake does: the most that are passed over.
PASSED_OVER = {"proto_jsonrpc": 5,  # notifications of rpc-websockets, which are no JSON-RPC
               "proto_sockjs": 7,   # the client's arrays of texts
               "proto_mqtt": 4}     # pieces of a CONNECT that are too short
PASSED_OVER_OTHERS = 3
# Nothing but the handshake tells.
UNKNOWN = {("proto_kubernetes", "midstream"), ("proto_kubernetes", "later"), ("proto_kubernetes_v4", "midstream"),
           ("proto_kubernetes_v4", "later"), ("proto_engineio", "later"), ("proto_mqtt", "later"),
           ("proto_websockify", "later"), ("proto_vnc", "later")}
# Fields of Wireshark's own dissectors, as they come in each direction of a connection.
FOREIGN = {
    "proto_mqtt": ("mqtt.msgtype", "mqtt.msgid", "mqtt.topic"),
    "proto_sip": ("sip.CSeq", "sip.Status-Code", "sip.msg_body"),
    "proto_xmpp": ("xmpp.message", "xmpp.iq", "xmpp.presence"),
    "proto_websockify": ("vnc.server_proto_ver", "vnc.client_proto_ver"),
    "proto_vnc": ("vnc.client_proto_ver", "vnc.desktop_name", "vnc.client_message_type", "vnc.server_message_type",
                  "vnc.width", "vnc.fb_update_encoding_type"),
}

_lock = threading.Lock()
_recorded, _plain = {}, {}


def recordings():
    return sorted(SAMPLES.glob("proto_*.pcapng"))


def messages_of(items):
    return [item for item in items if rewrap.is_message(item)]


def units_of(app):
    return app.get("units", [app]) if app else []


def place(item):
    return item["stream"], item["dir"], item["index"]


def by_packet(items):
    """The messages that end in a packet: one, but where a first frame waits for a second one to be believed."""
    places = collections.defaultdict(list)
    for item in messages_of(items):
        places[item["packet"]].append(place(item))
    return places


def told(items, places=None, shift=None):
    """{message: what rides on it}. The packet that a unit answers becomes its message, or only the fact when `places` is None.
    shift: messages of each direction that are not in the capture."""
    result = {}
    for item in messages_of(items):
        app = json.loads(json.dumps(item.get("app")))
        for unit in units_of(app):
            unit.pop("rtt", None)
            if "answers" in unit:
                unit["answers"] = [moved(one, shift) for one in places[unit["answers"]]] if places else True
        result[moved(place(item), shift)] = app
    return result


def moved(where, shift):
    stream, direction, index = where
    return stream, direction, index + (shift[stream, direction] if shift else 0)


def recorded(env, capture):
    with _lock:
        if capture not in _recorded:
            _recorded[capture] = jsonlines.run(env, capture)
        return _recorded[capture]


def renumber(items):
    """Streams get the numbers of the recording: where the beginning is missing, they are counted in another order."""
    numbers = {item["stream"]: int(item["client"].rsplit(":", 1)[1]) - rewrap.FIRST_PORT
               for item in items if item["kind"] == "open" and item.get("http", "1.1") == "1.1"}
    for item in items:
        item["stream"] = numbers.get(item["stream"], item["stream"])
    return items


def carried(env, capture, name):
    """The JSON Lines of a rewrapped capture, what was left out, the capture and the options."""
    path = env.new_path(".pcap")
    options, left_out = rewrap.rewrap(recorded(env, capture), path, name)
    return renumber(jsonlines.run(env, path, options)), left_out, path, options


def plain(env, capture):
    """What rides on each message of the plain wrapping, and Wireshark's own fields."""
    with _lock:
        if capture in _plain:
            return _plain[capture]
    items, _, path, options = carried(env, capture, "plain")
    made = told(items, by_packet(items)), foreign(env, capture, path, options), items
    with _lock:
        _plain[capture] = made
    return made


def foreign(env, capture, path, options):
    """{stream and direction: the values of each field, in order}"""
    names = FOREIGN.get(capture.stem, ())
    if not names:
        return {}
    args = [*options, "-T", "fields", "-E", "separator=\x03", "-E", "aggregator=\x02",
            "-e", "websocket.stream", "-e", "websocket.direction"]
    for field in names:
        args += ["-e", field]
    done = env.tshark(args, path)
    if done.rc != 0:
        raise RuntimeError(done.stderr.decode(errors="replace")[:300])
    values = collections.defaultdict(list)
    for line in done.stdout.decode().split("\n"):
        columns = line.split("\x03")
        for field, value in zip(names, columns[2:]):
            if value:
                values[columns[0].split("\x02")[0], columns[1].split("\x02")[0], field] += value.split("\x02")
    return dict(values)


def differences(wanted, seen):
    if set(wanted) != set(seen):
        return [f"{len(seen)} messages, expected {len(wanted)}"]
    return [f"message {where}: {seen[where]}, expected {app}" for where, app in wanted.items()
            if seen[where] != app][:10]


def foreign_differences(wanted, seen):
    if wanted == seen:
        return []
    return [f"{key}: {str(seen.get(key))[:200]}, expected {str(wanted.get(key))[:200]}"
            for key in set(wanted) | set(seen) if wanted.get(key) != seen.get(key)][:5]


def test_plain(env, capture):
    """The recording, and the same with each message in a frame and packet of its own."""
    items = recorded(env, capture)
    _, fields, made = plain(env, capture)
    problems = differences(told(items), told(made))
    if capture.stem in FOREIGN and not fields:
        problems.append("Wireshark's own dissector shows nothing")
    return problems


def test_carrier(env, capture, name):
    wanted, fields, _ = plain(env, capture)
    items, _, path, options = carried(env, capture, name)
    problems = differences(wanted, told(items, by_packet(items)))
    return problems + foreign_differences(fields, foreign(env, capture, path, options))


def same_unit(unit, wanted, asked_before):
    """The same, but what came before the capture can't be told: a request, and the name that was given then."""
    for key in ("type", "id"):
        if unit.get(key) != wanted.get(key):
            return False
    if unit.get("name") not in (None, wanted.get("name")):
        return False
    asked = [one for one in wanted.get("answers", ()) if one in asked_before]
    return not asked if "answers" not in unit else asked and asked[0] in unit["answers"]


# Without a path, an Engine.IO alone is known by its first message, not by what opens it.
SAME_OPENING = {"Socket.IO", "Engine.IO"}


def same_app(app, wanted, asked_before):
    protocols = {(app or {}).get("protocol"), (wanted or {}).get("protocol")}
    if len(protocols) > 1 and (protocols != SAME_OPENING or app.get("type") != "open"):
        return False
    own, their = units_of(app), units_of(wanted)
    return len(own) == len(their) and all(same_unit(a, b, asked_before) for a, b in zip(own, their))


def test_middle(env, capture, name):
    """After the first message by which the protocol is known, everything is as it was."""
    wanted, _, _ = plain(env, capture)
    items, left_out, _, _ = carried(env, capture, name)
    seen = told(items, by_packet(items), left_out)
    problems, unknown, known, before = [], collections.Counter(), set(), set()
    for item in messages_of(items):
        where = moved(place(item), left_out)
        stream, app = where[0], seen[where]
        if not app and stream not in known:
            unknown[stream] += wanted[where] is not None
            continue
        known.add(stream)
        # the first frame of a direction is whole when a second one shows that it was one: that may be
        # after its answer
        before.add(where)
        if not same_app(app, wanted[where], before):
            problems.append(f"message {where}: {app}, expected {wanted[where]}")
    carried_by = collections.Counter(where[0] for where in seen if wanted[where])
    expected = {stream for stream, count in carried_by.items() if count > 1}  # one message may say nothing
    if (capture.stem, name) in UNKNOWN:
        return problems[:10]
    problems += [f"stream {stream} is never known" for stream in expected - known]
    problems += [f"stream {stream} is known after {count} messages" for stream, count in unknown.items()
                 if count > PASSED_OVER.get(capture.stem, PASSED_OVER_OTHERS)]
    return problems[:10]


def tests(env, quick=False):
    for capture in recordings():
        yield f"carriers:{capture.stem}:plain", lambda capture=capture: test_plain(env, capture)
        for name in rewrap.CARRIERS[1:]:
            test = test_middle if rewrap.KINDS[name].cut is not None else test_carrier
            if not quick or name in ("all", "later"):
                yield (f"carriers:{capture.stem}:{name}",
                       lambda capture=capture, name=name, test=test: test(env, capture, name))


def main():
    failed = 0
    for name, test in tests(wsxenv.shared()):
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        try:
            problems = test()
        except (RuntimeError, jsonlines.BadOutput) as error:
            problems = [str(error)]
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name, *problems, sep="\n     " if problems else " ")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
