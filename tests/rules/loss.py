#!/usr/bin/env python3
"""A lost packet never makes a finding: what is reported of a capture that lacks packets is reported of the whole
one, too. Some rules are about the loss itself, and some may be told as a warning where no handshake was seen.

    loss.py [RATE SEED]      the captures of edges.py and streams.py without RATE of their packets

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import pathlib
import random
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "lib")]
import edges  # noqa: E402
import run_cases  # noqa: E402
import streams  # noqa: E402
import wsxenv  # noqa: E402

ABOUT_LOSS = {"stream-gap", "stream-resync", "stream-midstream", "deflate-context-lost"}
# With a lower severity where the handshake, or the beginning of the stream, was not captured.
LOWERED = {"frame-rsv-nonzero", "frame-opcode-reserved", "frame-continuation-orphan", "message-utf8-invalid"}
# Without its earlier messages, a message that refers to them in spite of no_context_takeover can't be explained.
INSTEAD = {"deflate-failed": "deflate-takeover-violated"}
RUNS = ((0.05, 1), (0.2, 2))
HTTP3_RUNS = ((0.05, 1), (0.1, 2), (0.2, 3), (0.3, 4), (0.5, 5))


ENHANCED_PACKET = 6


def packets_of(data):
    """(head, packets with their headers) of a pcap file, or of a pcapng file whose other blocks come first."""
    pcapng = data[:4] == b"\x0a\x0d\x0d\x0a"
    packets, head, at = [], 0 if pcapng else 24, 0 if pcapng else 24
    while at < len(data):
        kind, length, captured = struct.unpack_from("<III", data, at)
        size = length if pcapng else 16 + captured
        if pcapng and kind != ENHANCED_PACKET:
            head = at + size
        else:
            packets.append(data[at:at + size])
        at += size
    return data[:head], packets


def by_connection(env, path, options):
    """{(client, stream of HTTP/2 or HTTP/3): {rule: severities}}"""
    names, found = {}, collections.defaultdict(lambda: collections.defaultdict(set))
    for item in edges.jsonlines.run(env, path, list(options)):
        if item["kind"] == "open":
            names[item["stream"]] = (item.get("client"), item.get("stream_id"))
    seen, _ = edges.findings(env, path, *options)
    for stream, texts in seen.items():
        for severity, rule in (text.split() for text in texts):
            found[names.get(stream)][rule].add(severity)
    return found


def whole_of(env, path, options, known={}):
    """by_connection of the whole capture, found once."""
    with edges.MAKING:
        if (path, options) not in known:
            known[path, options] = by_connection(env, path, options)
    return known[path, options]


def twice(data):
    """The capture with each packet twice, and four bytes behind each, as of Ethernet's checksum or padding."""
    head, packets = packets_of(data)
    out = [head]
    for packet in packets:
        kind, length, captured = struct.unpack_from("<III", packet)
        if data[:4] == b"\x0a\x0d\x0d\x0a":
            captured, original = struct.unpack_from("<II", packet, 20)
            options = packet[28 + (captured + 3) // 4 * 4:-4]
            content = packet[28:28 + captured] + b"\xfc\x51\x13\x77"
            length = 32 + (len(content) + 3) // 4 * 4 + len(options)
            packet = struct.pack("<II", kind, length) + packet[8:20] + struct.pack("<II", captured + 4, original + 4) + (
                content + b"\0" * (-len(content) % 4) + options + struct.pack("<I", length))
        else:
            original, = struct.unpack_from("<I", packet, 12)
            packet = packet[:8] + struct.pack("<II", captured + 4, original + 4) + packet[16:] + b"\xfc\x51\x13\x77"
        out += [packet, packet]
    return b"".join(out)


def twice_test(env, path, options=streams.OPTIONS):
    target = env.new_path(pathlib.Path(path).suffix)
    target.write_bytes(twice(pathlib.Path(path).read_bytes()))
    due, got = (by_connection(env, name, options) for name in (path, target))
    problems = [f"{name}: {dict(got.get(name, {}))}, due {dict(due.get(name, {}))}"
                for name in sorted(set(due) | set(got), key=str) if due.get(name) != got.get(name)]
    if not due:
        problems.append("nothing is tested: no finding")
    target.unlink()
    return problems


def judge(env, path, rate, seed, left_out=(), options=streams.OPTIONS):
    whole = whole_of(env, path, options)
    head, packets = packets_of(pathlib.Path(path).read_bytes())
    chance = random.Random(seed)
    target = env.new_path(pathlib.Path(path).suffix)
    target.write_bytes(head + b"".join(p for p in packets if chance.random() >= rate))
    problems = []
    for name, rules in by_connection(env, target, options).items():
        for rule, severities in rules.items():
            known = whole.get(name, {})
            if rule in ABOUT_LOSS or rule in known or INSTEAD.get(rule) in known or name in left_out:
                continue
            if rule in LOWERED and severities == {"warning"}:
                continue
            problems.append(f"{rate} lost, seed {seed}: {name}: {', '.join(severities)} {rule}")
    target.unlink()
    return problems


def client_of(name):
    number = [n for n, _, _ in edges.EDGES].index(name)
    return (f"10.0.{number // 200}.{1 + number % 200}:50001", None)


def of_edges(env, rate, seed):
    # Where a request is lost, that bytes came behind it and before the answer is not to be known.
    return judge(env, edges.capture(env), rate, seed, {client_of("early_part_of_frame")})


def of_http2(env, rate, seed):
    return judge(env, streams.capture(env, 2), rate, seed)


def of_http3(env, rate, seed):
    return judge(env, streams.capture(env, 3), rate, seed)


def of_http3_called(env, rate, seed):
    """Without the preference: Wireshark 4.6 calls for the streams of HTTP/3."""
    return judge(env, streams.capture(env, 3), rate, seed, options=())


SAMPLES = HERE.parents[1] / "sample-captures"
TWICE = {"edges": edges.capture, "http2": lambda env: streams.capture(env, 2),
         **{name: lambda _env, name=name: SAMPLES / f"{name}.pcapng"
            for name in ("chromium_wss", "wss_tls13", "h2tls_chromium", "proto_mqtt")}}


def tests(env, _quick=False):
    for name, path in TWICE.items():
        yield f"rules:twice:{name}", lambda path=path: twice_test(env, path(env))
    for rate, seed in RUNS:
        yield f"rules:loss:{rate}", lambda rate=rate, seed=seed: of_edges(env, rate, seed)
        yield f"rules:loss:http2:{rate}", lambda rate=rate, seed=seed: of_http2(env, rate, seed)
    for rate, seed in HTTP3_RUNS if streams.shows_http3(env) else ():
        yield f"rules:loss:http3:{rate}", lambda rate=rate, seed=seed: of_http3(env, rate, seed)
    for rate, seed in RUNS if streams.calls_for_http3(env) else ():
        yield f"rules:loss:http3:called:{rate}", lambda rate=rate, seed=seed: of_http3_called(env, rate, seed)


def main():
    env, failed = wsxenv.shared(), 0
    asked = [(float(sys.argv[1]), int(sys.argv[2]))] if len(sys.argv) > 2 else None
    kinds = [(of_edges, RUNS), (of_http2, RUNS)]
    if streams.shows_http3(env):
        kinds.append((of_http3, HTTP3_RUNS))
    if streams.calls_for_http3(env):
        kinds.append((of_http3_called, RUNS))
    for judged, runs in kinds:
        for rate, seed in asked or runs:
            problems = judged(env, rate, seed)
            failed += len(problems)
            print(f"{judged.__name__} {rate} {seed}: " + ("\n  ".join(["", *problems]) if problems else "as due"))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
