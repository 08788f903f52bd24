#!/usr/bin/env python3
"""How often WebSocket is found without its handshake, and how often where there is none.

    heuristic.py [FOLDER] [--others FOLDER] [--mode tcp|tls] [-k PATTERN] [--cuts N] [--port N] [-j JOBS]
                 [--minutes N] [-v] [-- TSHARK-OPTION...]
    heuristic.py --others FOLDER --only-others

Found, over TCP: each NAME.pcapng of FOLDER (default: sample-captures) begins at N random packets (20),
the heuristic websocket_tcp is on. A connection counts when its handshake is gone and two whole data
frames in one direction are left. It is found when at least one message is shown right: complete; as it
was sent (compressed, and nothing to inflate it with); a continuation frame of a message whose begin is
gone; or the beginning of a message.
Found, over TLS: the same byte streams from N random pieces on, put in new TLS connections (tlswrap.py),
since a TLS connection whose handshake is not captured can't be decrypted; heuristic websocket_tls.
--port N: all servers get this port (80 and 8080 are HTTP's).

Not to be found: captures of other protocols (record-others.sh makes them), each whole and with every
connection cut at random places, both heuristics on: no "open" line may come.

Nothing may be reported as complete that was not sent.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import os
import pathlib
import random
import re
import struct
import sys
import time

import impair
import judge  # sets the path to what follows
import jsonlines
import measure
import recut
import tlswrap
import truth
import wire
import wsxenv

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import workloads  # noqa: E402

FOUND_MIN = 0.98
CUTS = 20
OTHER_CUTS = 3
# Ports on which Wireshark takes TCP for TLS: one where TLS is HTTP's, one where it is nobody's.
TLS_PORTS = (443, 9443)
OTHERS_MIN = 1000
RUN_SECONDS = 60
ON = {"tcp": ["--enable-heuristic", "websocket_tcp"], "tls": ["--enable-heuristic", "websocket_tls"]}
HOW = ("complete", "as sent", "frame", "part")

Job = collections.namedtuple("Job", "name mode link packets secrets ways cut ignored")


# --- byte streams -------------------------------------------------------------------------------


def tls_streams(env, capture, others):
    """The clear bytes of TLS connections by Wireshark's own follow, as wire.Connections."""
    words = [w for c in others for w in ("-z", f"follow,tls,raw,{c.number}")]
    text = env.tshark(["-q", *words], capture).stdout.decode() if others else ""
    for c, part in zip(others, text.split("Follow: tls,raw\n")[1:]):
        clear = wire.Connection(c.number, c.client, c.server,
                                way={wire.C2S: wire.Direction(0), wire.S2C: wire.Direction(0)})
        first = re.search(r"^Node 0: .*:(\d+)$", part, re.M)
        lines = [x for x in part.splitlines()[3:] if re.fullmatch(r"\t?[0-9a-f]+", x)]
        for line in lines:
            by_first = not line.startswith("\t")
            way = wire.C2S if by_first == (int(first[1]) == c.client[1]) else wire.S2C
            d, data = clear.way[way], bytes.fromhex(line.strip())
            clear.chunks.append((0, way, len(d.data), data))
            d.data += data
        if wire.upgrade(clear):
            for d in clear.way.values():
                wire.read_frames(d)
                wire.read_messages(d, f"connection {c.number}")
            yield clear


def new_port(packets, link, number):
    """All packets with another port of the server. Checksums are not made anew: nobody checks them."""
    clients = impair.sent_by_clients(argparse.Namespace(link=link), packets)
    for (ns, data, length), by_client in zip(packets, clients):
        end = impair.endpoints(link, data)
        if end is not None:
            ip = recut.ip_offset(link, data)
            at = ip + (data[ip] & 15) * 4 if data[ip] >> 4 == 4 else ip + 40
            at += 2 if by_client else 0
            data = data[:at] + struct.pack(">H", number) + data[at + 2:]
        yield ns, data, length


# --- what to run --------------------------------------------------------------------------------


def two_frames(c, spans):
    """Two whole data frames in one direction?"""
    return any(sum(f.opcode < 8 and spans[way].has(f.start, f.end) for f in d.frames) >= 2
               for way, d in c.way.items())


def ways_of(connections, port):
    return {(c.client[1], port or c.server[1], None, way): judge.Way.of_plain(c, d)
            for c in connections for way, d in c.way.items()}


def tcp_jobs(capture, name, reference, args):
    """The capture from random packets on."""
    rng = random.Random(measure.seed_of(name, 1))
    ways, count = ways_of(reference.connections, args.port), len(capture.packets)
    for _ in range(args.cuts if reference.connections else 0):
        first = rng.randrange(1, count)
        packets = capture.packets[first:]
        there = wire.coverage(reference, packets)
        cut = {(c.client[1], args.port or c.server[1]) for c in reference.connections
               if not judge.answered(c, there)
               and two_frames(c, {way: there[c.number, way] for way in c.way})}
        if args.port:
            packets = list(new_port(packets, capture.link, args.port))
        yield Job(f"{name} from packet {first + 1}", "tcp", capture.link, packets, capture.secrets,
                  ways, cut, {(c.client[1], args.port or c.server[1]) for c in reference.others})


def behind_handshake(c):
    """(direction, offset, bytes) of what is no part of the opening handshake."""
    for _, way, at, data in c.chunks:
        over = max(c.way[way].frames_at - at, 0)
        if over < len(data):
            yield way, at + over, data[over:]


def tls_jobs(name, connections, args):
    """Every connection from a random piece on, in TLS."""
    rng = random.Random(measure.seed_of(name, 2))
    for number in range(args.cuts if connections else 0):
        port = args.port or TLS_PORTS[number % 2]
        ways, streams, cut = ways_of(connections, port), [], set()
        for c in connections:
            pieces = list(behind_handshake(c))
            pieces = pieces[rng.randrange(len(pieces)) if pieces else 0:]
            ports = (c.client[1], port)
            streams.append((*ports, [(way, data) for way, _, data in pieces]))
            spans = {way: wire.Spans() for way in c.way}
            for way, at, data in pieces:
                spans[way].add(at, at + len(data))
            if two_frames(c, {way: s.close() for way, s in spans.items()}):
                cut.add(ports)
        packets, secret = tlswrap.wrap(streams)
        yield Job(f"{name} in TLS, cut {number + 1}", "tls", recut.LINK_ETHERNET, packets,
                  [(tlswrap.SECRETS_TLS, secret)], ways, cut, set())


def jobs(env, args):
    for path, _ in measure.samples(args.folder, args.k):
        capture = recut.Capture(path.read_bytes())
        reference = wire.Reference(capture)
        if "tcp" in args.mode:
            yield from tcp_jobs(capture, path.stem, reference, args)
        if "tls" in args.mode:
            hidden = tls_streams(env, path, reference.others)
            yield from tls_jobs(path.stem, [*reference.connections, *hidden], args)


# --- judging ------------------------------------------------------------------------------------


def how_found(way, j):
    """One of HOW when an item is right, None when it tells nothing, "wrong" when it was never sent."""
    body, kind = jsonlines.body(j), j["kind"]
    if way is None:
        return "wrong"
    if j.get("raw") and (kind, body) in way.raw:
        return "as sent"
    if kind == "frame" and not j.get("incomplete") and body and body in way.frames:
        return "frame"
    if kind != "frame" and not j.get("incomplete") and not j.get("raw"):
        if (kind, judge.digest(body)) not in way.names:
            return "wrong"
        return "complete" if kind in truth.DATA and body else None
    return "part" if judge.is_part(way, j) else None


def judge_job(job, items):
    """({ports: how it was found, the best way of HOW}, wrong ones)"""
    found, wrong = {}, []
    for key, j in judge.by_connection(items):
        ports = key[:2]
        if j["kind"] not in truth.LISTED + ("frame",) or ports in job.ignored:
            continue
        how = how_found(job.ways.get(key), j)
        if how == "wrong":
            wrong.append(judge.words(key, j))
        elif how:
            found[ports] = min(how, found.get(ports, how), key=HOW.index)
    return found, wrong


def run_job(env, job, options):
    path = env.new_path(".pcapng")
    impair.write_pcapng(path, argparse.Namespace(link=job.link, secrets=job.secrets), job.packets)
    try:
        return judge_job(job, jsonlines.run(env, path, [*ON[job.mode], *options], RUN_SECONDS))
    finally:
        path.unlink()


class Tally:
    def __init__(self):
        self.how = collections.Counter()
        self.runs = self.count = 0
        self.wrong, self.lost, self.failures, self.not_run = [], [], [], 0

    def add(self, job, found, wrong):
        self.runs += 1
        self.count += len(job.cut)
        self.how.update(found[ports] for ports in job.cut if ports in found)
        self.wrong += [f"{job.name}: {text}" for text in wrong]
        self.lost += [f"{job.name}: ports {a}, {b}" for a, b in sorted(job.cut - set(found))]

    def is_good(self):
        return (self.count and not (self.wrong or self.failures or self.not_run)
                and sum(self.how.values()) >= FOUND_MIN * self.count)

    def words(self):
        found = sum(self.how.values())
        how = ", ".join(f"{self.how[h]} {h}" for h in HOW if self.how[h])
        return (f"{measure.share(found, self.count)} of connections found ({how or 'none'}) in "
                f"{self.runs} runs, {len(self.wrong)} wrong, {len(self.failures)} runs failed, "
                f"{self.not_run} not run for lack of time")


def find(env, args, options, until):
    tallies = {mode: Tally() for mode in args.mode}

    def one(job):
        return run_job(env, job, options) if time.monotonic() < until else None

    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        waiting = [(job, pool.submit(one, job)) for job in jobs(env, args)]
        for job, future in waiting:
            tally = tallies[job.mode]
            try:
                result = future.result()
            except (jsonlines.BadOutput, OSError, ValueError, KeyError) as error:
                tally.failures.append(f"{job.name}: {type(error).__name__}: {str(error)[-160:]}")
                continue
            if result is None:
                tally.not_run += 1
            else:
                tally.add(job, *result)
    return tallies


# --- other protocols ----------------------------------------------------------------------------


def cut_each(capture, seed):
    """Every connection without its first packets: a random share of them."""
    rng, number, seen, first = random.Random(seed), collections.Counter(), collections.Counter(), {}
    pairs = []
    for _, data, _ in capture.packets:
        end = impair.endpoints(capture.link, data)
        pairs.append(end and (end[0], frozenset(end[1:3])))
        number[pairs[-1]] += 1
    for pair in number:
        first[pair] = rng.randrange(min(3, number[pair]), number[pair] + 1) if pair else 0
    for packet, pair in zip(capture.packets, pairs):
        seen[pair] += 1
        if seen[pair] > first[pair]:
            yield packet


def connections_in(link, packets):
    return len({frozenset(s.side) for s in wire.segments(link, packets) if s.payload})


def others(env, args, options, until):
    """(connections, connections cut, opened, files, texts of what went wrong)"""
    counts, cut, opened, problems = collections.Counter(), 0, [], []

    def one(name, capture, packets):
        if time.monotonic() > until:
            return ["not run for lack of time"], []
        path = env.new_path(".pcapng")
        impair.write_pcapng(path, capture, packets)
        try:
            items = jsonlines.run(env, path, [*ON["tcp"], *ON["tls"], *options], RUN_SECONDS)
        except jsonlines.BadOutput as error:
            return [f"{name}: {error}"], []
        finally:
            path.unlink()
        return [], [f"{name}: packet {j['packet']}: {j.get('client')} to {j.get('server')}"
                    for j in items if j["kind"] == "open"]

    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        waiting = []
        for path in sorted(args.others.glob("*.pcap*")):
            capture = recut.Capture(path.read_bytes())
            counts[path.stem] = connections_in(capture.link, capture.packets)
            waiting.append(pool.submit(one, path.stem, capture, capture.packets))
            for seed in range(OTHER_CUTS):
                packets = list(cut_each(capture, seed))
                cut += connections_in(capture.link, packets)
                waiting.append(pool.submit(one, f"{path.stem} cut {seed}", capture, packets))
        for future in waiting:
            failed, found = future.result()
            problems += failed
            opened += found
    return counts, cut, opened, problems


def judge_others(env, args, options, until):
    counts, cut, opened, problems = others(env, args, options, until)
    for text in opened[:measure.SHOWN_PROBLEMS]:
        print("  FALSE " + text)
    for text in problems[:measure.SHOWN_PROBLEMS]:
        print("  FAILED " + text)
    total = sum(counts.values())
    print("others: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))
    print(f"others: {total} connections whole, {cut} cut: {len(opened)} taken for WebSocket, "
          f"{len(problems)} runs failed")
    if total < OTHERS_MIN:
        print(f"others: fewer than {OTHERS_MIN} connections prove too little")
    return not opened and not problems and total >= OTHERS_MIN


# --- the tests ----------------------------------------------------------------------------------

TEST_CAPTURES = ("chromium_wss", "lib_wsnode_client", "lws_server_wsclient", "proto_engineio",
                 "proto_graphql", "proto_signalr_pmd", "proto_stomp")
TEST_CUTS = 4
TEST_PORTS = {"tcp": 8081, "tls": 0}
STRANGERS = 150  # connections
LINES = b"".join(b"%d 200 text/plain /a/%d.txt %d\r\n" % (i, i * 7, i * 131) for i in range(60))


def found_test(env, mode):
    tally = Tally()
    for name in TEST_CAPTURES:
        args = argparse.Namespace(folder=measure.SAMPLES, k=name, cuts=TEST_CUTS, mode=[mode],
                                  port=TEST_PORTS[mode])
        for job in jobs(env, args):
            tally.add(job, *run_job(env, job, ()))
    if tally.is_good():
        return []
    return [tally.words(), *tally.wrong, *tally.lost]


def stranger(rng, number):
    """What one side of a connection sends that has nothing of WebSocket."""
    size = rng.randrange(400, 3000)
    if number % 3 == 0:
        return rng.randbytes(size)
    if number % 3 == 1:
        return LINES[rng.randrange(100):][:size]
    made = b""  # records with a length before each
    while len(made) < size:
        record = rng.randbytes(rng.randrange(2, 120))
        made += struct.pack(">HB", len(record) + 1, rng.randrange(8)) + record
    return made


def strangers_test(env):
    """No connection of other bytes is taken for WebSocket; one that is it, is."""
    rng, path = random.Random(6455), env.new_path(".pcap")
    capture = workloads.Capture(path, "strangers")
    for number in range(STRANGERS):
        connection = workloads.Connection(capture, number, shake=False)
        for sender in (workloads.CLIENT, workloads.SERVER):
            data = stranger(rng, number)
            while data:
                length = rng.randrange(1, 1400)
                connection.segment(sender, workloads.ACK | workloads.PUSH, data[:length])
                data = data[length:]
    known = workloads.Connection(capture, STRANGERS, shake=False)
    for number in range(8):
        known.frame(number % 2, workloads.FINAL | workloads.TEXT, capture.text(40, 200))
    capture.close()
    items = jsonlines.run(env, path, [*ON["tcp"], *ON["tls"]], RUN_SECONDS)
    opened = [j.get("client") for j in items if j["kind"] == "open"]
    messages = sum(j["kind"] == "text" for j in items)
    return [] if len(opened) == 1 and messages == 8 else [f"{opened}, {messages} messages"]


def tests(env):
    """(name, callable that returns the texts of what is wrong) for tests/run.py."""
    for mode in ON:
        yield f"heuristic:{mode}", lambda mode=mode: found_test(env, mode)
    yield "heuristic:strangers", lambda: strangers_test(env)


# --- as a program -------------------------------------------------------------------------------


def main():
    argv, options = sys.argv[1:], []
    if "--" in argv:
        options = argv[argv.index("--") + 1:]
        argv = argv[:argv.index("--")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, nargs="?", default=measure.SAMPLES)
    parser.add_argument("--others", type=pathlib.Path)
    parser.add_argument("--only-others", action="store_true")
    parser.add_argument("--mode", choices=("tcp", "tls"), action="append")
    parser.add_argument("-k", metavar="PATTERN", default="", help="only captures that fit")
    parser.add_argument("--cuts", type=int, default=CUTS)
    parser.add_argument("--port", type=int, default=0, help="give all servers this port")
    parser.add_argument("-j", type=int, default=len(os.sched_getaffinity(0)), metavar="JOBS")
    parser.add_argument("--minutes", type=float, default=20, help="no new run begins after that")
    parser.add_argument("-v", action="store_true", help="name every connection that was not found")
    args = parser.parse_args(argv)
    args.mode = args.mode or ["tcp", "tls"]
    if args.only_others and not args.others:
        parser.error("--only-others needs --others FOLDER")
    env, until, good = wsxenv.shared(), time.monotonic() + 60 * args.minutes, True
    for mode, tally in ({} if args.only_others else find(env, args, options, until)).items():
        for word, texts in (("WRONG", tally.wrong), ("FAILED", tally.failures),
                            ("not found", tally.lost if args.v else [])):
            for text in texts[:measure.SHOWN_PROBLEMS if word != "not found" else None]:
                print(f"  {word} {text}")
        print(f"{mode}: {tally.words()}")
        good = good and bool(tally.is_good())
    if args.others:
        good = judge_others(env, args, options, until) and good
    print(f"{'PASS' if good else 'FAIL'}: at least {100 * FOUND_MIN:.0f} % have to be found, nothing "
          "wrong reported, no other protocol taken for WebSocket")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (wsxenv.SetupError, wire.WireError, recut.NotClean, OSError) as error:
        sys.exit(f"heuristic: {error}")
