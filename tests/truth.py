#!/usr/bin/env python3
"""Compare what wsx reads in a capture with what the two endpoints logged themselves.

    truth.py CAPTURE [TRUTH] [-- TSHARK-OPTION...]        TRUTH: beside CAPTURE, NAME.truth.jsonl

A truth file has one JSON object a message or control frame, in order per direction: conn (tcp.stream;
udp.stream for HTTP/3), h2stream (HTTP/2 or HTTP/3 stream, else absent), dir, type, len and sha256 of
the payload after decompression (of a Close: the whole body), code, reason, seen.

What may differ without being an error, because an endpoint's log is not the wire:
- seen "sent": only the sender logged it. The library's own answers (Pongs) may be missing in such a
  list, and where no Close was sent its end may never have reached the wire (the verdict counts it as
  not matched).
- Behind a side's own Close its peer ignores everything: such frames may be missing in the log.
- An unfinished message at the end of a direction was never handed to the program.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import collections
import hashlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import jsonlines  # noqa: E402
import wsxenv  # noqa: E402

DATA = ("text", "binary")
LISTED = DATA + ("ping", "pong", "close")
SHOWN_DIFFERENCES = 20

Item = collections.namedtuple("Item", "type len sha256 code reason where seen")


def default_truth(capture):
    return capture.with_name(capture.name.rsplit(".", 1)[0] + ".truth.jsonl")


def read_truth(path):
    """{(conn, h2stream, dir): [Item]}"""
    lists = collections.defaultdict(list)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        t = json.loads(line)
        lists[t["conn"], t.get("h2stream"), t["dir"]].append(
            Item(t["type"], t["len"], t["sha256"], t.get("code"), t.get("reason") or "",
                 f"truth line {number}", t["seen"]))
    return lists


def read_wire(items, problems):
    """The same from JSON Lines, and the unfinished messages apart."""
    opened, lists, unfinished = {}, collections.defaultdict(list), collections.Counter()
    for j in items:
        if j["kind"] == "open":
            opened[j["stream"]] = (j.get("transport_stream"), j.get("stream_id"))
        if j["kind"] not in LISTED:
            continue
        if j["stream"] not in opened:
            problems.append(f"stream {j['stream']}: {j['kind']} before its open line")
            continue
        key = (*opened[j["stream"]], j.get("dir"))
        if j.get("incomplete"):
            unfinished[key] += 1
            continue
        body = jsonlines.body(j)
        if len(body) != j["len"]:
            problems.append(f"packet {j['packet']}: len says {j['len']}, {len(body)} bytes given")
        lists[key].append(Item(j["kind"], len(body), hashlib.sha256(body).hexdigest(),
                               j.get("code"), j.get("reason", ""), f"packet {j['packet']}", ""))
    return lists, unfinished


def same(truth, wire):
    if (truth.type, truth.len, truth.sha256) != (wire.type, wire.len, wire.sha256):
        return False
    return truth.type != "close" or truth.len < 2 or truth.code == wire.code


def words(item):
    code = f" code {item.code}" if item.type == "close" and item.code is not None else ""
    return f"{item.type} of {item.len} bytes{code} ({item.where}, sha256 {item.sha256[:12]})"


def compare(name, truth, wire, problems):
    """Walk both lists; returns how many items of the truth were found."""
    only_sent = all(t.seen == "sent" for t in truth)
    only_messages = all(t.seen == "messages" for t in truth)
    cut_short = only_sent and wire and not any(item.type == "close" for item in wire)
    matched, closed, w = 0, False, 0

    def may_be_unlogged(item):
        return (closed or (only_sent and item.type == "pong")
                or (only_messages and item.type not in DATA))

    for t in truth:
        while w < len(wire) and not same(t, wire[w]) and may_be_unlogged(wire[w]):
            w += 1
        if w < len(wire) and same(t, wire[w]):
            closed = closed or t.type == "close"
            matched, w = matched + 1, w + 1
        elif w < len(wire):
            problems.append(f"{name}: expected {words(t)}, got {words(wire[w])}")
            w += 1
        elif not cut_short:
            problems.append(f"{name}: missing {words(t)}")
    for extra in wire[w:]:
        if not may_be_unlogged(extra):
            problems.append(f"{name}: not in the truth: {words(extra)}")
        closed = closed or extra.type == "close"
    return matched


def check(items, truth_path):
    """JSON Lines against a truth file: (matched, all, unfinished, problems)."""
    problems = []
    truth = read_truth(truth_path)
    wire, unfinished = read_wire(items, problems)
    matched = total = 0
    for key in sorted(set(truth) | set(wire), key=str):
        conn, sub, direction = key
        name = f"connection {conn}" + (f" stream {sub}" if sub is not None else "") + f" {direction}"
        if key not in truth and any(k[:2] == key[:2] for k in truth):
            # One direction logged nothing at all: only control frames may have passed there.
            for item in wire[key]:
                if item.type in DATA:
                    problems.append(f"{name}: not in the truth: {words(item)}")
            continue
        if key not in truth:
            problems.append(f"{name}: {len(wire[key])} items, but the truth has no such connection")
            continue
        total += len(truth[key])
        matched += compare(name, truth[key], wire.get(key, []), problems)
    if not total:
        problems.append("the truth is empty")
    return matched, total, sum(unfinished.values()), problems


def main():
    argv, options = sys.argv[1:], []
    if "--" in argv:
        options = argv[argv.index("--") + 1:]
        argv = argv[:argv.index("--")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     epilog="options behind -- go to tshark, as -- -2")
    parser.add_argument("capture", type=pathlib.Path)
    parser.add_argument("truth", type=pathlib.Path, nargs="?")
    parser.add_argument("--messages", type=pathlib.Path,
                        help="JSON Lines that are there already, instead of running tshark")
    args = parser.parse_args(argv)
    truth = args.truth or default_truth(args.capture)
    print(f"{args.capture.name} against {truth.name} {' '.join(options)}".rstrip())
    items = (jsonlines.parse(args.messages.read_bytes()) if args.messages
             else jsonlines.run(wsxenv.shared(), args.capture, options))
    matched, total, unfinished, problems = check(items, truth)
    for text in problems[:SHOWN_DIFFERENCES]:
        print("  " + text)
    if len(problems) > SHOWN_DIFFERENCES:
        print(f"  and {len(problems) - SHOWN_DIFFERENCES} more")
    print(f"{'DIFFERENT' if problems else 'SAME'}: {matched} of {total} items matched, "
          f"{unfinished} unfinished on the wire, {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (wsxenv.SetupError, jsonlines.BadOutput, OSError) as error:
        sys.exit(f"truth: {error}")
