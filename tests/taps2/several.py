"""Several connections and several taps in one call: none may show what is another's. And the smaller
promises of a surface that a capture of good manners does not try.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import re
import struct

import captures
import craft
import jsonlines
import run_cases
from captures import masked


def two(path):
    """Two connections; the file ends inside a message and inside a frame of each."""
    packets = []
    for number in range(2):
        talk = craft.Conversation()
        talk.port[0] = 50001 + number
        talk.open()
        talk.client(masked(1, b"hello%d" % number))
        talk.server(craft.frame(1, b"part%d" % number, fin=False))
        talk.client(masked(2, b"A" * 3000)[:2000 + number])
        packets += talk.packets
    talk.packets = packets
    talk.save(path)


def broken(path):
    """A message of two fragments, and one of a single one, that others follow before their end."""
    talk = craft.Conversation()
    talk.open()
    talk.client(masked(1, b"one, ", fin=False))
    talk.server(craft.frame(1, b"between"))
    talk.client(masked(0, b"two", fin=False))
    talk.server(craft.frame(1, b"between"))
    talk.client(masked(1, b"alone", fin=False))
    talk.client(masked(1, b"whole"))
    talk.close()
    talk.save(path)


def back_in_time(path):
    """Pongs whose time stamps lie two seconds before those of their Pings, as of another clock."""
    talk = craft.Conversation()
    talk.open()
    for number in range(2):
        talk.client(masked(9, b"%d" % number))
        talk.server(craft.frame(10, b"%d" % number))
    talk.close()
    talk.save(path)
    bytes_, at, number = bytearray(path.read_bytes()), 24, 0
    while at < len(bytes_):
        seconds, _, length = struct.unpack_from("<3I", bytes_, at)
        if bytes_[at + 16 + length - 3:at + 16 + length - 1] == b"\x8a\x01":
            struct.pack_into("<I", bytes_, at, seconds - 2)
            number += 1
        at += 16 + length
    assert number == 2
    path.write_bytes(bytes_)


def echoed_secret(path):
    """A server that chooses what a browser offered as its token."""
    talk = craft.Conversation()
    talk.open([b"Sec-WebSocket-Protocol: access_token, hunter2"], [b"Sec-WebSocket-Protocol: hunter2"])
    talk.client(masked(8, b"\x03\xe8nul \x00 behind"))
    talk.server(craft.frame(8, b"\x03\xe8"))
    talk.finish()
    talk.save(path)


MADE = {"two": two, "broken": broken, "back_in_time": back_in_time, "echoed_secret": echoed_secret}


def make(env, name):
    path = env.new_path(f"-{name}.pcap")
    MADE[name](path)
    return path


def output(env, path, *args):
    return run_cases.checked(env.tshark(["-q", *args], path), " ".join(args))


def tables(text):
    """The lines of each table: what begins with an address."""
    found = []
    for line in text.split("\n"):
        if line.startswith("Filter:"):
            found.append([])
        elif re.match(r"10\.", line) and found:
            found[-1].append(re.sub(" +", " ", line))
    return found


def filters_test(env):
    """A table with a filter is the same whatever other tables there are."""
    path, problems = make(env, "two"), []
    for surface in ("conv", "endpoints"):
        asked = [f"{surface},websocket,websocket.stream==0", f"{surface},websocket,websocket.stream==1",
                 f"{surface},websocket"]
        alone = [tables(output(env, path, "-z", one))[0] for one in asked]
        if not alone[0] or alone[0] == alone[1] or len(alone[2]) <= len(alone[0]):
            problems.append(f"{surface}: nothing is tested: {alone}")
        together = tables(output(env, path, *[word for one in asked for word in ("-z", one)]))
        if sorted(together) != sorted(alone):
            problems.append(f"{surface}: {together}, alone {alone}")
    return problems


def follow_test(env):
    """By addresses as by number, also behind the last packet."""
    path, problems = make(env, "two"), []
    for number in range(2):
        ends = [f"10.0.0.1:{50001 + number}", "10.0.0.2:80"]
        expected = output(env, path, "-z", f"follow,websocket,ascii,{number}")
        if f"part{number}" not in expected or "incomplete" not in expected:
            problems.append(f"nothing is tested: {expected}")
        for order in (ends, ends[::-1]):
            text = output(env, path, "-z", "follow,websocket,ascii," + ",".join(order))
            body = [t.split("Node 1", 1)[1].split("\n", 1)[1] for t in (expected, text)]
            if body[0] != body[1]:
                problems.append(f"{order}: {text}")
    return problems


def once_test(env):
    path = make(env, "two")
    done = env.tshark(["-q", "-z", "websocket,connections", "-z", "websocket,connections,tcp.stream == 0"], path)
    if done.rc != 1 or b"once" not in done.stderr or done.stdout:
        return [f"connections twice: ended with {done.rc}: {done.stderr[-200:]}"]
    return []


def broken_test(env):
    """What a message that was never finished says of its frames."""
    names = ["frame.number", "websocket.message", "websocket.message.first_in", "websocket.message.last_in",
             "websocket.message.time"]
    fields = [word for name in names for word in ("-e", name)]
    text = run_cases.checked(env.tshark(["-Y", "websocket.message.text contains \"one\" || websocket.message.text "
                                         "contains \"alone\"", "-T", "fields", *fields], make(env, "broken")), "-T")
    got = [[field.replace("<MISSING>", "") for field in line.split("\t")] for line in text.splitlines()]
    # another message begins in the packet where the first one breaks; the second one waits for the end
    expected = [["16", "1,2", "8", "12", ""], ["25", "2", "16", "16", ""]]
    return [] if got == expected else [f"{got}, expected {expected}"]


def clocks_test(env):
    text, path = "", make(env, "back_in_time")
    rtts = [item["rtt"] for item in jsonlines.run(env, path) if item["kind"] == "pong"]
    text = output(env, path, "-z", "websocket,srt")
    rows = [line.split() for line in text.split("\n") if "Ping by client" in line]
    numbers = [[float(word) for word in row[4:]] for row in rows]
    if len(rtts) != 2 or max(rtts) > -1 or numbers != [[2, 0, 0, 0, 0]]:
        return [f"times {rtts}, rows {rows}"]
    return []


def secret_test(env):
    """What the offer hides is hidden in the answer; the reason of a Close is whole."""
    path, problems = make(env, "echoed_secret"), []
    for option in ("FALSE", "TRUE"):
        texts = {surface: output(env, path, "-o", f"websocket.redact:{option}", "-z", f"websocket,{surface}")
                 for surface in ("messages", "har,-")}
        for surface, text in texts.items():
            if ("hunter2" in text) == (option == "TRUE"):
                problems.append(f"{surface}, redact {option}: {text[:600]}")
    reasons = [close.get("reason") for entry in json.loads(texts["har,-"])["log"]["entries"]
               for close in entry["_wsx"]["closes"]]
    if reasons != ["nul \x00 behind", ""]:
        problems.append(f"the archive's reasons: {reasons}")
    return problems


def big_test(env):
    """Export PDUs: one that a packet can't hold is cut there, and all others come too."""
    path, target = captures.CASES / "fr_big_server_300k" / "fr_big_server_300k.pcap", env.new_path(".pcapng")
    messages = [item for item in jsonlines.run(env, path) if item["kind"] in ("text", "binary")]
    run_cases.checked(env.tshark(["-q", "-U", "WebSocket", "-w", str(target)], path), "-U")
    text = run_cases.checked(env.tshark(["-T", "fields", "-e", "frame.len", "-e", "frame.cap_len", "-e",
                                         "exported_pdu.orig_fno"], target), "reading the PDUs")
    got = [[int(word) for word in line.split("\t")] for line in text.splitlines()]
    if len(messages) < 2 or messages[0]["len"] < 300000 or [row[2] for row in got] != [i["packet"] for i in messages]:
        return [f"{got} of {len(messages)} messages"]
    heads = {row[0] - item["len"] for row, item in zip(got, messages)}
    if got[0][1] != 262144 or got[1][0] != got[1][1] or max(heads) > 200:
        return [f"lengths {got}, heads {heads}"]
    return []


def tests(env):
    yield "several:filters", lambda: filters_test(env)
    yield "several:follow", lambda: follow_test(env)
    yield "several:once", lambda: once_test(env)
    yield "several:broken", lambda: broken_test(env)
    yield "several:clocks", lambda: clocks_test(env)
    yield "several:secret", lambda: secret_test(env)
    yield "pdus:big", lambda: big_test(env)
