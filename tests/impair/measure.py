#!/usr/bin/env python3
"""How wsx reads damaged captures: two figures for every kind of damage.

    measure.py [FOLDER] [-k PATTERN] [-d PATTERN] [--seeds N] [-j JOBS] [--minutes N] [-v]
               [-- TSHARK-OPTION...]
    measure.py [FOLDER] --self-test

FOLDER (default: sample-captures) holds NAME.pcapng with NAME.truth.jsonl; NAME.WORD.pcapng is a
damaged copy of NAME.pcapng that was there before and is measured under "ready WORD".

wrong        what is reported as complete and is not in the truth of its direction, in order: must be 0
recoverable  data messages whose bytes are all in the damaged capture and whose decompression does not
             depend on lost bytes; right: those that are reported right. At least 99 % of each kind of
             damage. Only WebSocket over plain TCP has this figure
control      the same for Ping, Pong and Close frames; not in the verdict
parts        what is reported in part: it must be the beginning of something that was sent
without 101  whole compressed messages of connections whose answer to the handshake is lost, so that
             nothing tells how they were compressed; not in the verdict
missed       the recoverable ones that are not right, by their place behind a gap that took a frame's
             header with it

A connection whose answer to the handshake is lost is read by Decode As, on the client's port. With
--self-test only the truth itself is checked: what is found in the bytes of the undamaged captures is
what the endpoints logged, all of it.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import base64
import collections
import concurrent.futures
import dataclasses
import fnmatch
import os
import pathlib
import sys
import time

import carried
import impair
from impair import Damage
import judge  # sets the path to what follows
import jsonlines
import recut
import truth
import wire
import wsxenv

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "sample-captures"
SHARE_MIN = 0.99
RUN_SECONDS = 60
SHOWN_PROBLEMS = 20
IN_ORDER = ("-o", "tcp.reassemble_out_of_order:TRUE")
# Wireshark 4.0 keeps late segments from all dissectors otherwise; 4.4 and 4.6 hand them on.
HANDED_ON = ("-o", "tcp.no_subdissector_on_error:FALSE")

# Name: what is done, and options for tshark.
KINDS = {
    "nothing": (Damage(), ()),
    "one lost": (Damage(drop=1), ()),
    "loss 1 %": (Damage(drop=0.01), ()),
    "loss 2 %": (Damage(drop=0.02), ()),
    "loss 5 %": (Damage(drop=0.05), ()),
    "loss 10 %": (Damage(drop=0.1), ()),
    "loss 20 %": (Damage(drop=0.2), ()),
    "loss 5 %, in order": (Damage(drop=0.05), IN_ORDER),
    "late 5 %": (Damage(swap=0.05), ()),
    "late 20 %": (Damage(swap=0.2), ()),
    "late 20 %, in order": (Damage(swap=0.2), IN_ORDER),
    "late 5 %, handed on": (Damage(swap=0.05), HANDED_ON),
    "late 20 %, handed on": (Damage(swap=0.2), HANDED_ON),
    "twice 20 %": (Damage(dup=0.2), ()),
    "late and twice 10 %": (Damage(swap=0.1, dup=0.1), ()),
    "snaplen 70": (Damage(snaplen=70), ()),
    "snaplen 128": (Damage(snaplen=128), ()),
    "snaplen 128, in order": (Damage(snaplen=128), IN_ORDER),
    "snaplen 600": (Damage(snaplen=600), ()),
    "begin lost 10 %": (Damage(skip=0.1), ()),
    "begin lost 33 %": (Damage(skip=0.33), ()),
    "begin lost 70 %": (Damage(skip=0.7), ()),
    "end lost 30 %": (Damage(cut_end=0.3), ()),
    "only c2s": (Damage(one_direction="c2s"), ()),
    "only s2c": (Damage(one_direction="s2c"), ()),
    "only c2s, loss 5 %": (Damage(one_direction="c2s", drop=0.05), ()),
    "only s2c, loss 5 %": (Damage(one_direction="s2c", drop=0.05), ()),
    "loss, late, twice 5 %": (Damage(drop=0.05, swap=0.05, dup=0.05), ()),
    "begin lost 25 %, loss 5 %": (Damage(skip=0.25, drop=0.05), ()),
    "snaplen 256, loss 5 %": (Damage(snaplen=256, drop=0.05), ()),
}
# What tests() runs: small captures of every sort, and the kinds that differ most.
TEST_CAPTURES = ("ws_plain", "ws_plain_close", "ws_pmd_default", "ws_pmd_nct", "ws_pmd_frag_mtu1500",
                 "pyclient_ws", "lws_server_wsclient", "proto_stomp")
TEST_KINDS = ("nothing", "one lost", "loss 2 %", "loss 20 %", "late 20 %", "late 20 %, in order", "twice 20 %",
              "snaplen 128", "snaplen 128, in order", "begin lost 33 %", "end lost 30 %", "only c2s", "only s2c",
              "loss, late, twice 5 %")

# The same in streams of HTTP/2 and HTTP/3, where a hole may have been of any stream: what stands alone between two
# holes is not always believed.
CARRIED_CAPTURES = ("h2c_python", "h2c_python_smallframes_padded", "h2tls_chromium", "h3_plain")
CARRIED_KINDS = ("one lost", "loss 2 %", "loss 10 %", "late 20 %, in order", "twice 20 %", "late and twice 10 %",
                 "snaplen 600")
CARRIED_SHARE_MIN = 0.9

# In which Wireshark 4.6 must show the same without the preference.
UNORDERED_KINDS = ("nothing", "late 5 %", "late 20 %", "twice 20 %", "late and twice 10 %")
UNORDERED_SEEDS = 2

Run = collections.namedtuple("Run", "name kind packets options expected")


# --- what to run --------------------------------------------------------------------------------


def samples(folder, pattern=""):
    for path in sorted(folder.glob("*.truth.jsonl")):
        capture = path.with_name(path.name.removesuffix(".truth.jsonl") + ".pcapng")
        name = capture.stem
        if capture.is_file() and (pattern in name or fnmatch.fnmatch(name, pattern)):
            yield capture, path


def ready_runs(capture, expected):
    for path in sorted(capture.parent.glob(f"{capture.stem}.*.pcapng")):
        word = path.name.split(".")[-2]
        yield Run(path.name, f"ready {word}", recut.Capture(path.read_bytes()).packets, (), expected)


def seed_of(name, number):
    """One seed for a capture and all kinds of damage, so that rates can be compared."""
    return number * 1_000_003 + sum(ord(c) * (i + 1) for i, c in enumerate(name))


def made_runs(capture, expected, kinds, seeds):
    for kind in kinds:
        what, options = KINDS[kind]
        by_chance = what.drop or what.swap or what.dup
        for number in range(seeds if by_chance else 1):
            chosen = dataclasses.replace(what, seed=seed_of(capture.stem, number))
            yield Run(f"{capture.name} seed {chosen.seed}", kind,
                      impair.damage(expected.capture, chosen), options, expected)


def measure(env, run, options=()):
    """One run of tshark over one damaged capture."""
    path = env.new_path(".pcapng")
    impair.write_pcapng(path, run.expected.capture, run.packets)
    try:
        there = wire.coverage(run.expected.reference, run.packets)
        words = [*run.expected.decode_as(there), *run.options, *options]
        seen = None
        if run.expected.is_carried():
            words += judge.OVER_HTTP2
            seen = carried.look(env, path, words)
        items = jsonlines.run(env, path, words, timeout=RUN_SECONDS)
    finally:
        path.unlink()
    return judge.judge(run.expected, run.packets, items, seen)


# --- for tests/run.py ---------------------------------------------------------------------------


class Selection:
    """The truth of the chosen captures, read when the first test asks for it."""

    def __init__(self, env):
        self.env, self.pool = env, {}

    def expected(self, name):
        if name not in self.pool:
            self.pool[name] = judge.Expected(self.env, SAMPLES / f"{name}.pcapng",
                                             SAMPLES / f"{name}.truth.jsonl")
        return self.pool[name]


def shows_http3(env):
    return tuple(map(int, env.version.split("."))) >= (4, 4)


def calls_for_http3(env):
    return tuple(map(int, env.version.split("."))) >= (4, 6)


def kind_test(env, selection, kind, captures=TEST_CAPTURES, share_min=SHARE_MIN):
    total, problems = judge.Verdict(), []
    for name in captures:
        if name.startswith("h3") and not shows_http3(env):
            continue
        expected = selection.expected(name)
        for run in made_runs(SAMPLES / f"{name}.pcapng", expected, [kind], 1):
            verdict = measure(env, run)
            problems += [f"{run.name}: {text}" for text in verdict.wrong + verdict.parts_wrong]
            total.add(verdict)
    if not total.recoverable:
        problems.append("no message could be recovered: the test says nothing")
    elif total.right < share_min * total.recoverable:
        problems.append(f"{total.right} of {total.recoverable} messages that are all there were "
                        f"reported right; missed: {missed_words(total)}")
        problems += total.missed_list
    return problems


def reference_test(selection):
    problems = []
    for name in TEST_CAPTURES:
        expected = selection.expected(name)
        problems += [f"{name}: {text}" for text in expected.problems]
        if not expected.matched:
            problems.append(f"{name}: nothing of the log was found")
    return problems


def by_stream(items):
    """{(stream of HTTP/3, direction): what came of it}, without what only packets before the first DATA, or packet
    numbers, tell: where it opened, where its first bytes came, and what is missing at its end; where its answer
    can't be read, when that is found, too."""
    opened = {i["stream"]: i for i in items if i["kind"] == "open"}
    result = collections.defaultdict(list)
    for item in items:
        left_out = {"stream", "first_packet"} | ({"rules"} if item["kind"] == "end" else set())
        if opened[item["stream"]].get("midstream"):
            left_out |= {"packet", "time"}
        if item["kind"] != "open":
            key = opened[item["stream"]].get("stream_id"), item.get("dir")
            result[key].append({k: v for k, v in item.items() if k not in left_out})
    return result


def default_test(env, kind, name="h3_plain"):
    """Wireshark calls for the streams of HTTP/3 whose handshake it can read: the same comes of them."""
    capture = recut.Capture((SAMPLES / f"{name}.pcapng").read_bytes())
    problems, compared = [], 0
    what, options = KINDS[kind]
    for number in range(UNORDERED_SEEDS):
        chosen = dataclasses.replace(what, seed=seed_of(name, number))
        path = env.new_path(".pcapng")
        impair.write_pcapng(path, capture, impair.damage(capture, chosen))
        whole = by_stream(jsonlines.run(env, path, [*options, *judge.OVER_HTTP2], timeout=RUN_SECONDS))
        for more in ([], ["-2"]):
            alone = by_stream(jsonlines.run(env, path, [*options, *more], timeout=RUN_SECONDS))
            compared += len(alone)
            for stream, items in alone.items():
                pairs = zip(items, whole.get(stream, []))
                differs = next((str(pair)[:300] for pair in pairs if pair[0] != pair[1]), None)
                if differs or len(items) != len(whole.get(stream, [])):
                    problems.append(f"seed {chosen.seed} {more}: {stream}: {len(items)} lines, "
                                    f"{len(whole.get(stream, []))} with the preference: {differs}")
        path.unlink()
    return problems if compared else ["nothing was compared"]


def tests(env):
    """(name, callable that returns the texts of what is wrong) for tests/run.py."""
    selection = Selection(env)
    yield "impair:reference", lambda: reference_test(selection)
    for kind in TEST_KINDS:
        name = kind.replace(" %", "%").replace(",", "").replace(" ", "-")
        yield f"impair:{name}", lambda kind=kind: kind_test(env, selection, kind)
    for kind in CARRIED_KINDS:
        name = kind.replace(" %", "%").replace(",", "").replace(" ", "-")
        yield f"impair:carried:{name}", lambda kind=kind: kind_test(env, selection, kind, CARRIED_CAPTURES,
                                                                    CARRIED_SHARE_MIN)
    for kind in UNORDERED_KINDS if calls_for_http3(env) else ():
        name = kind.replace(" %", "%").replace(" ", "-")
        yield f"impair:default:{name}", lambda kind=kind: default_test(env, kind)


# --- as a program -------------------------------------------------------------------------------


def missed_words(verdict):
    return ", ".join(f"{n} {why}" for why, n in verdict.missed.most_common()) or "none"


def share(right, of):
    return f"{right}/{of} {100 * right / of:.2f} %" if of else "-"


def row(kind, runs, v):
    return (f"{kind:26}{runs:5}{v.complete:9}{len(v.wrong):6}  {share(v.right, v.recoverable):21}"
            f"{share(v.control_right, v.control):20}{v.parts:6}{len(v.parts_wrong):6}  "
            f"{share(v.unnegotiated_right, v.unnegotiated):18}{missed_words(v)}")


HEAD = (f"{'damage':26}{'runs':>5}{'complete':>9}{'wrong':>6}  {'right of recoverable':21}"
        f"{'control':20}{'parts':>6}{'wrong':>6}  {'without 101':18}missed")


def is_enough(v):
    return not v.wrong and not v.parts_wrong and v.right >= SHARE_MIN * v.recoverable


def self_test(folder, pattern):
    env, bad, matched, total = wsxenv.shared(), 0, 0, 0
    for capture, path in samples(folder, pattern):
        expected = judge.Expected(env, capture, path)
        verdict = judge.judge(expected, expected.capture.packets, as_items(expected))
        data = sum(m.type in truth.DATA for w in expected.ways.values() if w.plain for m in w.messages)
        problems = expected.problems + verdict.wrong + verdict.parts_wrong + verdict.missed_list
        if verdict.right != data or verdict.unnegotiated:
            problems.append(f"{verdict.right} of {data} messages count as recoverable and right")
        bad += bool(problems)
        matched, total = matched + expected.matched, total + expected.total
        print(f"{'BAD ' if problems else 'ok  '} {capture.name}: {expected.matched} of "
              f"{expected.total} logged items of {len(expected.reference.connections)} plain "
              f"connections found in the bytes")
        for text in problems[:SHOWN_PROBLEMS]:
            print("     " + text)
    good = not bad and matched
    print(f"{'PASS' if good else 'FAIL'}: {matched} of {total} logged items, {bad} captures differ")
    return 0 if good else 1


def as_items(expected):
    """What a perfect dissector would report of the plain connections, as JSON Lines."""
    items = []
    for number, c in enumerate(expected.reference.connections):
        items.append({"kind": "open", "stream": number, "client": f"a:{c.client[1]}",
                      "server": f"b:{c.server[1]}"})
        for way, d in c.way.items():
            items += [{"kind": m.type, "stream": number, "dir": way, "packet": 0,
                       "base64": base64.b64encode(m.body).decode()} for m in d.items]
    return items


def all_runs(env, args, kinds):
    for capture, path in samples(args.folder, args.k):
        expected = judge.Expected(env, capture, path)
        for text in expected.problems:
            print(f"{capture.name}: {text}")
        made = made_runs(capture, expected, kinds, args.seeds)
        ready = (r for r in ready_runs(capture, expected)
                 if args.d in r.kind or fnmatch.fnmatch(r.kind, args.d))
        for run in (*ready, *made):
            yield run


def measure_all(env, args, options):
    kinds = [k for k in KINDS if args.d in k or fnmatch.fnmatch(k, args.d)]
    until = time.monotonic() + 60 * args.minutes
    totals, runs = collections.defaultdict(judge.Verdict), collections.Counter()
    failures, left = [], 0

    def one(run):
        if time.monotonic() > until:
            return None
        return measure(env, run, options)

    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        waiting = [(run.kind, run.name, pool.submit(one, run)) for run in all_runs(env, args, kinds)]
        for kind, name, future in waiting:
            try:
                verdict = future.result()
            except (jsonlines.BadOutput, OSError, ValueError, KeyError) as error:
                failures.append(f"{kind}: {name}: {type(error).__name__}: {str(error)[-160:]}")
                continue
            left += verdict is None
            if verdict is None:
                continue
            runs[kind] += 1
            totals[kind].add(verdict)
            show(args, kind, name, verdict)
    return totals, runs, failures, left


def show(args, kind, name, verdict):
    problems = verdict.wrong + [f"{text} (in part)" for text in verdict.parts_wrong]
    if args.v or problems:
        print(f"{name}: {kind}: {verdict.right} of {verdict.recoverable} right, "
              f"{len(problems)} wrong", flush=True)
    for text in problems[:SHOWN_PROBLEMS]:
        print("     WRONG " + text)
    for text in verdict.missed_list[:SHOWN_PROBLEMS if args.v else 0]:
        print("     missed " + text)


def main():
    argv, options = sys.argv[1:], []
    if "--" in argv:
        options = argv[argv.index("--") + 1:]
        argv = argv[:argv.index("--")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, nargs="?", default=SAMPLES)
    parser.add_argument("-k", metavar="PATTERN", default="", help="only captures that fit")
    parser.add_argument("-d", metavar="PATTERN", default="", help="only kinds of damage that fit")
    parser.add_argument("--seeds", type=int, default=1, help="repeats of each damage by chance")
    parser.add_argument("-j", type=int, default=len(os.sched_getaffinity(0)), metavar="JOBS")
    parser.add_argument("--minutes", type=float, default=20, help="no new run begins after that")
    parser.add_argument("-v", action="store_true", help="every run and every missed message")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args(argv)
    if args.self_test:
        return self_test(args.folder, args.k)
    totals, runs, failures, left = measure_all(wsxenv.shared(), args, options)
    print(HEAD)
    everything = judge.Verdict()
    for kind in sorted(totals, key=lambda k: (list(KINDS).index(k) if k in KINDS else -1, k)):
        print(row(kind, runs[kind], totals[kind]))
        everything.add(totals[kind])
    print(row("all", sum(runs.values()), everything))
    for text in failures:
        print("FAILED " + text)
    weak = [kind for kind, v in totals.items() if not is_enough(v)]
    good = totals and not weak and not failures and not left and everything.recoverable
    print(f"{'PASS' if good else 'FAIL'}: {len(everything.wrong)} wrong of {everything.complete} "
          f"reported as complete, {len(everything.parts_wrong)} wrong parts, "
          f"{share(everything.right, everything.recoverable)} of the recoverable right; "
          f"{len(weak)} of {len(totals)} kinds of damage fall short, {len(failures)} runs failed, "
          f"{left} not run for lack of time")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (wsxenv.SetupError, wire.WireError, recut.NotClean, OSError) as error:
        sys.exit(f"measure: {error}")
